package import NIOCore

/// Tells a client that there is no room for it, and ends its connection.
package final class ConnectionRefusal: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private let limit: Int
    private let server: StaticString

    package init(limit: Int, by server: StaticString = "member") {
        (self.limit, self.server) = (limit, server)
    }

    package func channelActive(context: ChannelHandlerContext) {
        let body =
            "{\"message\":\"\(limit) connections are open, the most this \(server) takes "
            + "(--max-connections); try again later, or another one\"}\n"
        let answer =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
            + "Retry-After: 1\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer + body)), promise: nil)
        // Not at once: a request that lies unread would reset the connection, and the answer with it.
        context.close(mode: .output, promise: nil)
        context.eventLoop.scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
    }

    /// The request is of no interest.
    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
