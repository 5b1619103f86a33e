internal import NIOCore

/// Tells that bytes came, also such as end no part of a request.
final class InputNotice: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var hadBytes = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hadBytes = true
        context.fireChannelRead(data)
    }

    /// Whether there were any since the last call.
    func take() -> Bool {
        defer { hadBytes = false }
        return hadBytes
    }
}
