import Raft
import RaftModel

/// What a member of a test has durably. Batches are written in their order, or torn by a crash.
struct TestDisk {
    private(set) var hardState = HardState.empty
    private(set) var snapshot = Snapshot()
    private(set) var entries: [Entry] = []
    /// Set for a disk that lost a part of its log.
    var isRejoining = false

    init(snapshot: Snapshot) { self.snapshot = snapshot }

    init(hardState: HardState, snapshot: Snapshot, entries: [Entry]) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
    }

    /// A new cluster of members 1, 2, …: each one's log begins with the entries that add them all,
    /// so that one who joins later learns of them.
    static func bootstrapped(_ count: Int) -> TestDisk {
        let entries = (1...UInt64(count)).map { number in
            let change = ConfChange(kind: .add, member: MemberID(number))
            return Entry(kind: .confChange, term: 1, index: number, data: change.encoded())
        }
        return TestDisk(
            hardState: HardState(term: 1, commit: UInt64(count)), snapshot: Snapshot(),
            entries: entries)
    }

    var lastIndex: UInt64 { snapshot.metadata.index + UInt64(entries.count) }

    func term(at index: UInt64) -> UInt64? {
        if index == snapshot.metadata.index { return snapshot.metadata.term }
        guard index > snapshot.metadata.index, index <= lastIndex else { return nil }
        return entries[Int(index - snapshot.metadata.index) - 1].term
    }

    func holds(_ index: UInt64, _ term: UInt64) -> Bool {
        index <= snapshot.metadata.index || self.term(at: index) == term
    }

    /// Rot takes the log's last `count` entries; the vote is kept elsewhere.
    mutating func loseEntries(_ count: Int) {
        entries.removeLast(count)
        isRejoining = true
    }

    /// How many records a batch is written as: its snapshot, each entry, its hard state.
    static func recordCount(of batch: Raft.PersistBatch) -> Int {
        (batch.snapshot == nil ? 0 : 1) + batch.entries.count + (batch.hardState == nil ? 0 : 1)
    }

    /// Writes the first `count` records of a batch.
    mutating func write(_ batch: Raft.PersistBatch, records count: Int = .max) {
        var left = count
        func takeOne() -> Bool {
            left -= 1
            return left >= 0
        }
        if let new = batch.snapshot, takeOne() {
            let index = new.metadata.index
            if term(at: index) == new.metadata.term, index >= snapshot.metadata.index {
                entries.removeFirst(Int(index - snapshot.metadata.index))
            } else {
                entries = []
            }
            snapshot = new
        }
        for entry in batch.entries where takeOne() {
            precondition(entry.index > snapshot.metadata.index && entry.index <= lastIndex + 1)
            entries.removeSubrange(Int(entry.index - snapshot.metadata.index - 1)...)
            entries.append(entry)
        }
        if let new = batch.hardState, takeOne() { hardState = new }
    }

    /// Replaces the log up to the snapshot's index by it, as after a compaction.
    mutating func compact(to new: Snapshot) {
        guard new.metadata.index > snapshot.metadata.index else { return }
        entries.removeFirst(Int(new.metadata.index - snapshot.metadata.index))
        snapshot = new
    }

    /// As the owner hands it to `Raft` at a start.
    var restored: Raft.RestoredState {
        var hardState = hardState
        hardState.commit = min(hardState.commit, lastIndex)
        return Raft.RestoredState(
            hardState: hardState, snapshot: snapshot.metadata, entries: entries,
            isRejoining: isRejoining)
    }
}
