internal import Cluster
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// One request on a connection of its own, which ends with the answer.
final class HTTPCallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let url: EndpointURL
    private let head: HTTPRequestHead
    private let form: String?
    private let bytesMax: Int
    private let timeout: TimeAmount?
    private var promise: EventLoopPromise<PeerClient.Answer>?
    private var answer: PeerClient.Answer?
    private var sentAt = NIODeadline.now()

    init(
        _ url: EndpointURL, _ head: HTTPRequestHead, form: String?, bytesMax: Int,
        timeout: TimeAmount?, promise: EventLoopPromise<PeerClient.Answer>
    ) {
        self.url = url
        self.head = head
        self.form = form
        self.bytesMax = bytesMax
        self.timeout = timeout
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        sentAt = .now()
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let form {
            let bytes = ByteBuffer(string: form)
            context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if let timeout { limit(timeout, context) }
    }

    private func limit(_ timeout: TimeAmount, _ context: ChannelHandlerContext) {
        let channel = context.channel
        let milliseconds = timeout.nanoseconds / 1_000_000
        let timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            self?.fail("no answer within \(milliseconds) ms")
            channel.close(promise: nil)
        }
        promise?.futureResult.whenComplete { _ in timer.cancel() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let cluster = head.headers.first(name: PeerHeader.cluster)
                .flatMap { ClusterID(hex: $0) }
            answer = PeerClient.Answer(
                status: Int(head.status.code), clusterID: cluster, body: [], roundTrip: .zero,
                headers: head.headers)
        case .body(let bytes):
            guard let length = answer?.body.count, length + bytes.readableBytes <= bytesMax else {
                fail("its answer is longer than \(bytesMax) bytes")
                return context.close(promise: nil)
            }
            answer?.body.append(contentsOf: bytes.readableBytesView)
        case .end:
            guard var answer, let promise else { return }
            answer.roundTrip = .nanoseconds((NIODeadline.now() - sentAt).nanoseconds)
            self.promise = nil
            promise.succeed(answer)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("the connection was closed before the answer was complete")
        context.fireChannelInactive()
    }

    /// A connection that was closed before this handler was added tells it nothing else.
    func handlerRemoved(context: ChannelHandlerContext) {
        fail("the connection was closed before the answer was complete")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(DialError.text(of: error))
        context.close(promise: nil)
    }

    private func fail(_ problem: String) {
        promise?.fail(PeerClientError(url: url, problem: problem))
        promise = nil
    }
}
