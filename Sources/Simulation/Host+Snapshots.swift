import Cluster
import KVServer
import Raft
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// Snapshots on their way: to the disk, to followers, and from the leader.
extension Host {
    // MARK: To the disk

    func save(_ image: StateImage, _ running: Running) {
        running.imageToSave = image
        let delay = world.diskRandom.around(20 * Simulation.millisecond) * diskSlowFactor
        world.add(.saveSnapshot(slot, life), after: delay)
    }

    func saveSnapshot() throws(Violation) {
        guard let running, let image = running.imageToSave else { return }
        running.imageToSave = nil
        let saved: SnapshotFile
        do throws(SnapshotError) {
            saved = try write(mutated(image), running)
        } catch {
            guard !storage.isPoweredOff else { return try failed(nil, "\(error)") }
            world.coverage.count(.snapshotFailed)
            advance()
            running.engine.snapshotFailed(index: image.index)
            for wanted in running.waitingForSnapshot {
                running.engine.reportSnapshot(wanted.member, succeeded: false)
            }
            running.waitingForSnapshot = []
            return needsTurn()
        }
        try removeOld(running, upTo: image.index)
        guard isRunning else { return }
        world.coverage.count(.snapshotSaved)
        world.trace.note(world.now) { "\(id) has saved a snapshot at \(image.index)" }
        submit(
            LogBatch(
                sequence: running.submittedSequence,
                snapshot: WALSnapshotRecord(index: image.index, term: image.term)), running)
        let first = running.engine.firstLogIndex
        advance()
        running.engine.snapshotSaved(index: image.index, stateBytes: Int(saved.stateBytes))
        if running.engine.firstLogIndex != first { world.coverage.count(.logCompacted) }
        running.wal.release(through: oldestIndex(running) ?? image.index)
        startJobs()
        let waiting = running.waitingForSnapshot
        running.waitingForSnapshot = []
        for wanted in waiting { world.add(.sendSnapshot(slot, life, wanted), after: 20_000) }
        needsTurn()
    }

    private func write(
        _ image: StateImage, _ running: Running
    ) throws(SnapshotError) -> SnapshotFile {
        let save = try SnapshotSave(
            image, SnapshotHeader(image, member: id, cluster: Self.clusterID, createdAt: wall),
            in: running.snapshots, pace: .unlimited)
        return try save.run().file
    }

    private func mutated(_ image: StateImage) -> StateImage {
        var image = image
        if world.scenario.mutation == .skipEntryAfterSnapshot { image.index += 1 }
        if world.scenario.mutation == .applyTwiceAfterSnapshot { image.index -= 1 }
        return image
    }

    private func removeOld(_ running: Running, upTo index: UInt64) throws(Violation) {
        do throws(StorageError) {
            _ = try running.snapshots.purge(
                keeping: world.weather.snapshotFilesMax, upTo: index)
        } catch {
            // An old snapshot that stays is no trouble; a machine that is off is.
            if storage.isPoweredOff { try failed(error, "\(error)") }
        }
    }

    private func oldestIndex(_ running: Running) -> UInt64? {
        (try? running.snapshots.list())?.map(\.index).min()
    }

    // MARK: To followers

    func sendSnapshot(_ wanted: Raft.SnapshotWanted) throws(Violation) {
        guard let running else { return }
        advance()
        defer { needsTurn() }
        guard let (metadata, file) = newest(indexMin: wanted.indexMin, running) else {
            if storage.isPoweredOff { return try failed(nil, "power failed") }
            // None is new enough: the next one will be.
            if running.engine.wantSnapshot() {
                running.waitingForSnapshot.append(wanted)
            } else {
                running.engine.reportSnapshot(wanted.member, succeeded: false)
            }
            return
        }
        guard let message = running.engine.snapshotMessage(metadata, to: wanted.member),
            let to = world.slot(of: wanted.member)
        else {
            running.engine.reportSnapshot(wanted.member, succeeded: false)
            return
        }
        world.coverage.count(.snapshotSent)
        world.add(
            .transfer(
                SnapshotTransfer(from: slot, fromLife: life, to: to, message: message, file: file)),
            after: 2 * world.network.delay(world.weather))
    }

    /// The newest of kvd's own that is at `indexMin` or later, and can be read.
    private func newest(
        indexMin: UInt64, _ running: Running
    ) -> (SnapshotMetadata, [UInt8])? {
        guard let names = try? running.snapshots.list() else { return nil }
        for name in names where name.format == .kvd && name.index >= indexMin {
            guard let reader = try? running.snapshots.open(name),
                let bytes = try? reader.file.readAll()
            else { continue }
            return (reader.header.metadata, bytes)
        }
        return nil
    }

    func transferEnded(_ member: MemberID, _ succeeded: Bool) {
        advance()
        running?.engine.reportSnapshot(member, succeeded: succeeded)
        needsTurn()
    }

    // MARK: From the leader

    /// Takes in a snapshot's file, and only then tells Raft. Returns whether all of it arrived.
    func receive(_ transfer: SnapshotTransfer) throws(Violation) -> Bool {
        guard let running, let metadata = transfer.message.snapshot?.metadata else { return false }
        if running.engine.membership.removed.contains(transfer.message.from) {
            world.tellRemoved(transfer.from)
            return false
        }
        let isCutOff = !world.isMended && world.diskRandom.chance(percent: 10)
        let arrival: (image: StateImage, stateBytes: Int)?
        do {
            arrival = try take(transfer.file, metadata, isCutOff: isCutOff, running)
        } catch {
            // A full disk, a damaged file: the leader tries again.
            if storage.isPoweredOff { try failed(nil, "\(error)") }
            return false
        }
        guard let arrival else {
            world.coverage.count(.snapshotTransferCut)
            return false
        }
        running.arrived.append((metadata, arrival.image, arrival.stateBytes))
        advance()
        running.engine.receive([transfer.message])
        // At once, so that it is known whether Raft has taken it.
        try turn()
        if let place = running.arrived.firstIndex(where: { $0.metadata == metadata }) {
            running.arrived.remove(at: place)
        }
        return true
    }

    private func take(
        _ file: [UInt8], _ metadata: SnapshotMetadata, isCutOff: Bool, _ running: Running
    ) throws -> (image: StateImage, stateBytes: Int)? {
        let name = SnapshotName(term: metadata.term, index: metadata.index, format: .kvd)
        let receiver = try running.snapshots.receive(name)
        try receiver.restart()
        let middle = file.count / 2
        try file.withUnsafeBytes { bytes in
            try receiver.append(UnsafeRawBufferPointer(rebasing: bytes[..<middle]))
        }
        if isCutOff {
            receiver.abandon()
            return nil
        }
        try file.withUnsafeBytes { bytes in
            try receiver.append(UnsafeRawBufferPointer(rebasing: bytes[middle...]))
        }
        var image: StateImage?
        let finished = try receiver.finish(expecting: metadata) { reader in
            image = try SnapshotLoader<SimulatedStorage>.decode(reader)
        }
        guard let image else { preconditionFailure("finish has read it") }
        return (image, Int(finished.stateBytes))
    }
}

extension World {
    func deliver(_ transfer: SnapshotTransfer) throws(Violation) {
        let host = hosts[transfer.to]
        var succeeded = false
        if host.isRunning, !network.isCut(transfer.from, transfer.to) {
            succeeded = try host.receive(transfer)
        } else {
            coverage.count(.snapshotTransferCut)
        }
        add(
            .transferred(
                transfer.from, transfer.fromLife, transfer.message.to, succeeded: succeeded),
            after: network.delay(weather))
    }
}
