import ClientAPI
import KVServer
import KeyStore
import State
import StateFiles
import Storage

/// `GET /v2/admin/backup`: a snapshot of the state as it is, written to a socket instead of a file.
final class LiveBackups: BackupProvider {
    private let engine: Engine
    private let keeper: SnapshotKeeper

    init(_ engine: Engine, _ keeper: SnapshotKeeper) {
        (self.engine, self.keeper) = (engine, keeper)
    }

    /// Quick: the state is not copied, it is kept.
    func makeBackup() -> (any BackupStream)? {
        guard engine.appliedIndex > 0, engine.isReadable else { return nil }
        return LiveBackup(engine.state.image(), keeper)
    }
}

/// One of them, on its way. Its `next` is called by one thread at a time.
private final class LiveBackup: BackupStream, @unchecked Sendable {
    let facts: BackupFacts
    private var stream: SnapshotStream

    init(_ image: StateImage, _ keeper: SnapshotKeeper) {
        facts = BackupFacts(
            term: image.term, index: image.index, storeIndex: image.store.currentIndex,
            contentHash: image.contentHash)
        stream = SnapshotStream(image, keeper.header(of: image), pieceBytes: 128 << 10)
    }

    func next() -> [UInt8]? { stream.next() }
}
