public import StorageIO
import Synchronization

/// The one thread that writes and syncs the log.
///
/// It takes everything submitted since its last sync, writes it as one batch, syncs once, and
/// calls `onDurable` once with the sequence of the last of them: a group commit. While it syncs,
/// `submit` goes on filling the queue. After a few milliseconds with nothing to do it writes an
/// idle marker. What is done to segments meanwhile is done by a thread of its own
/// (`SegmentKeeper`).
///
/// After an error it calls `onFailure` once and does nothing more: the node must stop, since
/// nobody knows what a failed write or sync left on the disk, and a second try would not say. A
/// full disk is no such error: it says so by `.outOfSpace`, goes on in the reserve, and when that
/// is full too keeps what is queued and tries again every second until there is room.
///
/// `submit`, `release`, `queuedBytes` and `metrics` may be called from any thread; the closures
/// are called on the writer's own and should hand over quickly.
public final class LogWriter<IO: FileStorage>: Sendable {
    struct Queue {
        var batches: [LogBatch] = []
        /// Batches before this one have been taken.
        var taken = 0
        var bytes = 0
        var isStopping = false
        var isDead = false
        var releasedIndex: UInt64 = 0
        /// Whether there is something to do that is no batch.
        var hasChores = false
        var outcomes: [SegmentKeeper<IO>.Outcome] = []
    }

    let queue: SleepingLock<Queue>
    let statistics = Mutex(LogWriterMetrics())
    let onDurable: @Sendable (UInt64) -> Void
    let onFailure: @Sendable (WALError) -> Void
    let onEvent: @Sendable (LogEvent) -> Void
    private let thread = Mutex<WorkerThread?>(nil)

    /// Starts the thread. `wal` is its own from here on, and so is `voteRecord`: whenever term or
    /// vote change, that is durable too before `onDurable` says so.
    public init(
        wal: sending WAL<IO>, voteRecord: VoteRecord<IO>? = nil,
        onDurable: @escaping @Sendable (_ sequence: UInt64) -> Void,
        onFailure: @escaping @Sendable (WALError) -> Void,
        onEvent: @escaping @Sendable (LogEvent) -> Void = { _ in }
    ) {
        queue = SleepingLock(Queue())
        self.onDurable = onDurable
        self.onFailure = onFailure
        self.onEvent = onEvent
        // Handed over once, to the thread that starts here; nobody else has it.
        nonisolated(unsafe) let wal = wal
        let started = WorkerThread(named: "kvd-wal") {
            LogWriterLoop(self, wal, voteRecord).run()
        }
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

    /// Says that no kept snapshot needs the entries up to `index`, which is the oldest one's:
    /// segments wholly before it are archived, then recycled, kept or removed.
    public func release(through index: UInt64) {
        queue.withLockAndWake { queue in
            guard index > queue.releasedIndex else { return }
            queue.releasedIndex = index
            queue.hasChores = true
        }
    }

    /// Bytes submitted and not durable yet, about; the engine keeps it under its bound.
    public var queuedBytes: Int { queue.withLock { $0.bytes } }

    public var metrics: LogWriterMetrics { statistics.withLock { $0 } }

    /// Saves what is queued, closes the log with a durable marker, and ends the thread. Returns
    /// when that is done. Not to be called from the closures.
    ///
    /// If the disk is full what is queued is not saved, and `onFailure` says so.
    public func stop() {
        queue.withLockAndWake { $0.isStopping = true }
        let running = thread.withLock { thread -> WorkerThread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }
}
