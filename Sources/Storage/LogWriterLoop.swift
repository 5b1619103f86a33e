import RaftModel
import StorageIO
import Synchronization

/// What the writer's thread has and does. Nobody else calls it.
final class LogWriterLoop<IO: FileStorage> {
    /// One group takes no more than this at once, so that its memory stays bounded.
    private static var groupBytesMax: Int { 16 << 20 }
    /// How long nothing must come in before the writer marks what it synced.
    private static var idleAfter: Duration { .milliseconds(5) }

    typealias Keeper = SegmentKeeper<IO>

    let writer: LogWriter<IO>
    let wal: WAL<IO>
    private let group: GroupCommit<IO>
    let keeper: Keeper
    /// Archiving takes long, and must not keep the next segment waiting.
    let archivist: Keeper?

    /// Whether `.outOfSpace` was said, and `.spaceIsBack` was not.
    var isOutOfSpace = false
    /// Whether the last file that was to be made ahead could not be, for another reason than a full disk.
    /// Said once: what it means is met by the next cut.
    var hasFailedToPrepare = false
    /// Whether making files ahead waits until it is time to try again.
    var preparesLater: Bool { isOutOfSpace || hasFailedToPrepare }
    /// When to try again what failed for a full disk, or another one.
    var retryAtNanoseconds: Int64 = 0
    /// When to try archiving again; nil: it did not fail.
    var archiveRetryAtNanoseconds: Int64?
    /// Whether a call waited for space since this was last set.
    var hasWaited = false

    init(_ writer: LogWriter<IO>, _ wal: WAL<IO>, _ voteRecord: VoteRecord<IO>?) {
        self.writer = writer
        self.wal = wal
        group = GroupCommit(wal, voteRecord)
        let queue = writer.queue
        let done: @Sendable (Keeper.Outcome) -> Void = { outcome in
            queue.withLockAndWake { queue in
                queue.outcomes.append(outcome)
                queue.hasChores = true
            }
        }
        keeper = Keeper(named: "kvd-wal-keeper", done: done)
        archivist =
            wal.options.archiveDirectory == nil
            ? nil : Keeper(named: "kvd-wal-archive", isPatient: true, done: done)
    }

    func run() {
        wal.noteOutOfSpace = { [unowned self] in noteOutOfSpace($0) }
        wal.waitForSpace = { [unowned self] in waitForSpace() }
        do throws(WALError) {
            try group.begin()
            startJobs()
            while try step() {}
            try wal.close()
        } catch {
            writer.queue.withLock { queue in
                queue.isDead = true
                queue.batches = []
                queue.bytes = 0
            }
            writer.onFailure(error)
        }
        // Their threads must not outlive the log's dir.
        keeper.stop()
        archivist?.stop()
    }

    private enum Work {
        case group([LogBatch], bytes: Int)
        case chores
        case timeout
        case stop
    }

    private func step() throws(WALError) -> Bool {
        switch nextWork() {
        case .stop: return false
        case .timeout: try wal.markIdle()
        case .chores: takeChores()
        case .group(let batches, let bytes):
            try commit(batches)
            writer.queue.withLock { $0.bytes -= bytes }
            // `batches` is never empty: `nextWork` gives no empty group.
            writer.onDurable(batches[batches.count - 1].sequence)
        }
        announceSpace()
        startJobs()
        return true
    }

    /// Gives `.timeout` once in a quiet time, and then only wakes for work, or every second while
    /// the disk is full or has another trouble.
    private func nextWork() -> Work {
        return writer.queue.wait(upTo: quietTime, orElse: .timeout) { queue in
            if queue.hasChores { return .chores }
            guard queue.taken < queue.batches.count else {
                return queue.isStopping ? .stop : nil
            }
            return Self.takeGroup(&queue)
        }
    }

    /// How long nothing must come in before there is something to do of its own accord.
    private var quietTime: Duration? {
        if !wal.isMarked { return Self.idleAfter }
        if preparesLater { return wal.options.retryAfter }
        return archiveRetryAtNanoseconds == nil ? nil : wal.options.archiveRetryAfter
    }

    /// Everything queued, or as much of it as one group may have.
    private static func takeGroup(_ queue: inout LogWriter<IO>.Queue) -> Work {
        if queue.taken == 0, queue.bytes <= groupBytesMax {
            let batches = queue.batches
            queue.batches = []
            queue.batches.reserveCapacity(batches.count)
            return .group(batches, bytes: batches.reduce(0) { $0 + $1.sizeBytes })
        }
        var bytes = 0
        var end = queue.taken
        while end < queue.batches.count, bytes == 0 || bytes < groupBytesMax {
            bytes += queue.batches[end].sizeBytes
            end += 1
        }
        let batches = Array(queue.batches[queue.taken..<end])
        queue.taken = end
        if end == queue.batches.count {
            queue.batches = []
            queue.taken = 0
        }
        return .group(batches, bytes: bytes)
    }

    private func commit(_ batches: [LogBatch]) throws(WALError) {
        hasWaited = false
        let start = MachineClock.monotonicNanoseconds
        let segment = wal.segment.sequence
        let summary = try group.commit(batches)
        let took = Duration.nanoseconds(MachineClock.monotonicNanoseconds - start)
        let isSlow = summary.isSynced && !hasWaited && took > LogWriterMetrics.slowSync
        writer.statistics.withLock { metrics in
            metrics.batchCount += UInt64(batches.count)
            metrics.entryCount += UInt64(summary.entryCount)
            metrics.groupCount += 1
            metrics.groupBatchesMax = max(metrics.groupBatchesMax, batches.count)
            metrics.segmentCount += wal.segment.sequence - segment
            if summary.isSynced { metrics.recordSync(took) }
            if isSlow { metrics.slowSyncCount += 1 }
        }
        if isSlow { writer.onEvent(.slowSync(took, bytes: summary.bytes)) }
    }
}
