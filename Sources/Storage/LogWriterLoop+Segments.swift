import StorageIO
import Synchronization

/// The writer's dealings with the segments' keeper, and with a full disk.
extension LogWriterLoop {
    /// Has done what the log wants done now.
    func startJobs() {
        if !preparesLater || isTimeToRetry {
            if let preparation = wal.nextPreparation() { keeper.submit(.prepare(preparation)) }
            if let reserve = wal.nextReserve() { keeper.submit(.reserve(reserve)) }
        }
        if let release = wal.nextRelease() { keeper.submit(.release(release)) }
        guard let archivist, MachineClock.monotonicNanoseconds >= archiveRetryAtNanoseconds ?? 0
        else { return }
        if let archiving = wal.nextArchiving() { archivist.submit(.archive(archiving)) }
    }

    private var isTimeToRetry: Bool {
        let now = MachineClock.monotonicNanoseconds
        guard now >= retryAtNanoseconds else { return false }
        postponeRetry()
        return true
    }

    private func postponeRetry() {
        retryAtNanoseconds = Self.moment(after: wal.options.retryAfter)
    }

    private static func moment(after duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return MachineClock.monotonicNanoseconds + seconds * 1_000_000_000
            + attoseconds / 1_000_000_000
    }

    /// Takes what the keeper has done, and how far the log is released.
    func takeChores() {
        let (outcomes, released) = writer.queue.withLock { queue in
            queue.hasChores = false
            defer { queue.outcomes = [] }
            return (queue.outcomes, queue.releasedIndex)
        }
        wal.release(through: released)
        for outcome in outcomes { take(outcome) }
    }

    /// Says that there is room again, if so. Never while a call waits for it.
    func announceSpace() {
        guard isOutOfSpace, wal.hasRoom else { return }
        setOutOfSpace(false)
        writer.onEvent(.spaceIsBack)
    }

    private func take(_ outcome: Keeper.Outcome) {
        switch outcome {
        case .prepared(let result, let preparation):
            wal.prepared(try? result.get(), by: preparation)
            note(result)
        case .reserved(let result):
            wal.reserveMade((try? result.get()) != nil)
            note(result)
        case .released(let outcome): take(outcome)
        case .archived(let result, let archiving): take(result, of: archiving)
        }
    }

    private func take(_ result: Result<Int, ArchiveError>, of archiving: SegmentArchiving<IO>) {
        wal.archived(result, by: archiving)
        switch result {
        case .success(let size):
            archiveRetryAtNanoseconds = nil
            writer.statistics.withLock { $0.archivedCount += 1 }
            writer.onEvent(.segmentArchived(archiving.segment.description, bytes: size))
        case .failure(let error):
            archiveRetryAtNanoseconds = Self.moment(after: wal.options.archiveRetryAfter)
            writer.statistics.withLock { $0.archiveFailureCount += 1 }
            writer.onEvent(.archiveFailed(error.description))
        }
    }

    /// What failed is tried again after a while: the keeper would do nothing else.
    private func note(_ result: Result<PreparedSegment<IO>, StorageError>) {
        switch result {
        case .success: hasFailedToPrepare = false
        case .failure(let error) where error.isOutOfSpace: noteOutOfSpace(error)
        case .failure(let error):
            postponeRetry()
            guard !hasFailedToPrepare else { return }
            hasFailedToPrepare = true
            writer.onEvent(.segmentNotPrepared(error))
        }
    }

    private func take(_ outcome: SegmentRelease<IO>.Outcome) {
        noteUnarchived(outcome)
        wal.released(outcome)
        let recycledCount = outcome.gone.count { $0.recycledPath != nil }
        writer.statistics.withLock { metrics in
            metrics.recycledCount += UInt64(recycledCount)
            metrics.removedCount += UInt64(outcome.gone.count - recycledCount)
        }
        for gone in outcome.gone {
            let name = gone.segment.description
            writer.onEvent(
                gone.recycledPath == nil ? .segmentRemoved(name) : .segmentRecycled(name))
        }
    }

    /// The archive did not take them, and they could not be kept any longer.
    private func noteUnarchived(_ outcome: SegmentRelease<IO>.Outcome) {
        guard let archive = wal.options.archiveDirectory else { return }
        for gone in outcome.gone where gone.segment.sequence >= wal.archivedEnd {
            writer.statistics.withLock { $0.archiveFailureCount += 1 }
            writer.onEvent(
                .archiveFailed(
                    "segment \(gone.segment) was released and is not in \(archive): more than "
                        + "\(WAL<IO>.unarchivedMax) were waiting. Make that directory writable; "
                        + "no moment after it can be restored without a newer snapshot."))
        }
    }

    func noteOutOfSpace(_ error: StorageError) {
        postponeRetry()
        guard !isOutOfSpace else { return }
        setOutOfSpace(true)
        writer.onEvent(.outOfSpace(error))
    }

    private func setOutOfSpace(_ isFull: Bool) {
        isOutOfSpace = isFull
        writer.statistics.withLock { $0.isOutOfSpace = isFull }
    }

    /// Waits until it is time to try again, or until something was done that may have given
    /// space; false if the writer is to stop.
    func waitForSpace() -> Bool {
        hasWaited = true
        startJobs()
        let goesOn = writer.queue.wait(upTo: wal.options.retryAfter, orElse: true) { queue in
            if queue.isStopping { return false }
            return queue.hasChores ? true : nil
        }
        takeChores()
        startJobs()
        return goesOn
    }
}
