internal import NIOCore
internal import NIOHTTP1

/// The answer to one `GET /raft/stream/…`: a stream, or a refusal with its text.
enum StreamAnswer: ~Copyable {
    case awaited
    case streaming
    case refused(status: UInt, text: ByteBuffer)
    case over

    enum Action: Equatable {
        case wait
        /// The stream stands; the peer's features as its answer tells them.
        case open(PeerFeatures)
        /// Bytes of the stream.
        case read(ByteBuffer)
        case fail(DialFault)
    }

    /// Of a refusal's text; the rest is not needed to understand it.
    private static var textBytesMax: Int { 1024 }

    mutating func received(_ part: HTTPClientResponsePart) -> Action {
        switch consume self {
        case .awaited:
            guard case .head(let head) = part else {
                preconditionFailure("the decoder sends a head first")
            }
            guard head.status == .ok else {
                self = .refused(status: head.status.code, text: ByteBuffer())
                return .wait
            }
            self = .streaming
            return .open(PeerFeatures(header: head.headers.first(name: PeerFeatures.headerName)))
        case .streaming:
            guard case .body(let bytes) = part else {
                self = .over
                return .fail(.ended)
            }
            self = .streaming
            return .read(bytes)
        case .refused(let status, var text):
            if case .body(var bytes) = part {
                if text.readableBytes < Self.textBytesMax { text.writeBuffer(&bytes) }
                self = .refused(status: status, text: text)
                return .wait
            }
            self = .over
            return .fail(Self.fault(status, text))
        case .over:
            self = .over
            return .wait
        }
    }

    /// The connection is closed, or will be, for the reason given.
    mutating func closed(_ fault: DialFault) -> Action {
        switch consume self {
        case .awaited:
            self = .over
            return .fail(fault)
        case .streaming:
            self = .over
            return .fail(fault)
        case .refused(let status, let text):
            self = .over
            return .fail(Self.fault(status, text))
        case .over:
            self = .over
            return .wait
        }
    }

    private static func fault(_ status: UInt, _ text: ByteBuffer) -> DialFault {
        let shown = String(buffer: text).prefix { !$0.isNewline }
        switch status {
        case 404: return .notRecognised(String(shown))
        case 410: return .removed
        case 412: return .mismatch(String(shown))
        default: return .status(status, String(shown))
        }
    }
}
