import Cluster
import NIOCore
import NIOPosix

/// Bytes to and from a port, without TLS.
final class PlainSocket: Sendable {
    private let channel: any Channel
    private let box: TextBox

    private final class Received: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let box: TextBox
        init(_ box: TextBox) { self.box = box }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            box.add(String(buffer: unwrapInboundIn(data)))
        }
    }

    private init(_ channel: any Channel, _ box: TextBox) {
        (self.channel, self.box) = (channel, box)
    }

    static func open(_ url: EndpointURL) async throws -> PlainSocket {
        let box = TextBox()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await ClientBootstrap(group: loop)
            .connectTimeout(.seconds(100))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Received(box))
                }
            }
            .connect(host: url.host, port: Int(url.port)).get()
        return PlainSocket(channel, box)
    }

    var text: String { box.text }
    var isClosed: Bool { !channel.isActive }
    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }
    func close() async throws { try await channel.close().get() }
}
