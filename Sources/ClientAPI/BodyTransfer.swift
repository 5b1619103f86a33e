internal import NIOCore
internal import NIOPosix

/// The body of an answer that is made while it is sent.
package protocol BodyStream: AnyObject, Sendable {
    /// The next bytes; nil at the end. Called on threads that may block, one call at a time. Throws
    /// after it has logged why: the client only sees that the answer ends too early.
    func next() throws -> [UInt8]?
}

/// An answer whose body is a stream.
struct BodyOpening {
    /// The head, sent before any of it.
    var answer: Answer
    var stream: any BodyStream
    /// Called once, on the loop, when the stream will not be used any more.
    var letGo: () -> Void = {}
}

/// Brings one stream to one connection, which asks for each piece when it can send it:
///
///     ConnectionHandler ── resume() ──▶ BodyTransfer ──▶ a pool's thread: BodyStream.next()
///            ▲                               │                              │
///            └── .piece, .end or .failed ────┴────────────◀─────────────────┘
///
/// So what is in memory of it is one piece, and what the channel has not sent. On the loop.
final class BodyTransfer {
    enum Step {
        /// As it goes into the body: a chunk, if the body is chunked.
        case piece(ByteBuffer)
        case end
        /// The body must not look whole.
        case failed
    }

    /// Until it is let go. It may keep a version of the store alive, and freeing that can take long:
    /// its last reference is dropped on a thread of the pool.
    private var stream: (any BodyStream)?
    private let isChunked: Bool
    private let eventLoop: any EventLoop
    private let take: (Step) -> Void
    private let letGo: () -> Void
    private var isMaking = false
    private var isOver = false

    /// - Parameter take: gets what `resume` asked for, once for each time, in a later turn of the
    ///   loop.
    init(
        _ opening: BodyOpening, isChunked: Bool, eventLoop: any EventLoop,
        take: @escaping (Step) -> Void
    ) {
        (stream, letGo) = (opening.stream, opening.letGo)
        (self.isChunked, self.eventLoop, self.take) = (isChunked, eventLoop, take)
    }

    /// Asks for the next piece, unless one has been asked for already.
    func resume() {
        guard !isMaking, !isOver, let stream else { return }
        isMaking = true
        let isChunked = isChunked
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try Self.nextPiece(of: stream, isChunked: isChunked)
        }.assumeIsolated().whenComplete { [self] result in
            isMaking = false
            made(result)
        }
    }

    private func made(_ result: Result<ByteBuffer?, any Error>) {
        if isOver { return giveUpStream() }
        if case .success(let piece?) = result { return take(.piece(piece)) }
        isOver = true
        giveUpStream()
        if case .success = result { take(.end) } else { take(.failed) }
    }

    /// Nobody wants the rest.
    func cancel() {
        guard !isOver else { return }
        isOver = true
        if !isMaking { giveUpStream() }
    }

    private func giveUpStream() {
        letGo()
        guard let last = stream.take() else { return }
        NIOThreadPool.singleton.submit { _ in withExtendedLifetime(last) {} }
    }

    private static func nextPiece(
        of stream: any BodyStream, isChunked: Bool
    ) throws -> ByteBuffer? {
        var bytes: [UInt8] = []
        // A chunk of no bytes would be the end of the body.
        while bytes.isEmpty {
            guard let next = try stream.next() else { return nil }
            bytes = next
        }
        var piece = ByteBuffer()
        piece.reserveCapacity(bytes.count + 32)
        if isChunked { piece.writeString(String(bytes.count, radix: 16) + "\r\n") }
        piece.writeBytes(bytes)
        if isChunked { piece.writeString("\r\n") }
        return piece
    }
}
