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
    private let metadata: SnapshotMetadata
    private let receiver: SnapshotReceiver<PosixStorage>

    init(
        _ keeper: SnapshotKeeper, _ metadata: SnapshotMetadata, identity: String
    ) throws(SnapshotError) {
        (self.keeper, self.metadata, self.identity) = (keeper, metadata, identity)
        name = SnapshotName(term: metadata.term, index: metadata.index, format: .kvd)
        receiver = try keeper.directory.receive(name)
        try receiver.restart()
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
