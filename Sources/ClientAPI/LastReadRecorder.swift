internal import NIOCore

/// Keeps the bytes of the read being decoded, for one purpose: the decoder gives up at a method it
/// does not know without saying what the request was for, but clients are told which methods the
/// path has (405 and `Allow`). Stands before the decoder.
final class LastReadRecorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private(set) var bytes: ByteBuffer?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes = unwrapInboundIn(data)
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // The memory goes back to the channel's pool.
        bytes = nil
        context.fireChannelReadComplete()
    }

    /// What the last read asks for, if it begins with a whole request line whose only flaw may be
    /// its method.
    func fault() -> RequestFault? {
        guard let line = bytes?.readableBytesView.prefix(while: { $0 != UInt8(ascii: "\r") })
        else { return nil }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(Self.isTokenByte) else {
            return nil
        }
        let version = words[2]
        guard version.elementsEqual("HTTP/1.1".utf8) || version.elementsEqual("HTTP/1.0".utf8)
        else { return nil }
        return .unknownMethod(
            target: String(decoding: words[1], as: UTF8.self),
            isHTTP10: version.last == UInt8(ascii: "0"))
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
