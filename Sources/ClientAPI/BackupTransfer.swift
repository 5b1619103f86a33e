internal import NIOCore
internal import NIOPosix

/// Brings one backup to one connection, which asks for each piece when it can send it:
///
///     ConnectionHandler ── resume() ──▶ BackupTransfer ──▶ a pool's thread: BackupStream.next()
///            ▲                               │                              │
///            └── .piece, .end or .failed ────┴────────────◀─────────────────┘
///
/// So what is in memory of it is one piece, and what the channel has not sent. On the loop.
final class BackupTransfer {
    enum Step {
        /// As it goes into the body: a chunk, if the body is chunked.
        case piece(ByteBuffer)
        case end
        /// The body must not look whole.
        case failed
    }

    private let stream: any BackupStream
    private let isChunked: Bool
    private let eventLoop: any EventLoop
    private let take: (Step) -> Void
    private let letGo: () -> Void
    private var isMaking = false
    private var isOver = false

    /// - Parameters:
    ///   - take: gets what `resume` asked for, once for each time, in a later turn of the loop.
    ///   - letGo: called once, when the stream will not be used any more.
    init(
        _ stream: any BackupStream, isChunked: Bool, eventLoop: any EventLoop,
        letGo: @escaping () -> Void, take: @escaping (Step) -> Void
    ) {
        (self.stream, self.isChunked, self.eventLoop) = (stream, isChunked, eventLoop)
        (self.letGo, self.take) = (letGo, take)
    }

    /// Asks for the next piece, unless one has been asked for already.
    func resume() {
        guard !isMaking, !isOver else { return }
        isMaking = true
        let (stream, isChunked) = (stream, isChunked)
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try Self.nextPiece(of: stream, isChunked: isChunked)
        }.assumeIsolated().whenComplete { [self] result in
            isMaking = false
            made(result)
        }
    }

    private func made(_ result: Result<ByteBuffer?, any Error>) {
        if isOver { return letGo() }
        if case .success(let piece?) = result { return take(.piece(piece)) }
        isOver = true
        letGo()
        if case .success = result { take(.end) } else { take(.failed) }
    }

    /// Nobody wants the rest.
    func cancel() {
        guard !isOver else { return }
        isOver = true
        if !isMaking { letGo() }
    }

    private static func nextPiece(
        of stream: any BackupStream, isChunked: Bool
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
