package import KeyStore
package import RaftModel

/// A whole state at one index, unchanging: what a snapshot is written from, on any thread, while
/// the member goes on.
package struct StateImage: Sendable {
    package var store: StoreImage
    /// Of the last entry applied.
    package var term: UInt64
    package var index: UInt64
    package var confState: ConfState
    /// Of the last SYNC applied, in Unix nanoseconds; 0: none was.
    package var clusterTime: Int64

    package init(
        store: StoreImage, term: UInt64, index: UInt64, confState: ConfState, clusterTime: Int64
    ) {
        self.store = store
        (self.term, self.index) = (term, index)
        (self.confState, self.clusterTime) = (confState, clusterTime)
    }

    package var contentHash: UInt64 { store.contentHash }
    package var nodeCount: Int { store.nodeCount }
    package var eventCount: Int { store.eventCount }

    package var metadata: SnapshotMetadata {
        SnapshotMetadata(confState: confState, index: index, term: term)
    }
}
