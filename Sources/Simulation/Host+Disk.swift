import KVServer
import RaftModel
import Storage
import StorageIO

/// The log's writer, without its thread: groups of batches, one sync each, on virtual time.
extension Host {
    private static let idleAfter = 5 * Simulation.millisecond
    private static let retryAfter = Simulation.second

    func submit(_ batch: LogBatch, _ running: Running) {
        running.queue.append(batch)
        if running.writing.isEmpty { beginGroup(running) }
    }

    private func beginGroup(_ running: Running) {
        swap(&running.writing, &running.queue)
        let needsSync = running.writing.contains { $0.needsSync }
        let microseconds = needsSync ? world.weather.syncMicroseconds : 10
        let delay = world.diskRandom.around(Int64(microseconds) * 1000) * diskSlowFactor
        world.add(.committed(slot, life), after: delay)
    }

    /// The disk is done with the group: now it happens, all at once; a crash before finds nothing of
    /// it, a crash inside (by a fault at one of its calls) any part.
    func commitGroup() throws(Violation) {
        guard let running, let last = running.writing.last else { return }
        let segment = running.wal.segment.sequence
        do throws(WALError) {
            let summary = try running.group.commit(running.writing)
            if summary.isSynced { noteVouched(running) }
        } catch {
            return try failed(error.storage, "\(error)")
        }
        if running.wal.segment.sequence != segment { world.coverage.count(.segmentCut) }
        running.writing.removeAll(keepingCapacity: true)
        let delay = running.hasWaitedForSpace ? max(0, diskFullUntil - world.now) : 0
        running.hasWaitedForSpace = false
        if delay == 0 {
            try report(through: last.sequence)
        } else {
            world.add(.reported(slot, life, through: last.sequence), after: delay)
        }
        guard isRunning else { return }
        announceSpace()
        startJobs()
        if running.queue.isEmpty {
            world.add(.idle(slot, life), after: Self.idleAfter)
        } else {
            beginGroup(running)
        }
    }

    /// Everything up to this batch is on the disk; unless the process dies before it is told.
    func report(through sequence: UInt64) throws(Violation) {
        guard let running else { return }
        if world.crashes, world.diskRandom.below(4000) == 0 {
            world.coverage.count(.killedBeforeReport)
            kill()
            return restartLater()
        }
        var count = 0
        for batch in outstanding {
            guard batch.sequence <= sequence else { break }
            durable.write(
                snapshot: batch.snapshot, entries: batch.entries, hardState: batch.hardState)
            count += 1
        }
        outstanding.removeFirst(count)
        advance()
        running.engine.persisted(through: sequence)
        if let restoring = running.restoringSequence, restoring <= sequence {
            running.restoringSequence = nil
            try change(.stateIsVoid, isSet: false, running)
        }
        needsTurn()
    }

    /// What may rot from now on: what a durable marker names durable.
    private func noteVouched(_ running: Running) {
        vouched = (running.wal.segment, running.wal.vouchedBytes)
    }

    /// Nothing came in for a while.
    func idle() throws(Violation) {
        guard let running, running.writing.isEmpty else { return }
        do throws(WALError) { try running.wal.markIdle() } catch {
            return try failed(error.storage, "\(error)")
        }
        announceSpace()
        startJobs()
        if running.isOutOfSpace { world.add(.idle(slot, life), after: Self.retryAfter) }
    }

    // MARK: Segments

    /// Has done what the log wants done now.
    func startJobs() {
        guard let running else { return }
        if let job = running.wal.nextPreparation() { later(.prepare(job)) }
        if let job = running.wal.nextReserve() { later(.reserve(job)) }
        if let job = running.wal.nextRelease() { later(.release(job)) }
    }

    private func later(_ job: SegmentJob) {
        let delay = world.diskRandom.around(2 * Simulation.millisecond) * diskSlowFactor
        world.add(.segmentJob(slot, life, job), after: delay)
    }

    func run(_ job: SegmentJob) throws(Violation) {
        guard let running else { return }
        let wal = running.wal
        switch job {
        case .prepare(let preparation):
            let made = make(preparation)
            wal.prepared(try? made.get(), by: preparation)
            note(made)
        case .reserve(let preparation):
            let made = make(preparation)
            wal.reserveMade((try? made.get()) != nil)
            note(made)
        case .release(let release):
            let before = wal.segmentCount
            wal.released(release.run())
            world.coverage.count(.segmentReleased, UInt64(before - wal.segmentCount))
        }
        if storage.isPoweredOff { return try failed(nil, "power failed") }
        announceSpace()
        guard !running.isOutOfSpace else { return }
        startJobs()
    }

    private func make(
        _ preparation: SegmentPreparation<SimulatedStorage>
    ) -> Result<PreparedSegment<SimulatedStorage>, StorageError> {
        do throws(StorageError) { return .success(try preparation.run()) } catch {
            return .failure(error)
        }
    }

    private func note(_ result: Result<PreparedSegment<SimulatedStorage>, StorageError>) {
        if case .failure(let error) = result, error.isOutOfSpace { ranOutOfSpace() }
    }

    // MARK: A full disk

    func ranOutOfSpace() {
        guard let running, !running.isOutOfSpace else { return }
        running.isOutOfSpace = true
        world.coverage.count(.diskFull)
        advance()
        running.engine.diskBecame(full: true)
        needsTurn()
        world.add(.idle(slot, life), after: Self.retryAfter)
    }

    /// A call waits until there is room: here it finds it at once, and what it did is reported only
    /// when there is.
    func waitForSpace() -> Bool {
        running?.hasWaitedForSpace = true
        storage.capacityBytes = nil
        return true
    }

    private func announceSpace() {
        guard let running, running.isOutOfSpace, world.now >= diskFullUntil, running.wal.hasRoom
        else { return }
        running.isOutOfSpace = false
        world.coverage.count(.diskBackAgain)
        running.engine.diskBecame(full: false)
        needsTurn()
    }
}
