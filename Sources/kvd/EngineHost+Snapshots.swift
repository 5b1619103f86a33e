import Cluster
import KVServer
import Logging
import Logs
import NIOCore
import Raft
import RaftModel
import State
import Storage
import StorageIO
import Transport

/// Snapshots on their way: to the disk, to followers, and from the leader.
extension EngineHost {
    // MARK: To the disk

    func save(_ image: StateImage) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // The closure must not hold the image: it ends on the loop, and freeing what only the image
        // still has, a version of every key written meanwhile, would stop the loop for 50 ms.
        let (loop, index) = (eventLoop, image.index)
        keeper.save(image, pace: Self.pace) { result in
            loop.execute { bound.value.saved(result, index: index) }
        }
    }

    /// Slow enough to leave the log's syncs alone; a million keys take some seconds.
    private static var pace: WritePace { .bytesPerSecond(64 << 20) }

    private func saved(_ result: Result<SnapshotKeeper.Saved, SnapshotError>, index: UInt64) {
        switch result {
        case .success(let saved):
            recordInLog(saved.metadata)
            engine.snapshotSaved(index: index, stateBytes: saved.stateBytes)
            parts?.writer.release(through: saved.oldestIndex)
            let waiting = waitingForSnapshot
            waitingForSnapshot = []
            send(waiting)
        case .failure(let error):
            log.error("the snapshot at index \(index) was not saved: \(error)")
            engine.snapshotFailed(index: index)
            for wanted in waitingForSnapshot {
                engine.reportSnapshot(wanted.member, succeeded: false)
            }
            waitingForSnapshot = []
        }
        needsPump()
    }

    // MARK: To followers

    /// A transfer that was cut off goes on with the file that it began with, as long as the log does.
    func send(_ wanted: [Raft.SnapshotWanted]) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let (loop, keeper) = (eventLoop, keeper)
        for wanted in wanted {
            let isKvd = peerFeatures[wanted.member]?.contains(.snapshots) ?? false
            if isKvd, let file = offers[wanted.member]?.file,
                file.metadata.index >= wanted.indexMin
            {
                send(.file(file), to: wanted)
                continue
            }
            keeper.run {
                let found = keeper.newest(indexMin: wanted.indexMin)
                let outgoing =
                    isKvd ? found.map(SnapshotKeeper.Outgoing.file) : keeper.forEtcd(found)
                loop.execute { bound.value.send(outgoing, to: wanted) }
            }
        }
    }

    private func send(_ outgoing: SnapshotKeeper.Outgoing?, to wanted: Raft.SnapshotWanted) {
        advance()
        guard let outgoing else {
            // None is new enough: the next one will be.
            guard engine.wantSnapshot() else {
                engine.reportSnapshot(wanted.member, succeeded: false)
                return needsPump()
            }
            waitingForSnapshot.append(wanted)
            return needsPump()
        }
        guard var message = engine.snapshotMessage(outgoing.metadata, to: wanted.member) else {
            offers[wanted.member] = nil
            engine.reportSnapshot(wanted.member, succeeded: false)
            return needsPump()
        }
        switch outgoing {
        case .file(let file):
            offers[wanted.member] = SnapshotOffer(file: file)
            parts?.peers.sendSnapshot(message, source: file)
        case .data(let data, _):
            message.snapshot?.data = data
            parts?.peers.send([message])
        }
        needsPump()
    }

    /// What came of the snapshot on its way to `peer`. The file stays open while it may be asked for
    /// again, whatever is purged meanwhile, and the log keeps what follows it.
    func snapshotFinished(_ peer: MemberID, succeeded: Bool) {
        if succeeded {
            offers[peer] = nil
        } else {
            offers[peer]?.failedAt = .now()
        }
        engine.reportSnapshot(peer, succeeded: succeeded)
        needsPump()
    }

    /// Lets go of what nobody has come back for, or is not this member's to send any more.
    func withdrawOffers() {
        let membership = engine.membership
        guard engine.isLeader else { return offers.removeAll() }
        offers = offers.filter { id, offer in
            let isListed = membership.listed.contains { $0.id == id }
            return isListed
                && !(offer.failedAt.map { .now() - $0 > SnapshotOffer.patience } ?? false)
        }
    }

    // MARK: From the leader

    func snapshotSink(
        for message: Message, from peer: MemberID, _ part: SnapshotPart
    ) -> SnapshotSinkVerdict {
        guard let metadata = message.snapshot?.metadata else {
            return .refuse(reason: "the message has no snapshot")
        }
        do throws(IncomingSnapshots.Fault) {
            return .accept(try keeper.incoming.take(metadata, part, keeper))
        } catch {
            return .refuse(reason: "\(error)")
        }
    }

    func snapshotOffset(of identity: String) -> Int? { keeper.incoming.offset(of: identity) }

    /// Makes a file of our own of the state that an etcd 2.x leader sent, and only then tells Raft.
    func takeIn(_ message: Message, _ snapshot: Snapshot) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let (loop, keeper) = (eventLoop, keeper)
        takingInFrom = message.from
        keeper.run {
            let isTaken = keeper.takeIn(snapshot)
            var message = message
            message.snapshot?.data = []
            let bare = message
            loop.execute {
                bound.value.takingInFrom = nil
                if isTaken { bound.value.receiveSnapshot(bare) }
            }
        }
    }

    /// Whether `message` is of a leader whose snapshot is being taken in, and would be refused for
    /// want of it. That leader has its 204 already: at each refusal it sends the whole snapshot again.
    func isOvertaken(_ message: Message) -> Bool {
        message.from == takingInFrom && (message.kind == .append || message.kind == .snapshot)
    }
}

/// A file that a follower is being sent, or was until the connection was lost.
struct SnapshotOffer {
    var file: SnapshotFileSource
    /// Nil: it is on its way.
    var failedAt: NIODeadline?

    /// For a follower to come back after a transfer was cut off.
    static let patience = TimeAmount.seconds(60)
}

/// What the log's writer tells beside its durability.
extension EngineHost {
    func take(_ event: Storage.LogEvent) {
        switch event {
        case .slowSync(let duration, let bytes):
            wal.warning(
                """
                sync of \(bytes) bytes of the log took \(duration.milliseconds) ms: the disk is too slow \
                for its load, and every write waits for it
                """)
        case .segmentRemoved(let name): wal.info("purged file \(name) successfully")
        case .segmentRecycled(let name): wal.debug("segment \(name) will be used again")
        case .segmentArchived(let name, let bytes):
            wal.info("archived segment \(name) in \(bytes) bytes")
        case .archiveFailed(let problem): wal.error("\(problem)")
        case .segmentNotPrepared(let error):
            wal.error(
                """
                cannot make a file of the log ahead: \(error) Tried again every second; if it still cannot \
                be made when the present segment is full, this member stops
                """)
        case .outOfSpace(let error):
            log.error("\(error)")
            engine.diskBecame(full: true)
            needsPump()
        case .spaceIsBack:
            engine.diskBecame(full: false)
            needsPump()
        }
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
