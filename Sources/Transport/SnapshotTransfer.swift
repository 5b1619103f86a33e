/// Snapshots from kvd to kvd: the raft message that tells of one goes ahead, the file itself comes
/// behind it in the same request, so that neither side ever holds more than a few pieces of it.
///
///     POST /raft/snapshot/kvd                  the headers of POST /raft, and a Content-Length
///     +-----------+-----------------+-- ... --+
///     | size N    | Message         | file    |      the message's snapshot has no data
///     | u64, BE   | N bytes         |         |
///     +-----------+-----------------+-- ... --+
///     204: it is verified, durable and handed to raft    503: busy, again later
///     anything else: not taken, and the body says why
///
/// On a connection of its own, so that raft's messages need not wait behind it. A sender reads the
/// next piece when the last one is in the kernel's hands; a receiver stops reading from the socket
/// while its disk is behind. A transfer in which nothing moves for long is given up.
package enum SnapshotTransfer {
    static let path = "/raft/snapshot/kvd"
    /// Read and sent at once.
    static let pieceBytes = 256 << 10
    /// What a receiver takes from the socket beyond what its disk has taken.
    static let waitingBytesMax = 2 << 20
    /// A message without data is small, whatever its members.
    static let messageBytesMax = 1 << 20
    /// Coming in at once, from all members; from each, one.
    static let receptionsMax = 2
}

/// Where a snapshot's bytes come from: a file that does not change. Called on a thread that may
/// block, one call at a time.
package protocol SnapshotSource: AnyObject, Sendable {
    var sizeBytes: Int { get }
    /// Fills `memory` from `offset` on; gives how many bytes it got.
    func read(into memory: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int
}

/// Where the bytes of a snapshot that comes in go. Called on threads that may block, one call at a
/// time, in order. The last is a `finish` that does not throw, or else `abandon`.
package protocol SnapshotSink: AnyObject, Sendable {
    func append(_ bytes: UnsafeRawBufferPointer) throws
    /// Verifies all of it, makes it durable, and loads what raft's owner needs to take it over.
    func finish() throws
    func abandon()
}

package enum SnapshotSinkVerdict {
    case accept(any SnapshotSink)
    case refuse(reason: String)
}
