import DequeModule
import RaftModel

/// What is on its way to the disk, and what waits for it.
///
/// Batches are numbered in the order in which they are handed out and reported. Entries that are
/// overwritten while their batch is on its way must not count when it arrives: `truncated(from:)`
/// takes them out of it.
struct Durability: Sendable {
    private struct Batch: Sendable {
        var sequence: UInt64
        /// The log is durable up to here once the batch is; 0: it brings no entries that count.
        var lastIndex: UInt64
        var snapshotIndex: UInt64
    }

    private struct Held: Sendable {
        var sequence: UInt64
        var message: Message
    }

    /// The last batch handed out, the last of those that must be synced, the last reported.
    private(set) var issued: UInt64 = 0
    private(set) var issuedSync: UInt64 = 0
    private(set) var reported: UInt64 = 0
    /// This member's log is durable up to here.
    private(set) var lastIndex: UInt64
    private var batches = Deque<Batch>()
    private var held = Deque<Held>()

    init(lastIndex: UInt64) { self.lastIndex = lastIndex }

    /// Numbers a batch that brings the log up to `lastIndex`.
    mutating func issue(lastIndex: UInt64, snapshotIndex: UInt64, needsSync: Bool) -> UInt64 {
        issued += 1
        if needsSync {
            issuedSync = issued
            batches.append(
                Batch(sequence: issued, lastIndex: lastIndex, snapshotIndex: snapshotIndex))
        }
        return issued
    }

    /// Takes a report. Returns the index of a snapshot that is installed now; 0: none.
    mutating func persisted(through sequence: UInt64) -> UInt64 {
        precondition(sequence <= issued, "batch \(sequence) was never handed out")
        reported = max(reported, sequence)
        var installed: UInt64 = 0
        while let batch = batches.first, batch.sequence <= sequence {
            lastIndex = max(lastIndex, batch.lastIndex)
            installed = max(installed, batch.snapshotIndex)
            batches.removeFirst()
        }
        return installed
    }

    /// Entries from `index` on are gone from the log: on disk they no longer stand for it.
    mutating func truncated(from index: UInt64) {
        lastIndex = min(lastIndex, index - 1)
        for i in batches.indices {
            batches[i].lastIndex = min(batches[i].lastIndex, index - 1)
        }
    }

    /// A snapshot took the whole log's place: nothing on its way counts any more.
    mutating func restarted() {
        lastIndex = 0
        for i in batches.indices { (batches[i].lastIndex, batches[i].snapshotIndex) = (0, 0) }
    }

    /// Keeps a message until batch `sequence` is durable.
    mutating func hold(_ message: Message, until sequence: UInt64) {
        assert(held.last.map { $0.sequence <= sequence } ?? true, "promises are held in order")
        held.append(Held(sequence: sequence, message: message))
    }

    mutating func takeReleased() -> Message? {
        guard let first = held.first, first.sequence <= reported else { return nil }
        return held.removeFirst().message
    }

    /// The term is over: nobody waits for what was promised in it.
    mutating func dropHeld() { held.removeAll(keepingCapacity: true) }

    /// Whether all that is held waits for a batch that is out, as it must after a `Ready`.
    var isHeldCovered: Bool { held.last.map { $0.sequence <= issued } ?? true }
}
