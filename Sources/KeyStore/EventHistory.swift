/// The last events of the store, without a gap, bounded by count and by the memory they keep.
///
/// A ring of chunks of 1024. Beside each event are two hashes of its key (`PathSignature`), so
/// that a late watcher's place is found by scanning 12 bytes an event (100,000 of them in some
/// 100 µs) instead of the events. Copying the value is cheap, for a snapshot.
package struct EventHistory: Sendable {
    fileprivate struct Chunk {
        static let capacity = 1024
        /// Nil where the event has been dropped.
        var events: [Event?] = []
        /// `PathSignature.exact`, plus `removalBit`.
        var exact: [UInt32] = []
        /// `PathSignature.ancestry`.
        var ancestry: [UInt64] = []

        init() {
            events.reserveCapacity(Self.capacity)
            exact.reserveCapacity(Self.capacity)
            ancestry.reserveCapacity(Self.capacity)
        }
    }

    /// The event removed a directory, and so matches watchers below its key as well.
    private static let removalBit: UInt32 = 1 << 31

    private let eventsMax: Int
    private let bytesMax: Int
    private var chunks: [Chunk] = []
    /// Where in the first chunk the oldest event is.
    private var start = 0
    package private(set) var count = 0
    /// Memory that the events keep, as `Event.footprintBytes` counts it.
    package private(set) var bytesCount = 0
    /// Index of the newest event. With no event kept, the store's index.
    package private(set) var lastIndex: UInt64

    /// Of what keys the events before `oldestIndex` were.
    package internal(set) var dropped: DroppedEvents

    /// The index of the oldest event that is kept.
    package var oldestIndex: UInt64 { lastIndex - UInt64(count) + 1 }

    init(
        eventsMax: Int, bytesMax: Int, keysMax: Int = DroppedEvents.keysMax, lastIndex: UInt64
    ) {
        precondition(eventsMax > 0 && bytesMax > 0 && keysMax > 0)
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
        self.lastIndex = lastIndex
        dropped = DroppedEvents(unknownThrough: lastIndex, keysMax: keysMax)
    }

    /// Adds the event of the next index; drops the oldest while there is too much. The newest is
    /// kept in any case.
    mutating func append(_ event: Event) {
        precondition(event.index == lastIndex + 1, "each index has one event")
        if chunks.isEmpty || chunks[chunks.count - 1].events.count == Chunk.capacity {
            chunks.append(Chunk())
        }
        let signature = PathSignature(event.key)
        let last = chunks.count - 1
        chunks[last].events.append(event)
        chunks[last].exact.append(
            signature.exact | (event.removesDirectory ? Self.removalBit : 0))
        chunks[last].ancestry.append(signature.ancestry)
        lastIndex += 1
        count += 1
        bytesCount += event.footprintBytes
        while count > eventsMax || (bytesCount > bytesMax && count > 1) { dropOldest() }
    }

    private mutating func dropOldest() {
        guard let event = chunks[0].events[start] else {
            preconditionFailure("events from `start` on are kept")
        }
        dropped.add(event)
        bytesCount -= event.footprintBytes
        chunks[0].events[start] = nil
        count -= 1
        start += 1
        if start == Chunk.capacity {
            chunks.removeFirst()
            start = 0
        }
    }

    /// The event of `index`, if it is kept.
    package subscript(index: UInt64) -> Event? {
        guard index >= oldestIndex, index <= lastIndex else { return nil }
        let (chunk, slot) = position(of: index)
        return chunks[chunk].events[slot]
    }

    private func position(of index: UInt64) -> (chunk: Int, slot: Int) {
        let offset = start + Int(index - oldestIndex)
        return (offset / Chunk.capacity, offset % Chunk.capacity)
    }
}

// MARK: - Search

extension EventHistory {
    /// What a watcher asks for.
    struct Query {
        let path: UnsafeRawBufferPointer
        let isRecursive: Bool
        fileprivate let signature: PathSignature
        /// `exact` of the path and all above it; empty: too many to be worth comparing.
        fileprivate let lineage: [UInt32]

        private static let lineageMax = 32

        init(path: UnsafeRawBufferPointer, isRecursive: Bool) {
            var lineage: [UInt32] = []
            signature = PathSignature(path) { hash in
                if lineage.count <= Self.lineageMax { lineage.append(hash) }
            }
            self.path = path
            self.isRecursive = isRecursive
            self.lineage = lineage.count <= Self.lineageMax ? lineage : []
        }

        /// The rule for events of the past: the key itself; below it, if recursive; and the
        /// removal of a directory that holds or would hold it. Hidden keys are not filtered.
        func matches(_ event: Event) -> Bool {
            if event.isRefresh { return false }
            let key = event.key
            if isRecursive ? StorePath.isAtOrBelow(key, path) : Bytes.equal(key, path) {
                return true
            }
            return event.removesDirectory && StorePath.isAtOrBelow(path, key)
        }

        @inline(__always)
        fileprivate func mayMatch(exact: UInt32, ancestry: UInt64) -> Bool {
            if exact & ~removalBit == signature.exact { return true }
            if isRecursive && ancestry & signature.ownBits == signature.ownBits { return true }
            return exact & removalBit != 0 && mayLieBelow(exact & ~removalBit)
        }

        private func mayLieBelow(_ exact: UInt32) -> Bool {
            lineage.isEmpty || lineage.contains(exact)
        }
    }

    /// The first event at or after `index` that `query` asks for. `index` must not be older than
    /// `oldestIndex`; it may lie in the future.
    func first(_ query: Query, from index: UInt64) -> Event? {
        precondition(index >= oldestIndex)
        guard index <= lastIndex else { return nil }
        var (chunk, slot) = position(of: index)
        while chunk < chunks.count {
            if let event = chunks[chunk].first(query, from: slot) { return event }
            chunk += 1
            slot = 0
        }
        return nil
    }
}

extension EventHistory.Chunk {
    fileprivate func first(_ query: EventHistory.Query, from start: Int) -> Event? {
        exact.withUnsafeBufferPointer { exact in
            ancestry.withUnsafeBufferPointer { ancestry in
                for slot in start..<exact.count
                where query.mayMatch(exact: exact[slot], ancestry: ancestry[slot]) {
                    if let event = events[slot], query.matches(event) { return event }
                }
                return nil
            }
        }
    }
}
