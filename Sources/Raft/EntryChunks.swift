import DequeModule
import RaftModel

/// Entries in a row, in pieces of a fixed size: appending never moves what is there, and dropping a
/// million of them from the front takes no longer than dropping one.
///
///      chunk 0                chunk 1              chunk 2
///     ┌─────────┬──────────┐ ┌───────────────────┐ ┌──────────┐
///     │ skipped │ position │ │                   │ │          │  only the last may be short
///     └─────────┴──────────┘ └───────────────────┘ └──────────┘
///               0 …
///
/// In one array, growing past a power of two copied everything, and letting go of a long log freed
/// every entry at once: with a million entries each stopped a member for 70 to 90 ms. What is
/// dropped here is freed bit by bit, by `release`.
struct EntryChunks: Sendable {
    static let chunkEntries = 512

    private var chunks = Deque<[Entry]>()
    /// Entries at the front of the first chunk that are dropped already.
    private var skipped = 0
    private(set) var count = 0
    /// Dropped, and not freed yet.
    private var dropped: [[Entry]] = []

    init(_ entries: [Entry] = []) { append(entries) }

    var last: Entry? { chunks.last?.last }

    /// The entry at `position`, counted from the first that is not dropped.
    subscript(position: Int) -> Entry {
        _read {
            precondition(position >= 0 && position < count, "no such entry")
            let slot = position + skipped
            yield chunks[slot / Self.chunkEntries][slot % Self.chunkEntries]
        }
    }

    mutating func append(_ entries: [Entry]) {
        var next = 0
        while next < entries.count {
            if chunks.last.map({ $0.count == Self.chunkEntries }) ?? true {
                var chunk: [Entry] = []
                chunk.reserveCapacity(Self.chunkEntries)
                chunks.append(chunk)
            }
            let place = chunks.count - 1
            let end = min(entries.count, next + Self.chunkEntries - chunks[place].count)
            chunks[place] += entries[next..<end]
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
            out += chunks[chunk][first..<last]
            slot += last - first
        }
        return out
    }

    /// Drops everything from `position` on.
    mutating func removeAll(from position: Int) {
        precondition(position >= 0 && position <= count, "no such entry")
        let slots = position + skipped
        while chunks.count * Self.chunkEntries >= slots + Self.chunkEntries {
            chunks.removeLast()
        }
        let rest = slots % Self.chunkEntries
        if rest > 0 { chunks[chunks.count - 1].removeSubrange(rest...) }
        count = position
        if count == 0 { drop() }
    }

    /// Drops the first `dropCount` entries. They are freed later.
    mutating func removeFirst(_ dropCount: Int) {
        precondition(dropCount >= 0 && dropCount <= count, "no such entries")
        guard dropCount < count else { return drop() }
        skipped += dropCount
        count -= dropCount
        while skipped >= Self.chunkEntries {
            dropped.append(chunks.removeFirst())
            skipped -= Self.chunkEntries
        }
    }

    /// Drops all.
    mutating func removeAll() { drop() }

    private mutating func drop() {
        dropped += chunks
        chunks.removeAll()
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
