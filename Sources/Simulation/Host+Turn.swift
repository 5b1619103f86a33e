import Cluster
import KVServer
import KeyStore
import Raft
import RaftModel
import State
import Storage
import StorageIO

/// A turn of the host's loop, in the order of `kvd`'s `EngineHost`.
extension Host {
    func turn() throws(Violation) {
        guard let running else { return }
        running.isTurnDue = false
        advance()
        running.engine.pump(into: &running.effects)
        try carryOut(running)
    }

    private func carryOut(_ running: Running) throws(Violation) {
        for batch in running.effects.persist { try persist(batch, running) }
        try observe(running.engine)
        for message in running.effects.messages {
            guard mayBeSaid(message, running) else { continue }
            try world.judge.sends(message, durable: durable)
            world.send(message, from: slot)
        }
        storeMark(running)
        if running.effects.peersChanged { updateFeatures() }
        for (ticket, outcome) in running.effects.answers {
            try world.take(outcome, ticket, from: self, running)
        }
        for notification in running.effects.notifications {
            try world.take(notification, from: running)
        }
        if running.effects.wantsVersions {
            world.add(.versions(slot, life), after: world.network.delay(world.weather))
        }
        if let image = running.effects.snapshot { save(image, running) }
        for wanted in running.effects.snapshotsWanted {
            world.add(.sendSnapshot(slot, life, wanted), after: 20_000)
        }
        if running.effects.stateIsVoid {
            throw Violation("equal stores", "\(id) finds that its store differs from the others'")
        }
        if running.effects.hasRejoined {
            try change(.rejoining, isSet: false, running)
            // If power failed in there, it may have to rejoin once more.
            if isRunning { isRotten = false }
        }
        if let reason = running.effects.stop { try stop(reason, running) }
    }

    private func stop(_ reason: StopReason, _ running: Running) throws(Violation) {
        guard reason == .removedFromCluster else {
            throw Violation("nothing unknown is committed", "\(id) stops: \(reason)")
        }
        // A leader that was removed has a moment left to tell the others.
        let delay = running.engine.isLeader ? Simulation.second : 0
        world.add(.end(slot, life), after: delay)
    }

    // MARK: The log

    private func persist(_ batch: Raft.PersistBatch, _ running: Running) throws(Violation) {
        let metadata = batch.snapshot?.metadata
        if let metadata { try install(metadata, before: batch.sequence, running) }
        if let metadata {
            // Not by the number it is handed over with, which is that of the batch before: that one's
            // sync says nothing of it.
            outstanding.append(LogBatchFacts(sequence: batch.sequence, snapshot: metadata))
        }
        if let first = batch.entries.first {
            let previous =
                metadata?.index == first.index - 1
                ? metadata?.term : written.term(at: first.index - 1)
            try world.judge.writes(batch.entries, previousTerm: previous ?? 0, by: id)
        }
        let isReplacing = written.write(
            snapshot: metadata, entries: batch.entries, hardState: batch.hardState)
        if isReplacing { world.coverage.count(.logTruncated) }
        outstanding.append(
            LogBatchFacts(
                sequence: batch.sequence, entries: batch.entries, hardState: batch.hardState))
        submit(
            LogBatch(
                sequence: batch.sequence, hardState: batch.hardState, entries: batch.entries,
                needsSync: batch.needsSync), running)
        running.submittedSequence = batch.sequence
        if world.scenario.mutation == .answerBeforeSync {
            world.add(.reported(slot, life, through: batch.sequence), after: 0)
        }
    }

    private func install(
        _ metadata: SnapshotMetadata, before sequence: UInt64, _ running: Running
    ) throws(Violation) {
        guard let place = running.arrived.firstIndex(where: { $0.metadata == metadata }) else {
            preconditionFailure("only what has arrived is handed to Raft")
        }
        let arrival = running.arrived.remove(at: place)
        let cancelled = running.engine.install(arrival.image, stateBytes: arrival.stateBytes)
        for watch in cancelled { world.endWatch(watch.rawValue, running) }
        submit(
            LogBatch(
                sequence: sequence - 1,
                snapshot: WALSnapshotRecord(index: metadata.index, term: metadata.term)), running)
        running.restoringSequence = sequence
        world.coverage.count(.snapshotInstalled)
    }

    // MARK: What it shows

    /// Lets the judge look at it.
    private func observe(_ engine: Engine) throws(Violation) {
        let term = engine.term
        if engine.isLeader, ledTerm < term {
            ledTerm = term
            world.trace.note(world.now) { "\(id) leads term \(term)" }
            try world.judge.leads(id, term: term, log: written)
        }
        let commit = engine.commitIndex
        let applied = engine.appliedIndex
        if commit > knownCommit {
            let before = world.judge.oracle.membership(at: knownApplied)
            let world = world
            try world.judge.commits(commit, known: knownCommit, by: engine, log: written) {
                world.isDurable($0, $1, before: before, after: $2)
            }
            knownCommit = commit
        }
        guard applied != knownApplied else { return }
        try world.judge.hasState(engine)
        if running?.effects.peersChanged == true { try world.judge.hasMembers(engine) }
        knownApplied = applied
        world.coverage.count(.storesCompared)
        world.fold(applied ^ engine.state.contentHash)
    }

    /// Before any answer that shows the store leaves.
    private func storeMark(_ running: Running) {
        guard let index = running.engine.shownIndex, index > running.markedIndex else { return }
        running.markedIndex = index
        running.mark.store(
            CommitMark.Values(
                commit: running.markedIndex, syncTimeNanoseconds: running.engine.clusterTime,
                syncedAt: .nanoseconds(monotonic)))
    }

    func change(
        _ note: DataDirectoryNote, isSet: Bool, _ running: Running
    ) throws(Violation) {
        do throws(StorageError) {
            if isSet {
                try running.directory.leave(note)
            } else {
                try running.directory.remove(note)
            }
        } catch {
            try failed(error, "the note \(note.rawValue) could not be changed: \(error)")
        }
    }
}
