import ClientAPI
import KVServer
import KeyStore
import State
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
    private let container: SnapshotEncoder
    /// Nil when all of the state has been written.
    private var state: StateEncoder?
    private var isStarted = false
    private var isOver = false

    init(_ image: StateImage, _ keeper: SnapshotKeeper) {
        facts = BackupFacts(
            term: image.term, index: image.index, storeIndex: image.store.currentIndex,
            contentHash: image.contentHash)
        container = SnapshotEncoder(keeper.header(of: image))
        state = StateEncoder(image)
    }

    func next() -> [UInt8]? {
        guard !isOver else { return nil }
        var piece: [UInt8] = []
        if !isStarted {
            isStarted = true
            container.start { piece += $0 }
        }
        // A piece of the state may compress to nothing yet.
        while piece.isEmpty || piece.count < Self.pieceBytes {
            let hasMore = state?.next { part in container.append(part) { piece += $0 } } ?? false
            guard hasMore else {
                state = nil
                isOver = true
                container.finish { piece += $0 }
                break
            }
        }
        return piece
    }

    private static let pieceBytes = 128 << 10
}
