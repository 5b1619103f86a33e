import RaftModel

extension Entry {
    /// What an entry counts for in every bound on bytes: its data, and about what it takes besides
    /// on the wire and in memory.
    var costBytes: Int { Self.costBytes(dataCount: data.count) }

    static func costBytes(dataCount: Int) -> Int { dataCount + 32 }
}

/// The log as this member holds it in memory: everything after `offset`.
///
///        offset              emitted          lastIndex
///     ─────┤ compacted ├───────┼────────────────┤
///          │  firstIndex ...   │  not handed    │
///          │                   │  out to disk   │
///
/// Reading out of `offset ... lastIndex` gives nil or an empty slice; writing there traps.
struct RaftLog: Sendable {
    /// The last index that was compacted away, or that the snapshot stands for; its term is known.
    private(set) var offset: UInt64
    private(set) var offsetTerm: UInt64
    /// Handed out to be made durable up to here.
    private(set) var emitted: UInt64
    private var entries: EntryChunks
    private var lastSlice = Slice()

    /// The slice that was cut last. Followers that keep up, and the disk, ask for the same one.
    private struct Slice: Sendable {
        var first: UInt64 = 0
        var bytes = 0
        var entries: [Entry] = []
    }

    /// Everything in `entries` is durable already.
    init(offset: UInt64, term: UInt64, entries: [Entry]) {
        self.offset = offset
        offsetTerm = term
        self.entries = EntryChunks(entries)
        emitted = offset + UInt64(entries.count)
        var expected = (index: offset, term: term)
        for entry in entries {
            expected.index += 1
            precondition(entry.index == expected.index, "the log has a gap before \(entry.index)")
            precondition(entry.term >= expected.term, "terms go back at \(entry.index)")
            expected.term = entry.term
        }
    }

    var firstIndex: UInt64 { offset + 1 }
    var lastIndex: UInt64 { offset + UInt64(entries.count) }
    var lastTerm: UInt64 { term(at: lastIndex) ?? offsetTerm }
    var last: Raft.LogPosition { Raft.LogPosition(index: lastIndex, term: lastTerm) }

    /// Nil for what is compacted away or not there yet.
    func term(at index: UInt64) -> UInt64? {
        guard index >= offset, index <= lastIndex else { return nil }
        return index == offset ? offsetTerm : entries.term(at: position(index))
    }

    func costBytes(at index: UInt64) -> Int { costBytes(atPosition: position(index)) }

    private func costBytes(atPosition position: Int) -> Int {
        Entry.costBytes(dataCount: entries.dataCount(at: position))
    }

    private func position(_ index: UInt64) -> Int {
        assert(index > offset && index <= lastIndex + 1)
        return Int(index - firstIndex)
    }

    /// Appends entries that already have their terms and indices.
    mutating func append(_ new: [Entry]) {
        guard let first = new.first else { return }
        precondition(first.index == lastIndex + 1, "entries are appended without gaps")
        precondition(first.term >= lastTerm, "terms never go back")
        entries.append(new)
        entries.release(chunks: 1)
        if emitted + 1 == first.index {
            lastSlice = Slice(first: first.index, bytes: Self.cost(of: new), entries: new)
        }
    }

    /// Forgets everything from `index` on.
    mutating func truncate(from index: UInt64) {
        precondition(index > offset && index <= lastIndex, "nothing to cut at \(index)")
        entries.removeAll(from: position(index))
        emitted = min(emitted, index - 1)
        lastSlice = Slice()
    }

    /// Forgets everything up to and with `index`; its memory is given back with the appends and
    /// ticks that follow.
    mutating func compact(through index: UInt64) {
        precondition(index >= offset && index <= emitted, "only what is out may be compacted")
        guard let term = term(at: index), index > offset else { return }
        entries.removeFirst(Int(index - offset))
        (offset, offsetTerm) = (index, term)
        lastSlice = Slice()
    }

    /// Forgets everything: the log begins after this snapshot.
    mutating func restart(after snapshot: SnapshotMetadata) {
        entries.removeAll()
        (offset, offsetTerm) = (snapshot.index, snapshot.term)
        emitted = snapshot.index
        lastSlice = Slice()
    }

    /// Cuts the entries from `first` on, through `through` at most, that together cost up to
    /// `bytesMax`, but one at least if there is one.
    mutating func slice(
        from first: UInt64, through: UInt64, bytesMax: Int
    ) -> (entries: [Entry], bytes: Int) {
        precondition(first > offset && through <= lastIndex, "no such entries")
        guard first <= through else { return ([], 0) }
        let wanted = Int(through - first) + 1
        if lastSlice.first == first, lastSlice.entries.count == wanted,
            lastSlice.bytes <= bytesMax
        {
            return (lastSlice.entries, lastSlice.bytes)
        }
        let start = position(first)
        var (end, bytes) = (start + 1, costBytes(atPosition: start))
        while end < start + wanted {
            let cost = costBytes(atPosition: end)
            if bytes + cost > bytesMax { break }
            bytes += cost
            end += 1
        }
        lastSlice = Slice(first: first, bytes: bytes, entries: entries.array(start..<end))
        return (lastSlice.entries, bytes)
    }

    /// Hands out what was not handed out before, to be made durable.
    mutating func takeUnemitted() -> [Entry] {
        guard emitted < lastIndex else { return [] }
        let (entries, _) = slice(from: emitted + 1, through: lastIndex, bytesMax: .max)
        emitted = lastIndex
        return entries
    }

    /// The last index at or before `index` whose term is `term` or less: where a log that has
    /// `term` at `index` may still agree with this one. At least `offset`.
    func lastIndex(ofTermUpTo term: UInt64, atOrBefore index: UInt64) -> UInt64 {
        // Terms never go back, so halving finds the border.
        var (low, high) = (offset, max(offset, min(index, lastIndex)))
        while low < high {
            let middle = low + (high - low + 1) / 2
            if self.term(at: middle).map({ $0 <= term }) ?? false {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }

    /// The indices of the conf changes after `index`, in ascending order.
    func confChanges(after index: UInt64) -> [UInt64] {
        let first = max(index + 1, firstIndex)
        guard first <= lastIndex else { return [] }
        return (first...lastIndex).filter { entries.kind(at: position($0)) == .confChange }
    }

    /// What the entries from `first` through `last` cost together.
    func bytes(from first: UInt64, through last: UInt64) -> Int {
        let (first, last) = (max(first, firstIndex), min(last, lastIndex))
        guard first <= last else { return 0 }
        return (position(first)...position(last)).reduce(0) { $0 + costBytes(atPosition: $1) }
    }

    /// A heartbeat interval has passed: gives back some of what was forgotten, and packs some of what
    /// has been applied.
    mutating func tick(applied index: UInt64) {
        entries.release(chunks: 16)
        pack(through: index, chunks: 16)
    }

    /// The owner has applied everything up to `index`: it may be packed. Followers that are behind, and
    /// still need it, are sent copies.
    mutating func applied(through index: UInt64) { pack(through: index, chunks: 1) }

    /// The last entry that is packed, or `offset`.
    var packedIndex: UInt64 { offset + UInt64(entries.looseStart) }

    private mutating func pack(through index: UInt64, chunks: Int) {
        let settled = min(index, emitted)
        guard settled > offset else { return }
        entries.pack(before: position(settled + 1), chunks: chunks)
    }

    private static func cost(of entries: [Entry]) -> Int {
        entries.reduce(0) { $0 + $1.costBytes }
    }
}
