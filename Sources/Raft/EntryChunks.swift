import DequeModule
import RaftModel

/// Entries in a row, in pieces of a fixed size: appending never moves what is there, and dropping a
/// million of them from the front takes no longer than dropping one.
///
///      chunk 0                chunk 1              chunk 2
///     ┌─────────┬──────────┐ ┌───────────────────┐ ┌──────────┐
///     │ skipped │ position │ │                   │ │          │  only the last may be short
///     └─────────┴──────────┘ └───────────────────┘ └──────────┘
///               0 …              packed ◀── │ ──▶ loose
///
/// Chunks that everybody is likely done with are packed (`PackedEntries`): reading there copies.
///
/// In one array, growing past a power of two copied everything, and letting go of a long log freed
/// every entry at once: with a million entries each stopped a member for 70 to 90 ms. What is
/// dropped here is freed bit by bit, by `release`.
struct EntryChunks: Sendable {
    static let chunkEntries = 512

    private enum Chunk: Sendable {
        case packed(PackedEntries)
        case loose([Entry])
    }

    private var packed = Deque<PackedEntries>()
    private var loose = Deque<[Entry]>()
    /// Entries at the front of the first chunk that are dropped already.
    private var skipped = 0
    private(set) var count = 0
    /// Dropped, and not freed yet.
    private var dropped: [Chunk] = []

    init(_ entries: [Entry] = []) { append(entries) }

    /// The entry at `position`, counted from the first that is not dropped.
    subscript(position: Int) -> Entry { read(position, packed: { $0[$1] }, loose: { $0 }) }

    func term(at position: Int) -> UInt64 {
        read(position, packed: { $0.term(at: $1) }, loose: { $0.term })
    }

    func kind(at position: Int) -> Entry.Kind {
        read(position, packed: { $0.kind(at: $1) }, loose: { $0.kind })
    }

    func dataCount(at position: Int) -> Int {
        read(position, packed: { $0.dataCount(at: $1) }, loose: { $0.data.count })
    }

    private func read<Part>(
        _ position: Int, packed fromPacked: (PackedEntries, Int) -> Part,
        loose fromLoose: (Entry) -> Part
    ) -> Part {
        precondition(position >= 0 && position < count, "no such entry")
        let (chunk, slot) = (position + skipped).quotientAndRemainder(
            dividingBy: Self.chunkEntries)
        if chunk < packed.count { return fromPacked(packed[chunk], slot) }
        return fromLoose(loose[chunk - packed.count][slot])
    }

    mutating func append(_ entries: [Entry]) {
        var next = 0
        while next < entries.count {
            if loose.last.map({ $0.count == Self.chunkEntries }) ?? true {
                var chunk: [Entry] = []
                chunk.reserveCapacity(Self.chunkEntries)
                loose.append(chunk)
            }
            let place = loose.count - 1
            let end = min(entries.count, next + Self.chunkEntries - loose[place].count)
            loose[place] += entries[next..<end]
            next = end
        }
        count += entries.count
    }

    /// The entries in `range`, in an array of their own.
    func array(_ range: Range<Int>) -> [Entry] {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "no such entries")
        var out: [Entry] = []
        out.reserveCapacity(range.count)
        var slot = range.lowerBound + skipped
        let end = range.upperBound + skipped
        while slot < end {
            let (chunk, first) = slot.quotientAndRemainder(dividingBy: Self.chunkEntries)
            let last = min(Self.chunkEntries, first + end - slot)
            if chunk < packed.count {
                for slot in first..<last { out.append(packed[chunk][slot]) }
            } else {
                out += loose[chunk - packed.count][first..<last]
            }
            slot += last - first
        }
        return out
    }

    /// Packs up to `chunkCount` chunks of which no entry is at `position` or behind it; some 30 µs each.
    /// They are never cut again, other than from the front.
    mutating func pack(before position: Int, chunks chunkCount: Int) {
        let settled = (position + skipped) / Self.chunkEntries
        for _ in 0..<max(0, min(chunkCount, settled - packed.count)) {
            packed.append(PackedEntries(loose.removeFirst()))
        }
    }

    /// Where the first entry is that is not packed.
    var looseStart: Int { max(0, packed.count * Self.chunkEntries - skipped) }

    /// Drops everything from `position` on.
    mutating func removeAll(from position: Int) {
        precondition(position >= 0 && position <= count, "no such entry")
        precondition(position >= looseStart, "what has been applied is never cut")
        if position == 0 { return drop() }
        let slots = position + skipped - packed.count * Self.chunkEntries
        while loose.count * Self.chunkEntries >= slots + Self.chunkEntries { loose.removeLast() }
        let rest = slots % Self.chunkEntries
        if rest > 0 { loose[loose.count - 1].removeSubrange(rest...) }
        count = position
    }

    /// Drops the first `dropCount` entries. They are freed later.
    mutating func removeFirst(_ dropCount: Int) {
        precondition(dropCount >= 0 && dropCount <= count, "no such entries")
        guard dropCount < count else { return drop() }
        skipped += dropCount
        count -= dropCount
        while skipped >= Self.chunkEntries {
            dropped.append(
                packed.popFirst().map(Chunk.packed) ?? .loose(loose.removeFirst()))
            skipped -= Self.chunkEntries
        }
    }

    /// Drops all.
    mutating func removeAll() { drop() }

    private mutating func drop() {
        dropped += packed.map(Chunk.packed)
        dropped += loose.map(Chunk.loose)
        packed.removeAll()
        loose.removeAll()
        (skipped, count) = (0, 0)
    }

    /// Frees up to `chunkCount` chunks of what was dropped; half a hundred microseconds each.
    mutating func release(chunks chunkCount: Int) {
        guard !dropped.isEmpty else { return }
        dropped.removeLast(min(chunkCount, dropped.count))
        if dropped.isEmpty { dropped = [] }
    }

    /// Chunks that were dropped and not freed yet.
    var droppedCount: Int { dropped.count }
}
