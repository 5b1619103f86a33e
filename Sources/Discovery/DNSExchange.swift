internal import NIOCore

/// One question and the judgement of what comes back.
struct DNSExchange: Sendable {
    /// Nothing acceptable came in time.
    struct Silent: Error {}

    let question: DNSQuestion
    let id: UInt16

    init(_ question: DNSQuestion, id: UInt16) { (self.question, self.id) = (question, id) }

    var request: [UInt8] { question.encoded(id: id) }

    /// The answer in `bytes`; nil for anything else: another's, a forged or a broken one.
    func accept(_ bytes: [UInt8]) -> DNSMessage? {
        guard let message = DNSMessage(parsing: bytes), message.isAnswer, message.id == id,
            message.question == question
        else { return nil }
        return message
    }
}

/// The exchange over a connected UDP socket.
final class DNSDatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let exchange: DNSExchange
    private let promise: EventLoopPromise<DNSMessage>

    init(_ exchange: DNSExchange, promise: EventLoopPromise<DNSMessage>) {
        (self.exchange, self.promise) = (exchange, promise)
    }

    func channelActive(context: ChannelHandlerContext) {
        guard let server = context.remoteAddress else {
            preconditionFailure("an active, connected socket has a remote address")
        }
        let bytes = ByteBuffer(bytes: exchange.request)
        context.writeAndFlush(
            wrapOutboundOut(AddressedEnvelope(remoteAddress: server, data: bytes)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        // The kernel lets in only what claims to come from the server; the rest is checked here.
        guard let message = exchange.accept(Array(envelope.data.readableBytesView)) else { return }
        promise.succeed(message)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}

/// The exchange over TCP, where each message follows its length in two bytes.
final class DNSStreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Closed: Error, CustomStringConvertible {
        let description = "it closed the connection without an answer"
    }

    private let exchange: DNSExchange
    private let promise: EventLoopPromise<DNSMessage>
    private var received = ByteBuffer()

    init(_ exchange: DNSExchange, promise: EventLoopPromise<DNSMessage>) {
        (self.exchange, self.promise) = (exchange, promise)
    }

    func channelActive(context: ChannelHandlerContext) {
        let request = exchange.request
        var bytes = ByteBuffer()
        bytes.writeInteger(UInt16(request.count))
        bytes.writeBytes(request)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        while let bytes = received.readLengthPrefixedSlice(as: UInt16.self) {
            guard let message = exchange.accept(Array(bytes.readableBytesView)) else { continue }
            return promise.succeed(message)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(Closed())
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}
