internal import Cluster
internal import NIOCore

/// Asks an HTTP proxy for a connection to somebody else, by `CONNECT`, and leaves the pipeline when it
/// is there. The other side speaks only when it is spoken to, so nothing of it comes with the answer.
///
///     CONNECT disc.example:443 HTTP/1.1 ──▶
///                                       ◀── HTTP/1.1 200 Connection established
final class ConnectTunnel: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Why there is no tunnel.
    struct Refused: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    private let target: EndpointURL
    private let timeout: TimeAmount
    private var promise: EventLoopPromise<Void>?
    private var timer: Scheduled<Void>?
    private var answer = ByteBuffer()

    private static let answerBytesMax = 16 << 10

    /// - Parameter promise: kept when the tunnel is there.
    init(to target: EndpointURL, timeout: TimeAmount, _ promise: EventLoopPromise<Void>) {
        (self.target, self.timeout, self.promise) = (target, timeout, promise)
    }

    /// The tunnel on a connection to the proxy that stands.
    static func open(
        on channel: any Channel, to target: EndpointURL, timeout: TimeAmount
    ) throws -> EventLoopFuture<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        let tunnel = ConnectTunnel(to: target, timeout: timeout, promise)
        try channel.pipeline.syncOperations.addHandler(tunnel)
        return promise.futureResult
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let place = target.hostAndPort
        let request = "CONNECT \(place) HTTP/1.1\r\nHost: \(place)\r\nUser-Agent: kvd\r\n\r\n"
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
        let channel = context.channel
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            self?.fail("it did not answer CONNECT in time")
            channel.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard promise != nil else { return context.fireChannelRead(data) }
        answer.writeImmutableBuffer(unwrapInboundIn(data))
        let text = String(buffer: answer)
        guard text.contains("\r\n\r\n") || text.contains("\n\n") else {
            if answer.readableBytes > Self.answerBytesMax {
                refuse("its answer to CONNECT does not end", context)
            }
            return
        }
        let line = text.prefix { !$0.isNewline }
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1] == "200" else {
            return refuse("it refuses CONNECT \(target.hostAndPort): \(line.prefix(200))", context)
        }
        timer?.cancel()
        let promise = promise
        self.promise = nil
        // What follows stands where this handler was.
        context.pipeline.syncOperations.removeHandler(context: context)
            .whenComplete { _ in promise?.succeed() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("it ended the connection instead of answering CONNECT")
        context.fireChannelInactive()
    }

    private func refuse(_ problem: String, _ context: ChannelHandlerContext) {
        fail(problem)
        context.close(promise: nil)
    }

    private func fail(_ problem: String) {
        timer?.cancel()
        promise?.fail(Refused(description: problem))
        promise = nil
    }
}
