internal import NIOCore
internal import NIOHTTP1

/// NIO's decoder; what it cannot read because it is TLS is told apart from other rubbish.
struct PeerRequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    /// The connection begins with a handshake record of TLS, on a port without it.
    struct IsTLS: Error {}

    private let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)

    func decoderAdded(context: ChannelHandlerContext) { decoder.decoderAdded(context: context) }

    func decoderRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
    }

    func decode(
        context: ChannelHandlerContext, buffer: inout ByteBuffer
    ) throws -> DecodingState {
        do { return try decoder.decode(context: context, buffer: &buffer) } catch {
            throw buffer.readableBytesView.starts(with: [0x16, 0x03]) ? IsTLS() : error
        }
    }

    func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        try decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
    }
}
