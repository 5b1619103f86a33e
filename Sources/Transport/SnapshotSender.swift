internal import Cluster
internal import Logging
internal import Logs
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import RaftModel

/// Sends one snapshot to a peer: see `SnapshotTransfer`. On the loop; the file is read on a pool's
/// threads.
final class SnapshotSender: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let transport: PeerTransport
    private let message: Message
    private let source: any SnapshotSource
    private let url: EndpointURL
    private var channel: (any Channel)?
    /// Of the next piece.
    private var offset = 0
    private var movedAt = NIODeadline.now()
    private var nextPieceAt = NIODeadline.now()
    private var status: UInt = 0
    private var text = ByteBuffer()
    private(set) var isOver = false

    /// How much of a refusal's text is looked at.
    private static let textBytesMax = 4096

    init(
        _ transport: PeerTransport, _ message: Message, _ source: any SnapshotSource,
        to url: EndpointURL
    ) {
        self.transport = transport
        self.message = message
        self.source = source
        self.url = url
    }

    /// Asks first how much of it is there already. Whoever does not say has nothing.
    func start() {
        let timing = transport.configuration.timing
        transport.client.get(
            "\(SnapshotTransfer.path)?\(source.identity)", from: url,
            timeout: min(timing.dialTimeout, timing.snapshotAnswerMax)
        ).assumeIsolated().whenComplete { [self] result in
            guard !isOver else { return }
            movedAt = .now()
            if case .success(let answer) = result, answer.status == 503 {
                // Sent now, all of it would come again.
                return end("the member is still busy with what came of it before")
            }
            if case .success(let answer) = result, answer.status == 200,
                let there = Int(String(decoding: answer.body.dropLast(), as: UTF8.self)),
                (0...source.sizeBytes).contains(there)
            {
                offset = there
            }
            connect()
        }
    }

    private func connect() {
        let from = offset > 0 ? ", from byte \(offset) on," : ""
        transport.logger.info(
            "sending the snapshot at index \(index) (\(source.sizeBytes) bytes)\(from) to \(message.to)"
        )
        transport.dialer.connect(to: url, timeout: transport.configuration.timing.dialTimeout)
            .assumeIsolated().whenComplete { [self] result in
                switch result {
                case .success(let channel): connected(channel)
                case .failure(let error): end(DialError.text(of: error))
                }
            }
    }

    private var index: UInt64 { message.snapshot?.metadata.index ?? 0 }

    private func connected(_ channel: any Channel) {
        guard !isOver else { return channel.close(promise: nil) }
        self.channel = channel
        do {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(self)
        } catch {
            return end("\(error)")
        }
        let size = message.encodedSize
        var front = channel.allocator.buffer(capacity: 8 + size)
        front.writeInteger(UInt64(size))
        front.write(bytesMax: size) { message.encode(into: &$0) }
        var head = HTTPRequestHead.toPeer(
            .POST, SnapshotTransfer.path, at: url, headers: transport.requestHeaders)
        head.headers.add(
            name: "Content-Length", value: "\(8 + size + source.sizeBytes - offset)")
        head.headers.add(name: SnapshotTransfer.identityHeader, value: source.identity)
        head.headers.add(name: SnapshotTransfer.offsetHeader, value: "\(offset)")
        head.headers.add(name: "Content-Type", value: "application/octet-stream")
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        write(.body(.byteBuffer(front)), to: channel)
    }

    private func write(_ part: HTTPClientRequestPart, to channel: any Channel) {
        channel.writeAndFlush(part).assumeIsolated().whenComplete { [self] result in
            movedAt = .now()
            switch result {
            case .success: waitForTurn()
            case .failure(let error): end(DialError.text(of: error))
            }
        }
    }

    /// The last piece is in the kernel's hands; the next may go when its time has come.
    private func waitForTurn() {
        let now = NIODeadline.now()
        guard offset < source.sizeBytes, now < nextPieceAt else { return sendNext() }
        _ = transport.eventLoop.assumeIsolated().scheduleTask(deadline: nextPieceAt) { [self] in
            sendNext()
        }
    }

    private func sendNext() {
        guard !isOver, let channel else { return }
        guard offset < source.sizeBytes else {
            return channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        }
        let (source, start) = (source, offset)
        let count = min(SnapshotTransfer.pieceBytes, source.sizeBytes - start)
        let allocator = channel.allocator
        SnapshotTransfer.threads.runIfActive(eventLoop: transport.eventLoop) {
            var piece = allocator.buffer(capacity: count)
            try piece.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
                try source.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: memory.prefix(count)), at: start)
            }
            return piece
        }.assumeIsolated().whenComplete { [self] (result: Result<ByteBuffer, any Error>) in
            guard !isOver else { return }
            switch result {
            case .success(let piece) where piece.readableBytes == count:
                offset += count
                let rate = Int64(transport.configuration.bounds.snapshotBytesPerSecond)
                nextPieceAt = .now() + .nanoseconds(Int64(count) * 1_000_000_000 / rate)
                write(.body(.byteBuffer(piece)), to: channel)
            case .success: end("the file is shorter than it was")
            case .failure(let error): end("\(error)")
            }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        movedAt = .now()
        switch unwrapInboundIn(data) {
        case .head(let head): status = UInt(head.status.code)
        case .body(var bytes):
            guard text.readableBytes < Self.textBytesMax else { return }
            text.writeBuffer(&bytes)
        case .end:
            guard status != 204 else { return end(nil) }
            let line = String(buffer: text).prefix { !$0.isNewline }
            end("it answered \(status): \(line)")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end("the connection was closed")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(DialError.text(of: error))
    }

    /// Gives up if nothing has moved for long: the receiver may have to read all of it again from
    /// its disk before it answers.
    func tick(now: NIODeadline) {
        let timing = transport.configuration.timing
        let isWritten = offset == source.sizeBytes
        let limit = isWritten ? timing.snapshotAnswerMax : timing.snapshotSilenceMax
        if now - movedAt > limit {
            end("nothing moved for \((now - movedAt).nanoseconds / 1_000_000_000) s")
        }
    }

    func stop() {
        isOver = true
        channel?.close(promise: nil)
    }

    /// Nil: it was taken.
    private func end(_ problem: String?) {
        guard !isOver else { return }
        isOver = true
        channel?.close(promise: nil)
        if let problem {
            transport.logger.warning(
                "the snapshot at index \(index) did not get to \(message.to): \(problem)")
        } else {
            transport.logger.info("\(message.to) has taken the snapshot at index \(index)")
        }
        let member = message.to
        transport.notify { $0.snapshotFinished(member, succeeded: problem == nil) }
    }
}
