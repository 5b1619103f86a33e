internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// One connection that we opened for a peer's stream: asks for it, decodes what comes.
///
/// Messages are handed on when the socket has been read, all of them in one call.
final class StreamReadHandler<Decoder: FrameDecoder>: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let owner: StreamDialer
    private let attempt: UInt64
    private let head: HTTPRequestHead
    private var answer = StreamAnswer.awaited
    private var reader: FrameReader<Decoder>
    private var messages: [Message] = []
    private var messageBytes = 0

    init(_ owner: StreamDialer, _ attempt: UInt64, _ head: HTTPRequestHead, _ decoder: Decoder) {
        self.owner = owner
        self.attempt = attempt
        self.head = head
        reader = FrameReader(decoder)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        precondition(context.channel.isActive, "the handler is added to an open connection")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        run(answer.received(unwrapInboundIn(data)), context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        owner.wasRead(attempt: attempt)
        deliver()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deliver()
        run(answer.closed(.ended), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        run(answer.closed(Self.fault(error)), context)
    }

    private static func fault(_ error: any Error) -> DialFault {
        switch error {
        case HTTPParserError.invalidEOFState: .cut
        case is HTTPParserError: .notHTTP("\(error)")
        default: .connection(DialError.text(of: error))
        }
    }

    private func run(_ action: StreamAnswer.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .wait: break
        case .open(let features): owner.opened(features, attempt: attempt)
        case .read(let bytes): read(bytes, context)
        case .fail(let fault):
            deliver()
            owner.fail(fault, attempt: attempt)
            context.close(promise: nil)
        }
    }

    private func read(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        var bytes = bytes
        messageBytes += bytes.readableBytes
        do throws(StreamFault) { try reader.read(&bytes, into: &messages) } catch {
            run(answer.closed(.faulty(error)), context)
        }
    }

    private func deliver() {
        guard !messages.isEmpty else { return }
        owner.received(messages, bytes: messageBytes, attempt: attempt)
        messages.removeAll(keepingCapacity: true)
        messageBytes = 0
    }
}
