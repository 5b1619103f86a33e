internal import NIOCore
internal import NIOHTTP1

/// The input side of a connection: puts requests together from what the decoder gives.
///
/// No channel in here, so tests need none. Bodies are bounded: what is over the limit is dropped as
/// it comes, and the request says so.
enum RequestIntake: ~Copyable {
    /// Between requests.
    case idle
    case reading(ClientRequest)
    /// The rest of a body that is already too large.
    case dropping(ClientRequest)
    /// After a fault: nothing that comes is looked at.
    case ended

    enum Action {
        case wait
        /// The client sends its body only after `100 Continue`.
        case expectContinue
        case submit(ClientRequest)
        case refuse(RequestFault)
    }

    /// Etcd's limit of a form.
    static let etcdFormBytesMax = 10 << 20
    /// Other bodies are small JSON documents, or ignored.
    static let otherBodyBytesMax = 64 << 10

    /// - Parameter formBytesMax: the most bytes of a form.
    mutating func received(
        _ part: HTTPServerRequestPart, formBytesMax: Int = etcdFormBytesMax
    ) -> Action {
        switch consume self {
        case .idle:
            guard case .head(let head) = part else {
                preconditionFailure("the decoder gives a head first")
            }
            let facts = HeadFacts(head.headers)
            if let fault = facts.fault(version: head.version) {
                self = .ended
                return .refuse(fault)
            }
            self = .reading(ClientRequest(head: head, body: nil, facts: facts))
            return facts.expectsContinue && head.version.minor >= 1 ? .expectContinue : .wait
        case .reading(var request):
            switch part {
            case .head: preconditionFailure("the decoder ends a request before the next")
            case .body(let bytes):
                let isKept = Self.add(bytes, to: &request, formBytesMax: formBytesMax)
                self = isKept ? .reading(request) : .dropping(request)
                return .wait
            case .end:
                self = .idle
                return .submit(request)
            }
        case .dropping(let request):
            guard case .end = part else {
                self = .dropping(request)
                return .wait
            }
            self = .idle
            return .submit(request)
        case .ended:
            self = .ended
            return .wait
        }
    }

    /// - Returns: false if the body is too large now, and gone.
    private static func add(
        _ bytes: ByteBuffer, to request: inout ClientRequest, formBytesMax: Int
    ) -> Bool {
        let limit = request.facts.mediaType.isForm ? formBytesMax : otherBodyBytesMax
        let count = (request.body?.readableBytes ?? 0) + bytes.readableBytes
        guard count <= limit else {
            request.body = nil
            request.isBodyTooLarge = true
            return false
        }
        if request.body == nil {
            request.body = bytes
        } else {
            request.body?.writeImmutableBuffer(bytes)
        }
        return true
    }

    /// The decoder gave up.
    mutating func failed(_ fault: RequestFault) -> Action {
        switch consume self {
        case .ended:
            self = .ended
            return .wait
        default:
            self = .ended
            return .refuse(fault)
        }
    }

    var isIdle: Bool {
        switch self {
        case .idle: true
        default: false
        }
    }
}
