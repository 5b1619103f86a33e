import RaftModel
import State
import StateFiles
import Storage
import StorageIO
import Transport

/// A leader's snapshot on its way in: to a file, and, when all of it is there, to a state that waits
/// for Raft's word. Called on threads that may block, one call at a time.
final class IncomingSnapshot: SnapshotSink, @unchecked Sendable {
    let name: SnapshotName
    /// Of the sender's file.
    let identity: String
    private let keeper: SnapshotKeeper
    let metadata: SnapshotMetadata
    private let receiver: SnapshotReceiver<PosixStorage>

    /// Begins one.
    init(
        _ keeper: SnapshotKeeper, _ metadata: SnapshotMetadata, identity: String
    ) throws(SnapshotError) {
        (self.keeper, self.metadata, self.identity) = (keeper, metadata, identity)
        name = SnapshotName(term: metadata.term, index: metadata.index, format: .kvd)
        receiver = try keeper.directory.receive(name, identity: identity)
        try receiver.restart()
    }

    /// What the last run of this member has got of one; nil: it is of no use, and is gone now.
    init?(_ keeper: SnapshotKeeper, recovering partial: PartialSnapshot) throws(SnapshotError) {
        let receiver = try keeper.directory.receive(partial.name, identity: partial.identity)
        guard let header = try receiver.keepIntact(), header.name == partial.name,
            header.cluster == keeper.clusterID
        else {
            receiver.abandon()
            return nil
        }
        (self.keeper, self.receiver) = (keeper, receiver)
        (name, identity, metadata) = (partial.name, partial.identity, header.metadata)
    }

    var receivedBytes: Int { receiver.receivedBytes }

    func append(_ bytes: UnsafeRawBufferPointer) throws { try receiver.append(bytes) }

    func finish() throws {
        var image: StateImage?
        let file = try receiver.finish(expecting: metadata) { reader in
            image = try SnapshotLoader<PosixStorage>.decode(reader)
        }
        guard let image else { preconditionFailure("finish has read it") }
        keeper.incoming.settled(name)
        keeper.arrive(image, metadata, stateBytes: Int(file.stateBytes))
    }

    func suspend() { keeper.incoming.suspend(self) }

    func abandon() {
        removeFile()
        keeper.incoming.settled(name)
    }

    func removeFile() { receiver.abandon() }
}
