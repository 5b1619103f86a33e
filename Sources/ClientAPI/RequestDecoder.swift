package import NIOCore
package import NIOHTTP1

/// NIO's decoder, with two things added.
///
/// It gives up at a method it does not know without saying what the request was for, but clients
/// are told which methods the path has (405 and `Allow`). So what it gave up at is kept.
///
/// It refuses a target with bytes above ASCII, which people type (`curl …/v2/keys/ключ`) and etcd
/// takes. Such a request line is escaped, which means the same, and read again. That works for the
/// first request of a read only: one that follows another in the same read, whose answer was not
/// waited for, is refused.
package struct RequestDecoder: ByteToMessageDecoder {
    package typealias InboundOut = HTTPServerRequestPart

    private var decoder: HTTPRequestDecoder
    private let limits: NIOHTTPDecoderLimitConfiguration
    private let leftover: DecoderLeftover
    /// What was consumed since the last part came: the beginning of a head.
    private var headBegun: ByteBuffer?
    /// A request with an escaped line, as far as the decoder has not consumed it.
    private var escaped: ByteBuffer?
    /// Its line has not ended yet.
    private var isLineOpen = false

    package init(_ configuration: ClientServerConfiguration, leftover: DecoderLeftover) {
        limits = Self.limits(configuration)
        self.leftover = leftover
        decoder = Self.makeDecoder(limits)
    }

    private static func limits(
        _ configuration: ClientServerConfiguration
    ) -> NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.headerFieldBytesMax
        limits.maxHeaderListSize = configuration.headerBytesMax
        limits.maxHeaderFieldCount = configuration.headerFieldsMax
        return limits
    }

    private static func makeDecoder(
        _ limits: NIOHTTPDecoderLimitConfiguration
    ) -> HTTPRequestDecoder {
        HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
    }

    package func decoderAdded(context: ChannelHandlerContext) {
        decoder.decoderAdded(context: context)
    }

    package func decoderRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
    }

    package mutating func decode(
        context: ChannelHandlerContext, buffer: inout ByteBuffer
    ) throws -> DecodingState {
        leftover.hadBytes = true
        if escaped != nil { return try decodeEscaped(context: context, adding: &buffer) }
        let (start, partsCount) = (buffer.readerIndex, leftover.partsCount)
        do {
            let state = try decoder.decode(context: context, buffer: &buffer)
            if leftover.partsCount != partsCount {
                headBegun = nil
            } else if buffer.readerIndex > start {
                // What has been consumed cannot be read any more, but it is there.
                let count = buffer.readerIndex - start
                var whole = buffer
                whole.moveReaderIndex(to: start)
                if let bytes = whole.readSlice(length: count) { headBegun.append(bytes) }
            }
            return state
        } catch {
            leftover.bytes = buffer
            guard error as? HTTPParserError == .invalidURL, leftover.partsCount == partsCount
            else { throw error }
            return try beginAnew(context: context, buffer: &buffer, error)
        }
    }

    /// Reads the request from its beginning, with its line escaped.
    private mutating func beginAnew(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, _ error: any Error
    ) throws -> DecodingState {
        headBegun.append(buffer)
        guard var head = headBegun, RequestLine.isEscapable(head.readableBytesView) else {
            throw error
        }
        buffer.moveReaderIndex(to: buffer.writerIndex)
        headBegun = nil
        decoder.decoderRemoved(context: context)
        decoder = Self.makeDecoder(limits)
        decoder.decoderAdded(context: context)
        (escaped, isLineOpen) = (ByteBuffer(), true)
        return try decodeEscaped(context: context, adding: &head)
    }

    private mutating func decodeEscaped(
        context: ChannelHandlerContext, adding buffer: inout ByteBuffer
    ) throws -> DecodingState {
        var bytes = takeEscaped(adding: &buffer)
        do {
            let state = try decoder.decode(context: context, buffer: &bytes)
            if bytes.readableBytes > 0 || isLineOpen { escaped = bytes }
            return state
        } catch {
            leftover.bytes = bytes
            throw error
        }
    }

    private mutating func takeEscaped(adding buffer: inout ByteBuffer) -> ByteBuffer {
        var bytes = escaped ?? ByteBuffer()
        escaped = nil
        bytes.discardReadBytes()
        RequestLine.escape(&buffer, into: &bytes, isLineOpen: &isLineOpen)
        return bytes
    }

    package mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        guard escaped != nil else {
            return try decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
        }
        var bytes = takeEscaped(adding: &buffer)
        return try decoder.decodeLast(context: context, buffer: &bytes, seenEOF: seenEOF)
    }
}

/// The first line of a request, as bytes that may be above ASCII.
private enum RequestLine {
    /// Whether such bytes are what is wrong with it.
    static func isEscapable(_ head: ByteBufferView) -> Bool {
        let line = head.prefix { $0 != UInt8(ascii: "\n") }
        let method = line.prefix { $0 != UInt8(ascii: " ") }
        return !method.isEmpty && method.allSatisfy(DecoderLeftover.isTokenByte)
            && line.contains { $0 >= 0x80 }
    }

    /// Moves all of `source` to `target`, and escapes what belongs to the line.
    static func escape(
        _ source: inout ByteBuffer, into target: inout ByteBuffer, isLineOpen: inout Bool
    ) {
        while isLineOpen, let byte = source.readInteger(as: UInt8.self) {
            if byte >= 0x80 {
                target.writeString("%" + String(byte, radix: 16))
            } else {
                target.writeInteger(byte)
            }
            if byte == UInt8(ascii: "\n") { isLineOpen = false }
        }
        target.writeBuffer(&source)
    }
}

extension ByteBuffer? {
    fileprivate mutating func append(_ bytes: ByteBuffer) {
        if self == nil { self = bytes } else { self?.writeImmutableBuffer(bytes) }
    }
}

/// What a `RequestDecoder` says beside its parts.
package final class DecoderLeftover {
    /// The bytes that it gave up at.
    fileprivate(set) var bytes: ByteBuffer?
    /// It was given bytes.
    fileprivate var hadBytes = false
    /// Parts of requests that have come to the handler behind the decoder.
    package var partsCount = 0

    package init() {}

    /// Whether it was given bytes since the last call.
    package func takeHadBytes() -> Bool {
        defer { hadBytes = false }
        return hadBytes
    }

    /// Whether they are the beginning of TLS: a handshake record of version 3.
    package var isTLS: Bool { bytes?.readableBytesView.starts(with: [0x16, 0x03]) ?? false }

    /// What to log of it, on a port without TLS.
    package static func complaintOfTLS(from address: SocketAddress?) -> String {
        "a client at \(address?.ipAddress ?? "?") speaks TLS to a port without it: it has to use "
            + "http://, or --listen-client-urls https:// with --cert-file and --key-file"
    }

    /// What is wrong with what came.
    ///
    /// - Parameters:
    ///   - isIdle: nothing of a request was here before.
    ///   - partsInRead: that came with the same read.
    package func fault(
        for error: HTTPParserError, isIdle: Bool, partsInRead: Int, origins: CrossOrigins
    ) -> RequestFault {
        if error == .headerOverflow { return .headersTooLarge }
        if error == .invalidMethod, isIdle, partsInRead == 0,
            let fault = unknownMethod(origins)
        {
            return fault
        }
        return .malformed
    }

    /// What they ask for, if they begin with a whole request line whose only flaw may be its
    /// method. Only for the first request of a read: others would be behind whole ones.
    private func unknownMethod(_ origins: CrossOrigins) -> RequestFault? {
        guard let bytes = bytes?.readableBytesView else { return nil }
        let line = bytes.prefix { $0 != UInt8(ascii: "\r") }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(Self.isTokenByte) else {
            return nil
        }
        let version = words[2]
        guard version.elementsEqual("HTTP/1.1".utf8) || version.elementsEqual("HTTP/1.0".utf8)
        else { return nil }
        return .unknownMethod(
            target: String(decoding: words[1], as: UTF8.self),
            isHTTP10: version.last == UInt8(ascii: "0"),
            grant: origins.isEmpty ? .none : origins.grant(to: Self.origin(in: bytes)))
    }

    /// The request's `Origin`, as far as its headers came with its line.
    private static func origin(in head: ByteBufferView) -> String? {
        for line in head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .dropFirst()
        {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if line.isEmpty { return nil }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = String(decoding: line[..<colon], as: UTF8.self)
            guard name.lowercased() == "origin" else { continue }
            var value = line[line.index(after: colon)...].drop(while: isSpace)
            while value.last.map(isSpace) ?? false { value.removeLast() }
            return String(decoding: value, as: UTF8.self)
        }
        return nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
