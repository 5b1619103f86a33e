import RaftModel
@testable import Storage
import StorageIO
import Testing

/// A long life of a log: saves, cuts, snapshots, releases and recyclings, as a seed says; and
/// what a restart at any moment of it may find.
///
/// `contents` holds what the log amounts to behind the oldest kept snapshot, after each append
/// that is not promised yet; a restart may find any of them from `promised` on, nothing else.
final class LogLifeModel: @unchecked Sendable {
    typealias Log = WAL<SimulatedStorage>

    private(set) var random: SplitMix64
    private(set) var contents = [LogContent()]
    /// What `contents` leaves out: the index of the oldest kept snapshot.
    private(set) var base: UInt64 = 0
    /// Snapshots whose files are durable, oldest first; two are kept.
    private(set) var snapshots: [WALSnapshotRecord] = []
    private var written = 0
    private var heldRelease: SegmentRelease<SimulatedStorage>?
    private(set) var recycledCount = 0
    private(set) var removedCount = 0
    private(set) var operationCount = 0

    /// Set: its disk is full now and then.
    var crampedStorage: SimulatedStorage?
    private(set) var waitCount = 0

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// The snapshot that a restart begins with.
    var newest: WALSnapshotRecord { snapshots.last ?? .none }
    var oldest: WALSnapshotRecord { snapshots.first ?? .none }
    private var lastIndex: UInt64 {
        contents[contents.count - 1].entries.last?.index ?? base
    }

    // MARK: Living

    func work(on wal: Log, steps: Int) throws {
        wal.waitForSpace = { [unowned self] in
            waitCount += 1
            crampedStorage?.capacityBytes = nil
            return crampedStorage != nil
        }
        for _ in 0..<steps {
            operationCount += 1
            if let crampedStorage, random.chance(percent: 10) {
                crampedStorage.capacityBytes = random.coin() ? nil : 4096 * random.below(12)
            }
            try runJobs(wal)
            try step(wal)
        }
    }

    private func step(_ wal: Log) throws {
        switch random.below(20) {
        case 0: return try wal.markIdle()
        case 1...2:
            try saveCommit(wal)
            try wal.write()
            written = contents.count - 1
            return
        case 3...4:
            try saveEntries(wal)
            try saveEntries(wal)
        case 5...6: return try snapshot(wal)
        default: try saveEntries(wal)
        }
        try wal.sync()
        promise()
    }

    private func promise() {
        contents.removeFirst(contents.count - 1)
        written = 0
    }

    private func runJobs(_ wal: Log) throws {
        if random.chance(percent: 80), let job = wal.nextPreparation() {
            wal.prepared(try unlessFull(job.run), by: job)
        }
        if random.chance(percent: 30), let job = wal.nextReserve() {
            wal.reserveMade(try unlessFull(job.run) != nil)
        }
        if random.chance(percent: 70), let job = wal.nextArchiving() {
            let result = job.run()
            if case .failure(let error) = result {
                guard case .storage(let error) = error.code, error.isOutOfSpace else { throw error }
            }
            wal.archived(result, by: job)
        }
        // A release may lie about for a while, and the log goes on.
        if heldRelease == nil { heldRelease = wal.nextRelease() }
        guard random.chance(percent: 60), let job = heldRelease else { return }
        let outcome = job.run()
        if let error = outcome.error { throw error }
        heldRelease = nil
        wal.released(outcome)
        recycledCount += outcome.gone.count { $0.recycledPath != nil }
        removedCount += outcome.gone.count { $0.recycledPath == nil }
    }

    private func unlessFull<Result>(
        _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result? {
        do throws(StorageError) { return try body() } catch  where error.isOutOfSpace {
            return nil
        }
    }

    private func saveCommit(_ wal: Log) throws {
        var content = contents[contents.count - 1]
        guard content.hardState.term > 0 else { return }
        let room = lastIndex - min(lastIndex, content.hardState.commit)
        content.hardState.commit += UInt64(random.below(Int(room) + 1))
        contents.append(content)
        try wal.append(hardState: content.hardState, entries: [])
    }

    private func saveEntries(_ wal: Log) throws {
        var content = contents[contents.count - 1]
        var state = content.hardState
        let isStateGiven = state.term == 0 || random.chance(percent: 60)
        if isStateGiven {
            state.term = max(1, state.term + UInt64(random.below(2)))
            state.vote = MemberID(UInt64(random.below(3)))
            state.commit = max(state.commit, lastIndex - min(lastIndex, 6))
        }
        // From somewhere behind the commit on: a new leader replaces a tail.
        let kept = lastIndex - min(lastIndex, max(state.commit, base))
        let back = random.chance(percent: 20) ? UInt64(random.below(Int(kept) + 1)) : 0
        let first = lastIndex - back + 1
        let entries = (0..<UInt64(1 + random.below(3))).map { i in
            let size = random.chance(percent: 10) ? random.below(3000) : random.below(200)
            // Few different bytes: what is written again is often what was there before.
            let data = [UInt8](repeating: UInt8(random.below(4)), count: size)
            return Entry(term: state.term, index: first + i, data: data)
        }
        content.save(isStateGiven ? state : nil, entries)
        contents.append(content)
        try wal.append(hardState: isStateGiven ? state : nil, entries: entries)
    }

    /// Its file is durable before the log names it; then older ones go, and the log behind them.
    private func snapshot(_ wal: Log) throws {
        let content = contents[contents.count - 1]
        let index = content.hardState.commit
        guard index > newest.index, index > base else { return }
        let term = content.entries[Int(index - base) - 1].term
        let record = WALSnapshotRecord(index: index, term: term)
        snapshots.append(record)
        try wal.append(record)
        try wal.sync()
        promise()
        guard snapshots.count > 2 else { return }
        snapshots.removeFirst()
        base = oldest.index
        for i in contents.indices { contents[i].entries.removeAll { $0.index <= base } }
        wal.release(through: base)
    }

    // MARK: Judging

    /// Whether `log`, read from `snapshot`, is one of those that a restart may find.
    func permits(
        _ log: RecoveredLog, from snapshot: WALSnapshotRecord, afterKill: Bool = false
    ) -> Bool {
        contents[(afterKill ? written : 0)...].contains { content in
            var expected = content
            expected.entries.removeAll { $0.index <= snapshot.index }
            expected.hardState.commit = max(expected.hardState.commit, snapshot.index)
            return expected == log.content
        }
    }

    /// Takes what a restart found, which began with the newest snapshot, for what is there.
    func restart(with log: RecoveredLog) {
        heldRelease = nil
        let kept = contents[contents.count - 1].entries.filter { $0.index <= newest.index }
        contents = [LogContent(entries: kept + log.entries, hardState: log.hardState)]
        written = 0
    }
}
