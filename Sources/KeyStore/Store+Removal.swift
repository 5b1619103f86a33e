/// Deletions and expiry. See `Store+Writes.swift` for what holds of all writes.
extension Store {
    /// Removes a file; a directory only with `isDirectory` (if it is empty) or `isRecursive`.
    /// One event tells of the whole content.
    ///
    /// Throws `keyNotFound`, `notFile`, `directoryNotEmpty`.
    package func delete(
        _ path: UnsafeRawBufferPointer, isDirectory: Bool = false, isRecursive: Bool = false,
        now: Int64
    ) throws(StoreError) -> Event {
        removedContent = RemovedContent()
        return try onCleanPath(path) { path throws(StoreError) in
            do throws(StoreError) {
                if StorePath.isReadOnly(path) { throw rootReadOnly }
                let item = try tree.item(at: path)
                if item.isDirectory && !isRecursive {
                    if !isDirectory {
                        throw StoreError(.notFile, cause: path[...], index: currentIndex)
                    }
                    if item.children != nil {
                        throw StoreError(.directoryNotEmpty, cause: path[...], index: currentIndex)
                    }
                }
                counters.countDelete(true)
                return remove(path, .delete, now: now)
            } catch {
                counters.countDelete(false)
                throw error
            }
        }
    }

    /// Removes a file, if it is as `expected`.
    ///
    /// Throws `keyNotFound`, `notFile`, `compareFailed`.
    package func compareAndDelete(
        _ path: UnsafeRawBufferPointer, _ expected: Comparison, now: Int64
    ) throws(StoreError) -> Event {
        try onCleanPath(path) { path throws(StoreError) in
            do throws(StoreError) {
                try check(try tree.item(at: path), at: path, expected)
                counters.countCompareAndDelete(true)
                return remove(path, .compareAndDelete, now: now)
            } catch {
                counters.countCompareAndDelete(false)
                throw error
            }
        }
    }

    /// Removes everything whose expiration is not after `now`, earliest first, a directory with
    /// its content; each removal is an event of its own. Called for each SYNC entry and by nobody
    /// else: whether something has expired is for the log to say, not for a clock.
    ///
    /// - Returns: how many events.
    @discardableResult
    package func expire(upTo now: Int64) -> Int {
        removedContent = RemovedContent()
        var count = 0
        while let entry = queue.first(dueAt: now) {
            entry.path.withUnsafeBytes { path in
                if isStale(entry) { return queue.remove(entry.expiration, path) }
                _ = remove(path, .expire, now: now)
                counters.expireCount += 1
                count += 1
            }
        }
        queue.sweep(limit: Self.sweepLimit) { isStale($0) }
        return count
    }

    /// Entries of the expiry queue looked at per call: some 100 µs.
    private static let sweepLimit = 512

    private func isStale(_ entry: ExpiryQueue.Entry) -> Bool {
        entry.path.withUnsafeBytes { path in
            guard case .found(let item) = tree.find(path) else { return true }
            return item.takeUnretainedValue().expiration != entry.expiration
        }
    }

    /// Removes what is at `path`.
    private func remove(_ path: UnsafeRawBufferPointer, _ action: Action, now: Int64) -> Event {
        let item = tree.remove(path)
        if item.expiration != 0 { queue.remove(item.expiration, path) }
        guard item.isDirectory else {
            return finish(action, path, node: nil, previous: item, now: now)
        }
        let previous = item.withoutChildren(modifiedIndex: item.modifiedIndex)
        if item.children != nil {
            queue.directoryRemoved()
            removedContent.add(item)
        }
        return finish(action, path, node: nil, previous: previous, removed: item, now: now)
    }
}
