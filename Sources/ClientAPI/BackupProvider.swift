/// Where `GET /v2/admin/backup` gets its backups from.
package protocol BackupProvider: AnyObject {
    /// Begins a backup of the state as it is now; called on the event loop, and must be quick. Nil:
    /// there is no state yet that could be told from an empty one.
    ///
    /// One backup is made at a time: the one before has been let go.
    func makeBackup() -> (any BackupStream)?
}

/// One backup: the bytes of a snapshot file, made while they are sent. It is let go when it has
/// ended or nobody wants it any more, perhaps before its end.
package protocol BackupStream: BodyStream {
    var facts: BackupFacts { get }
}

/// What is known of a backup before its first byte.
package struct BackupFacts: Equatable, Sendable {
    /// The place in the log whose state it has.
    package var term: UInt64
    package var index: UInt64
    package var storeIndex: UInt64
    package var contentHash: UInt64

    package init(term: UInt64, index: UInt64, storeIndex: UInt64, contentHash: UInt64) {
        (self.term, self.index) = (term, index)
        (self.storeIndex, self.contentHash) = (storeIndex, contentHash)
    }
}
