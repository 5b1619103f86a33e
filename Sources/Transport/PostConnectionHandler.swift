internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// One kept-alive connection for POSTs: writes a request, collects its answer.
final class PostConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct Answer {
        var status: UInt
        var keepsAlive: Bool
        var features: PeerFeatures
        var text = ByteBuffer()
    }

    let slot: Int
    private weak var owner: PostSender?
    private var context: ChannelHandlerContext?
    private var answer: Answer?
    /// When something last moved on this connection, and the bytes that were left to go then.
    private(set) var movedAt = NIODeadline.now()
    private var waitingBytes = 0

    private static let textBytesMax = 1024

    init(_ owner: PostSender, slot: Int) {
        self.owner = owner
        self.slot = slot
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func post(_ message: Message, _ head: HTTPRequestHead) {
        guard let context else { return }
        let size = message.encodedSize
        var body = context.channel.allocator.buffer(capacity: size)
        body.write(bytesMax: size) { message.encode(into: &$0) }
        var head = head
        head.headers.add(name: "Content-Length", value: String(size))
        head.headers.add(name: "Content-Type", value: "application/protobuf")
        answer = nil
        movedAt = .now()
        waitingBytes = size
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        movedAt = .now()
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = Answer(
                status: head.status.code, keepsAlive: head.isKeepAlive,
                features: PeerFeatures(header: head.headers.first(name: PeerFeatures.headerName)))
        case .body(var bytes):
            guard let answer, answer.text.readableBytes < Self.textBytesMax else { return }
            self.answer?.text.writeBuffer(&bytes)
        case .end:
            guard let answer else { return }
            self.answer = nil
            owner?.answered(answer, by: self)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        owner?.lost(self, hasBegun: answer != nil, "the connection was closed")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        owner?.lost(self, hasBegun: answer != nil, DialError.text(of: error))
        context.close(promise: nil)
    }

    /// How long nothing has moved, neither way; `isWritten` when all of the request is gone.
    func stillness(now: NIODeadline) -> (time: TimeAmount, isWritten: Bool) {
        let waiting = (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if waiting < waitingBytes {
            waitingBytes = waiting
            movedAt = now
        }
        return (now - movedAt, waiting == 0)
    }

    func close() { context?.close(promise: nil) }
}
