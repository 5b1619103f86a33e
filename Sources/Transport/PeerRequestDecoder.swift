internal import NIOCore
internal import NIOHTTP1

/// NIO's decoder, fed a piece at a time; what it cannot read because it is TLS is told apart from other
/// rubbish, and what comes after the last answer is not read at all.
struct PeerRequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    /// The connection begins with a handshake record of TLS, on a port without it.
    struct IsTLS: Error {}

    /// Shared with the handler that answers.
    final class Drain {
        /// The last answer is out: what still comes is thrown away unread, so that the caller can read the
        /// answer, which a reset would take from it.
        var isOpen = false
        fileprivate var bytes = 0
        /// Who goes on past it does not want an answer. More than what a sender has under way.
        fileprivate static let bytesMax = 16 << 20
    }

    /// NIO takes all of what it is given before anybody can say that it is not wanted, and chunks of one byte
    /// cost it 150 times what they weigh.
    private static let pieceBytes = 8 << 10

    private let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)
    private let drain: Drain
    /// Bytes of a head that is not whole yet: the decoder has seen them, and leaves them where they are.
    private var seenCount = 0

    init(_ drain: Drain) { self.drain = drain }

    func decoderAdded(context: ChannelHandlerContext) { decoder.decoderAdded(context: context) }

    func decoderRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
    }

    mutating func decode(
        context: ChannelHandlerContext, buffer: inout ByteBuffer
    ) throws -> DecodingState {
        guard !drain.isOpen else {
            pour(&buffer, context)
            return .needMoreData
        }
        let count = min(buffer.readableBytes, seenCount + Self.pieceBytes)
        guard var piece = buffer.getSlice(at: buffer.readerIndex, length: count) else {
            return .needMoreData
        }
        let isTLS = piece.readableBytesView.starts(with: [0x16, 0x03])
        do { _ = try decoder.decode(context: context, buffer: &piece) } catch {
            throw isTLS ? IsTLS() : error
        }
        seenCount = piece.readableBytes
        buffer.moveReaderIndex(forwardBy: count - seenCount)
        return buffer.readableBytes > seenCount ? .continue : .needMoreData
    }

    func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        guard !drain.isOpen else {
            pour(&buffer, context)
            return .needMoreData
        }
        return try decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
    }

    private func pour(_ buffer: inout ByteBuffer, _ context: ChannelHandlerContext) {
        drain.bytes += buffer.readableBytes
        buffer.moveReaderIndex(forwardBy: buffer.readableBytes)
        if drain.bytes > Drain.bytesMax { context.close(promise: nil) }
    }
}
