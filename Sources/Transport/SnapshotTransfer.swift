internal import NIOCore
internal import NIOPosix

/// Snapshots from kvd to kvd: the raft message that tells of one goes ahead, the file itself comes
/// behind it in the same request, so that neither side ever holds more than a few pieces of it.
///
///     GET /raft/snapshot/kvd?IDENTITY          200, a number: so many bytes of that file are here;
///                                              503: not known yet
///
///     POST /raft/snapshot/kvd                  the headers of POST /raft, a Content-Length,
///     +-----------+-----------------+-- ... --+    X-Kvd-Snapshot: IDENTITY
///     | size N    | Message         | file    |    X-Kvd-Offset: bytes of the file that are left out
///     | u64, BE   | N bytes         |         |    the message's snapshot has no data
///     +-----------+-----------------+-- ... --+
///     204: it is verified, durable and handed to raft    503: busy, again later
///     anything else: not taken, and the body says why
///
/// On a connection of its own, so that raft's messages need not wait behind it. A sender reads the
/// next piece when the last one is in the kernel's hands, and not faster than it may; a receiver stops
/// reading from the socket while its disk is behind. A transfer in which nothing moves for long is
/// given up.
///
/// A receiver keeps what it has of a transfer that was cut off, and the next one of the very same file
/// goes on there. The identity is made of the file's checksums, so that another snapshot of the same
/// index, by another member, is never joined to it; and all of it is verified in the end, so that
/// damage on the way is found, and the file fetched anew.
package enum SnapshotTransfer {
    static let path = "/raft/snapshot/kvd"
    static let identityHeader = "X-Kvd-Snapshot"
    static let offsetHeader = "X-Kvd-Offset"
    /// Read and sent at once.
    static let pieceBytes = 256 << 10
    /// What a receiver takes from the socket beyond what its disk has taken.
    static let waitingBytesMax = 2 << 20
    /// A message without data is small, whatever its members.
    static let messageBytesMax = 1 << 20
    /// Coming in at once, from all members; from each, one.
    static let receptionsMax = 2
    /// For what blocks on the disk. Not NIO's own pool, which has a thread for each processor and is
    /// anybody's: who keeps those busy would hold up every transfer, and one that verifies and loads a
    /// large snapshot for seconds would hold up the others' work.
    static let threads = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()
}

/// What a request to send a snapshot brings: some file's bytes from an offset to its end.
package struct SnapshotPart: Equatable, Sendable {
    /// Which file, to the last byte. Empty: its sender does not say, and it cannot be gone on with.
    package var identity: String
    package var offset: Int
    /// Of the whole file.
    package var sizeBytes: Int
}

/// Where a snapshot's bytes come from: a file that does not change. Called on a thread that may
/// block, one call at a time.
package protocol SnapshotSource: AnyObject, Sendable {
    var sizeBytes: Int { get }
    /// Of these bytes and no others: fit for a URL's query.
    var identity: String { get }
    /// Fills `memory` from `offset` on; gives how many bytes it got.
    func read(into memory: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int
}

/// Where the bytes of a snapshot that comes in go. Called on threads that may block, one call at a
/// time, in order. The last is a `finish` that does not throw, or else `suspend` or `abandon`.
package protocol SnapshotSink: AnyObject, Sendable {
    func append(_ bytes: UnsafeRawBufferPointer) throws
    /// Verifies all of it, makes it durable, and loads what raft's owner needs to take it over.
    func finish() throws
    /// The connection was lost: another one may bring the rest.
    func suspend()
    func abandon()
}

package enum SnapshotSinkVerdict {
    case accept(any SnapshotSink)
    case refuse(reason: String)
}
