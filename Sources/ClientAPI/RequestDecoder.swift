internal import NIOCore
internal import NIOHTTP1

/// NIO's decoder, with one thing added: it gives up at a method it does not know without saying
/// what the request was for, but clients are told which methods the path has (405 and `Allow`).
/// So what it gave up at is kept.
struct RequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    private let decoder: HTTPRequestDecoder
    private let leftover: DecoderLeftover

    init(limits: NIOHTTPDecoderLimitConfiguration, leftover: DecoderLeftover) {
        decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
        self.leftover = leftover
    }

    func decoderAdded(context: ChannelHandlerContext) { decoder.decoderAdded(context: context) }

    func decoderRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
    }

    func decode(
        context: ChannelHandlerContext, buffer: inout ByteBuffer
    ) throws -> DecodingState {
        leftover.hadBytes = true
        do { return try decoder.decode(context: context, buffer: &buffer) } catch {
            leftover.bytes = buffer
            throw error
        }
    }

    func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        try decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
    }
}

/// What a `RequestDecoder` says beside its parts.
final class DecoderLeftover {
    /// The bytes that it gave up at.
    fileprivate(set) var bytes: ByteBuffer?
    /// It was given bytes.
    fileprivate var hadBytes = false

    /// Whether it was given bytes since the last call.
    func takeHadBytes() -> Bool {
        defer { hadBytes = false }
        return hadBytes
    }

    /// What they ask for, if they begin with a whole request line whose only flaw may be its
    /// method. Only for the first request of a read: others would be behind whole ones.
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
