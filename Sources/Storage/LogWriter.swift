public import RaftModel
public import StorageIO
import Synchronization

/// What the engine wants saved at once: a `Ready`'s state and entries.
public struct LogBatch: Sendable {
    /// Rises from batch to batch; what `onDurable` reports.
    public var sequence: UInt64
    /// Nil: unchanged.
    public var hardState: HardState?
    /// Replace what was saved from `entries[0].index` on.
    public var entries: [Entry]
    /// A snapshot, durable already, that the log should name.
    public var snapshot: WALSnapshotRecord?
    /// Whether anything waits for its durability. A new commit index alone does not need it: it
    /// is written, and becomes durable with the next batch that does.
    public var needsSync: Bool

    public init(
        sequence: UInt64, hardState: HardState? = nil, entries: [Entry] = [],
        snapshot: WALSnapshotRecord? = nil, needsSync: Bool = true
    ) {
        precondition(needsSync || (entries.isEmpty && snapshot == nil))
        self.sequence = sequence
        self.hardState = hardState
        self.entries = entries
        self.snapshot = snapshot
        self.needsSync = needsSync
    }

    /// Bytes it takes in the queue, about.
    var sizeBytes: Int { entries.reduce(64) { $0 + $1.data.count + 64 } }
}

/// The one thread that writes and syncs the log.
///
/// It takes everything submitted since its last sync, writes it as one batch, syncs once, and
/// calls `onDurable` once with the sequence of the last of them: a group commit. While it syncs,
/// `submit` goes on filling the queue. After a few milliseconds with nothing to do it writes an
/// idle marker.
///
/// After an error it calls `onFailure` once and does nothing more: the node must stop, since
/// nobody knows what a failed write or sync left on the disk, and a second try would not say.
///
/// `submit`, `queuedBytes` and `metrics` may be called from any thread; both closures are called
/// on the writer's own and should hand over quickly.
public final class LogWriter<IO: FileStorage>: Sendable {
    /// One group takes no more than this at once, so that its memory stays bounded.
    private static var groupBytesMax: Int { 16 << 20 }
    /// How long nothing must come in before the writer marks what it synced.
    private static var idleAfter: Duration { .milliseconds(5) }

    private struct Queue {
        var batches: [LogBatch] = []
        /// Batches before this one have been taken.
        var taken = 0
        var bytes = 0
        var isStopping = false
        var isDead = false
        var preparation: (SegmentPreparation<IO>, file: IO.File?)?
    }

    private let queue: SleepingLock<Queue>
    private let statistics = Mutex(LogWriterMetrics())
    private let onDurable: @Sendable (UInt64) -> Void
    private let onFailure: @Sendable (WALError) -> Void
    private let thread = Mutex<WorkerThread?>(nil)

    /// Starts the thread. `wal` is its own from here on.
    public init(
        wal: sending WAL<IO>, onDurable: @escaping @Sendable (_ sequence: UInt64) -> Void,
        onFailure: @escaping @Sendable (WALError) -> Void
    ) {
        queue = SleepingLock(Queue())
        self.onDurable = onDurable
        self.onFailure = onFailure
        // Handed over once, to the thread that starts here; nobody else has it.
        nonisolated(unsafe) let wal = wal
        let started = WorkerThread(named: "kvd-wal") { self.run(wal) }
        thread.withLock { $0 = started }
    }

    /// Queues a batch. Cheap: one lock, and a system call only if the writer sleeps.
    ///
    /// Batches are saved in the order of their submission; the sequence must rise.
    public func submit(_ batch: LogBatch) {
        let size = batch.sizeBytes
        queue.withLockAndWake { queue in
            guard !queue.isDead else { return }
            precondition(!queue.isStopping, "a batch after stop()")
            queue.batches.append(batch)
            queue.bytes += size
        }
    }

    /// Bytes submitted and not durable yet, about; the engine keeps it under its bound.
    public var queuedBytes: Int { queue.withLock { $0.bytes } }

    public var metrics: LogWriterMetrics { statistics.withLock { $0 } }

    /// Saves what is queued, closes the log with a durable marker, and ends the thread. Returns
    /// when that is done. Not to be called from the closures.
    public func stop() {
        queue.withLockAndWake { $0.isStopping = true }
        let running = thread.withLock { thread -> WorkerThread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    // MARK: The writer's thread

    private enum Work {
        case group([LogBatch], bytes: Int)
        case idle
        case prepared
        case stop
    }

    private func run(_ wal: WAL<IO>) {
        do throws(WALError) {
            while try step(wal) {}
            try wal.close()
        } catch {
            queue.withLock { queue in
                queue.isDead = true
                queue.batches = []
                queue.bytes = 0
            }
            onFailure(error)
        }
        waitForPreparation(wal)
    }

    private func step(_ wal: WAL<IO>) throws(WALError) -> Bool {
        switch nextWork(wal) {
        case .stop: return false
        case .idle: try wal.markIdle()
        case .prepared: takePrepared(wal)
        case .group(let batches, let bytes):
            try commit(batches, wal)
            queue.withLock { $0.bytes -= bytes }
            // `batches` is never empty: `nextWork` gives no empty group.
            onDurable(batches[batches.count - 1].sequence)
            prepareAhead(wal)
        }
        return true
    }

    /// Gives `.idle` once in a quiet time, and then only wakes for work.
    private func nextWork(_ wal: WAL<IO>) -> Work {
        let limit = wal.isMarked ? nil : Self.idleAfter
        return queue.wait(upTo: limit, orElse: .idle) { queue in
            if queue.preparation != nil { return .prepared }
            guard queue.taken < queue.batches.count else {
                return queue.isStopping ? .stop : nil
            }
            return Self.takeGroup(&queue)
        }
    }

    /// Everything queued, or as much of it as one group may have.
    private static func takeGroup(_ queue: inout Queue) -> Work {
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

    private func commit(_ batches: [LogBatch], _ wal: WAL<IO>) throws(WALError) {
        let start = MachineClock.monotonicNanoseconds
        let segment = wal.segment.sequence
        var entryCount = 0
        var needsSync = false
        for batch in batches {
            try wal.append(hardState: batch.hardState, entries: batch.entries)
            if let snapshot = batch.snapshot { try wal.append(snapshot) }
            entryCount += batch.entries.count
            needsSync = needsSync || batch.needsSync
        }
        if needsSync { try wal.sync() } else { try wal.write() }
        let took = Duration.nanoseconds(MachineClock.monotonicNanoseconds - start)
        statistics.withLock { metrics in
            metrics.batchCount += UInt64(batches.count)
            metrics.entryCount += UInt64(entryCount)
            metrics.groupCount += 1
            metrics.groupBatchesMax = max(metrics.groupBatchesMax, batches.count)
            metrics.segmentCount += wal.segment.sequence - segment
            if needsSync { metrics.recordSync(took) }
        }
    }

    // MARK: The next segment

    /// Has the next segment made by a thread of its own, if it is time.
    private func prepareAhead(_ wal: WAL<IO>) {
        guard let preparation = wal.nextPreparation() else { return }
        let maker = WorkerThread(named: "kvd-wal-prepare") {
            // An error is no matter yet: the next cut will meet it, if it is still there.
            let file = try? preparation.run()
            self.queue.withLockAndWake { $0.preparation = (preparation, file) }
        }
        maker.detach()
        isPreparing.withLock { $0 = true }
    }

    private let isPreparing = Mutex(false)

    private func takePrepared(_ wal: WAL<IO>) {
        let done = queue.withLock { queue -> (SegmentPreparation<IO>, file: IO.File?)? in
            defer { queue.preparation = nil }
            return queue.preparation
        }
        guard let done else { return }
        isPreparing.withLock { $0 = false }
        wal.prepared(done.file, by: done.0)
    }

    /// The maker's thread must not outlive the log's dir.
    private func waitForPreparation(_ wal: WAL<IO>) {
        while isPreparing.withLock({ $0 }) {
            let isDone = queue.wait(upTo: .seconds(60), orElse: false) { queue in
                queue.preparation != nil ? true : nil
            }
            guard isDone else { return }
            takePrepared(wal)
        }
    }
}
