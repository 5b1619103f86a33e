/// What a write puts in the place of what is there.
package struct Update {
    /// Borrowed; not looked at by a refresh.
    package var value: UnsafeRawBufferPointer
    /// Unix nanoseconds; 0: permanent.
    package var expiration: Int64
    /// Keeps the value there is, and tells no watcher.
    package var isRefresh: Bool

    package init(value: UnsafeRawBufferPointer, expiration: Int64 = 0, isRefresh: Bool = false) {
        self.value = value
        self.expiration = expiration
        self.isRefresh = isRefresh
    }
}

/// The operations that write. Each either succeeds, uses one index and makes one event, or throws
/// and has changed nothing but a counter. All of them throw `notDirectory` if a file is on the
/// way, and `rootReadOnly` for `/`, `/0` and `/1` (cause `/`), except `compareAndDelete`.
extension Store {
    /// Makes or replaces a file, or makes a directory, in the place of a file if there is one.
    ///
    /// Throws `notFile` if a directory is there, `keyNotFound` for a refresh of what is not there.
    package func set(
        _ path: UnsafeRawBufferPointer, _ update: Update, isDirectory: Bool = false, now: Int64
    ) throws(StoreError) -> Event {
        try onCleanPath(path) { path throws(StoreError) in
            do throws(StoreError) {
                let event = try place(
                    path, update, isDirectory: isDirectory, action: .set, now: now)
                counters.setsSuccess += 1
                return event
            } catch {
                counters.setsFail += 1
                throw error
            }
        }
    }

    /// Makes a file or directory where nothing is.
    ///
    /// - Parameter isUnique: make it a child of `path`, which need not exist, named by the index
    ///   of this write in 20 digits.
    ///
    /// Throws `nodeExists`.
    package func create(
        _ path: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, isDirectory: Bool = false,
        isUnique: Bool = false, expiration: Int64 = 0, now: Int64
    ) throws(StoreError) -> Event {
        try onCleanPath(path) { path throws(StoreError) in
            let update = Update(value: value, expiration: expiration)
            do throws(StoreError) {
                let event =
                    isUnique
                    ? try createChild(of: path, update, isDirectory: isDirectory, now: now)
                    : try place(path, update, isDirectory: isDirectory, action: .create, now: now)
                counters.countCreate(true)
                return event
            } catch {
                counters.countCreate(false)
                throw error
            }
        }
    }

    private func createChild(
        of parent: UnsafeRawBufferPointer, _ update: Update, isDirectory: Bool, now: Int64
    ) throws(StoreError) -> Event {
        var path = [UInt8](parent)
        if path.count > 1 { path.append(StorePath.slash) }
        let digits = String(currentIndex + 1).utf8
        path.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 20 - digits.count))
        path.append(contentsOf: digits)
        return try path.withBytes { path throws(StoreError) in
            try place(path, update, isDirectory: isDirectory, action: .create, now: now)
        }
    }

    /// What `set` and `create` have in common.
    private func place(
        _ path: UnsafeRawBufferPointer, _ update: Update, isDirectory: Bool, action: Action,
        now: Int64
    ) throws(StoreError) -> Event {
        if StorePath.isReadOnly(path) { throw rootReadOnly }
        let index = currentIndex
        let expiration = update.expiration < TimeToLive.expirationMin ? 0 : update.expiration
        let stamp = Item.Stamp(
            createdIndex: index + 1, modifiedIndex: index + 1, expiration: expiration)
        func item(_ value: UnsafeRawBufferPointer) -> Item {
            let name = StorePath.name(path)
            return isDirectory
                ? .directory(name: name, stamp) : .file(name: name, value: value, stamp)
        }
        var (difference, changed) = (ContentSum.none, path)
        let (new, old) = try tree.update(path) { place throws(StoreError) -> (Item, Item?) in
            switch place {
            case .blocked(let end):
                throw StoreError(.notDirectory, cause: path[..<end], index: index)
            case .missing(_, _, let end) where action == .set && update.isRefresh:
                throw StoreError(.keyNotFound, cause: path[..<end], index: index)
            case .missing(let directory, let parentEnd, _):
                let new = item(update.value)
                (difference, changed) = Tree.add(
                    new, at: path, below: directory, parentEnd: parentEnd)
                return (new, nil)
            case .found where action == .create:
                throw StoreError(.nodeExists, cause: path[...], index: index)
            case .found(let slot):
                let old = slot.pointee
                if old.isDirectory {
                    throw StoreError(.notFile, cause: path[...], index: index)
                }
                slot.pointee = item(update.isRefresh ? old.value : update.value)
                difference = .of(slot.pointee, at: path) - .of(old, at: path)
                return (slot.pointee, old)
            }
        }
        tree.add(difference, above: changed)
        reschedule(path, from: old?.expiration ?? 0, to: expiration)
        return finish(
            action, path, node: new, previous: old, now: now,
            isRefresh: action == .set && update.isRefresh)
    }

    /// Gives a file a new value and expiration, or a directory a new expiration. The event gives
    /// a directory a new `modifiedIndex`, which the directory itself does not get.
    ///
    /// Throws `keyNotFound`; `notFile` for a value given to a directory.
    package func update(
        _ path: UnsafeRawBufferPointer, _ update: Update, now: Int64
    ) throws(StoreError) -> Event {
        try onCleanPath(path) { path throws(StoreError) in
            do throws(StoreError) {
                if StorePath.isReadOnly(path) { throw rootReadOnly }
                let event = try replace(path, update, .update, now: now) {
                    old throws(StoreError) in
                    if old.isDirectory, !update.value.isEmpty {
                        throw StoreError(.notFile, cause: path[...], index: currentIndex)
                    }
                }
                counters.countUpdate(true)
                return event
            } catch {
                counters.countUpdate(false)
                throw error
            }
        }
    }

    /// Gives a file a new value and expiration, if it is as `expected`.
    ///
    /// Throws `keyNotFound`, `notFile`, `compareFailed`.
    package func compareAndSwap(
        _ path: UnsafeRawBufferPointer, _ expected: Comparison, _ update: Update, now: Int64
    ) throws(StoreError) -> Event {
        try onCleanPath(path) { path throws(StoreError) in
            do throws(StoreError) {
                if StorePath.isReadOnly(path) { throw rootReadOnly }
                let event = try replace(path, update, .compareAndSwap, now: now) {
                    old throws(StoreError) in
                    try check(old, at: path, expected)
                }
                counters.countCompareAndSwap(true)
                return event
            } catch {
                counters.countCompareAndSwap(false)
                throw error
            }
        }
    }

    /// What `update` and `compareAndSwap` have in common: `createdIndex` stays.
    private func replace(
        _ path: UnsafeRawBufferPointer, _ update: Update, _ action: Action, now: Int64,
        check: (Item) throws(StoreError) -> Void
    ) throws(StoreError) -> Event {
        let found = try tree.item(at: path)
        try check(found)
        let index = currentIndex + 1
        var difference = ContentSum.none
        let (new, old) = tree.update(path) { place in
            guard case .found(let slot) = place else {
                preconditionFailure("a node just found is there")
            }
            let old = slot.pointee
            if old.isDirectory {
                let previous = old.withoutChildren(modifiedIndex: old.modifiedIndex)
                _ = Tree.children(of: slot)  // unshared from here on
                let before = ContentSum.of(slot.pointee, at: path)
                slot.pointee.expiration = update.expiration
                difference = .of(slot.pointee, at: path) - before
                return (slot.pointee.withoutChildren(modifiedIndex: index), previous)
            }
            let stamp = Item.Stamp(
                createdIndex: old.createdIndex, modifiedIndex: index,
                expiration: update.expiration)
            let value = update.isRefresh ? old.value : update.value
            slot.pointee = .file(name: old.name, value: value, stamp)
            difference = .of(slot.pointee, at: path) - .of(old, at: path)
            return (slot.pointee, old)
        }
        tree.add(difference, above: path)
        reschedule(path, from: old.expiration, to: update.expiration)
        return finish(
            action, path, node: new, previous: old, now: now, isRefresh: update.isRefresh)
    }
}

// MARK: - Shared by all writes

extension Store {
    /// Whether a comparison holds: throws `notFile` for a directory, `compareFailed`.
    func check(
        _ item: Item, at path: UnsafeRawBufferPointer, _ expected: Comparison
    ) throws(StoreError) {
        if item.isDirectory {
            throw StoreError(.notFile, cause: path[...], index: currentIndex)
        }
        let index = item.modifiedIndex
        let valueMatches = expected.value.isEmpty || Bytes.equal(expected.value, item.value)
        let indexMatches = expected.index == 0 || expected.index == index
        if valueMatches && indexMatches { return }
        var cause: [UInt8] = []
        if !valueMatches {
            cause += [UInt8(ascii: "[")] + expected.value + Array(" != ".utf8) + item.value
            cause.append(UInt8(ascii: "]"))
        }
        if !indexMatches {
            cause += Array("\(valueMatches ? "" : " ")[\(expected.index) != \(index)]".utf8)
        }
        throw StoreError(.compareFailed, cause: cause, index: currentIndex)
    }

    var rootReadOnly: StoreError {
        StoreError(.rootReadOnly, cause: [StorePath.slash], index: currentIndex)
    }

    @inline(__always)
    func onCleanPath<R>(
        _ path: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) throws(StoreError) -> R
    ) throws(StoreError) -> R {
        if StorePath.isClean(path) { return try body(path) }
        let clean = StorePath.cleaned(path)
        return try clean.withBytes { path throws(StoreError) in try body(path) }
    }

    @inline(__always)
    func reschedule(_ path: UnsafeRawBufferPointer, from old: Int64, to new: Int64) {
        if old == new { return }
        if old != 0 { queue.remove(old, path) }
        if new != 0 { queue.insert(new, path) }
    }

    /// The write is done: gives it its index, writes it into the history, finds its watchers.
    ///
    /// - Parameter removed: the item taken out of the tree, with its content.
    @inline(__always)
    func finish(
        _ action: Action, _ path: UnsafeRawBufferPointer, node: Item?, previous: Item?,
        removed: Item? = nil, now: Int64, isRefresh: Bool = false
    ) -> Event {
        let facts = Event.Facts(
            index: currentIndex + 1, timeBase: now, node: node, previous: previous, keyCount: 0,
            action: action, isRefresh: isRefresh)
        let event = Event(facts, key: path)
        tree.index += 1
        history.append(event)
        if !isRefresh { hub.notify(event, removed: removed) }
        return event
    }
}
