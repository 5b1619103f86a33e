import KeyStore
package import RaftModel
package import State
package import Storage

/// The bytes of a snapshot of an image, made while they are taken: for a socket, or for a file of any
/// name. One thread at a time; the memory it takes is that of a piece.
package struct SnapshotStream: ~Copyable {
    private let container: SnapshotEncoder
    /// Nil when all of the state has been written.
    private var state: StateEncoder?
    private let pieceBytes: Int
    private var isStarted = false

    package init(_ image: StateImage, _ header: SnapshotHeader, pieceBytes: Int) {
        precondition(pieceBytes > 0)
        container = SnapshotEncoder(header)
        state = StateEncoder(image)
        self.pieceBytes = pieceBytes
    }

    /// The next bytes, at least `pieceBytes` of them but for the last; nil at the end.
    package mutating func next() -> [UInt8]? {
        guard state != nil else { return nil }
        let container = container
        var piece: [UInt8] = []
        if !isStarted {
            isStarted = true
            container.start { piece += $0 }
        }
        // A piece of the state may compress to nothing yet.
        while piece.count < pieceBytes {
            let hasMore = state?.next { part in container.append(part) { piece += $0 } } ?? false
            guard hasMore else {
                state = nil
                container.finish { piece += $0 }
                break
            }
        }
        return piece
    }
}

extension SnapshotHeader {
    /// What a snapshot of `image` says of itself. `createdAt`: by the wall clock, in Unix nanoseconds.
    package init(_ image: StateImage, member: MemberID, cluster: ClusterID, createdAt: Int64) {
        self.init(
            member: member, cluster: cluster, term: image.term, index: image.index,
            confState: image.confState, storeIndex: image.store.currentIndex,
            contentHash: image.contentHash, nodeCount: UInt64(image.nodeCount),
            eventCount: UInt64(image.eventCount), clusterTime: image.clusterTime,
            createdAt: createdAt)
    }
}
