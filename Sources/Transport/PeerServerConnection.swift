internal import Cluster
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// One connection that somebody opened to the peer port: which request gets which answer.
///
/// The order of the checks, the status codes and the texts are those of etcd 2.3
/// (`reference/peer-protocol.md` §3). Requests come one after the other, on a kept-alive
/// connection; a stream is the last request of its connection.
///
/// A message of megabytes takes tens of milliseconds to decode, which the member's one loop does not
/// have: that is done by another thread, and the connection waits for it.
enum PeerServerConnection: ~Copyable {
    case idle
    /// A request whose head decided already what becomes of it.
    case reading(Request, body: ByteBuffer)
    /// Its message is being decoded, on another thread.
    case decoding(Request)
    case streaming
    case closed

    /// What stays the same while the member runs.
    struct Rules {
        let local: MemberID
        let cluster: ClusterID
        let compatibility: PeerCompatibility
        let features: PeerFeatures
        let bodyBytesMax: Int
        /// A longer body is not decoded on the loop.
        let promptBodyBytesMax: Int
    }

    struct Request {
        var plan: Plan
        var isHead: Bool
        var keepsAlive: Bool
    }

    /// What a request's head makes of it.
    enum Plan {
        case message(PeerCaller)
        case snapshot(SnapshotRequest)
        /// How much is here of the snapshot of this identity.
        case snapshotOffset(String)
        case stream(StreamRequest)
        case probing
        case members
        case version
        case refuse(PeerResponse)
        case meet(PeerCaller, PeerResponse)
    }

    struct StreamRequest: Equatable {
        var kind: StreamKind
        var peer: MemberID
        var caller: PeerCaller
        var response: PeerResponse
    }

    struct SnapshotRequest: Equatable {
        var bodyBytes: Int
        var identity: String
        var offset: Int
    }

    struct Answer: Equatable {
        var response: PeerResponse
        var omitsBody = false
        var closes = false

        init(response: PeerResponse, omitsBody: Bool = false, closes: Bool = false) {
            (self.response, self.omitsBody, self.closes) = (response, omitsBody, closes)
        }

        init(to request: Request) {
            self.init(
                response: PeerResponse(.ok), omitsBody: request.isHead,
                closes: !request.keepsAlive)
        }
    }

    enum Action: Equatable {
        case wait
        case answer(Answer)
        /// Let go of what has come of the body (`answeredLast`), and answer.
        case refuseBody(Answer)
        /// Decode the body on another thread, and come back with `decoded`.
        case decode(ByteBuffer)
        /// Hand the message over, then answer.
        case deliver(Message, PeerCaller, Answer)
        /// More of a snapshot that comes in.
        case takeSnapshot(ByteBuffer, SnapshotRequest)
        /// It is all there: see what becomes of it, and answer that.
        case endSnapshot
        /// Answer, and from then on the connection is the peer's stream.
        case open(StreamRequest)
        /// A caller that is no member, but says where it is: answer, and be ready to answer its
        /// messages by POST.
        case meet(PeerCaller, Answer)
        /// Fill the answer's body from what the member knows now.
        case answerProbe(Answer)
        case answerMembers(Answer)
        case answerVersion(Answer)
        case answerSnapshotOffset(Answer, identity: String)
    }

    /// - Parameter standing: what this member's log says of an id.
    mutating func received(
        _ part: HTTPServerRequestPart, _ rules: Rules, standing: (MemberID) -> PeerStanding
    ) -> Action {
        switch consume self {
        case .idle:
            guard case .head(let head) = part else {
                preconditionFailure("the decoder sends a head first")
            }
            let plan = Self.plan(head, rules, standing)
            if let refusal = Self.refusal(ofBody: head, plan, rules) {
                self = .closed
                return .answer(Answer(response: refusal, closes: true))
            }
            let request = Request(
                plan: plan, isHead: head.method == .HEAD,
                keepsAlive: head.isKeepAlive && !Self.changesProtocol(head))
            self = .reading(request, body: ByteBuffer())
            return .wait
        case .reading(let request, var body):
            switch part {
            case .head: preconditionFailure("the decoder sends an end before the next head")
            case .body(let bytes):
                if case .snapshot(let snapshot) = request.plan {
                    self = .reading(request, body: body)
                    return .takeSnapshot(bytes, snapshot)
                }
                var bytes = bytes
                guard body.readableBytes + bytes.readableBytes <= rules.bodyBytesMax else {
                    self = .reading(request, body: body)
                    return .refuseBody(Answer(response: .tooLong(rules), closes: true))
                }
                if case .message = request.plan { body.writeBuffer(&bytes) }
                self = .reading(request, body: body)
                return .wait
            case .end:
                self = .closed
                return finish(request, body, rules, standing)
            }
        case .decoding(var request):  // nobody who means well asks on before the answer
            request.keepsAlive = false
            self = .decoding(request)
            return .wait
        case .streaming:  // nothing more is expected of the caller
            self = .streaming
            return .wait
        case .closed:  // late bytes after a refusal: expected, dropped
            self = .closed
            return .wait
        }
    }

    /// What follows such a request is no HTTP, for those who go along with it.
    private static func changesProtocol(_ head: HTTPRequestHead) -> Bool {
        head.method == .CONNECT || head.headers.contains(name: "Upgrade")
    }

    /// Why nothing of the body is waited for; nil: it may come.
    ///
    /// No peer sends chunks: etcd 2.x knows the length of what it posts (but of a snapshot of the v3 store, for
    /// which there is no place here).
    private static func refusal(
        ofBody head: HTTPRequestHead, _ plan: Plan, _ rules: Rules
    ) -> PeerResponse? {
        if head.headers.contains(name: "Transfer-Encoding") {
            guard case .refuse(let response) = plan else {
                return .error(.lengthRequired, "Content-Length is missing")
            }
            return response
        }
        guard case .message = plan,
            let length = head.headers.first(name: "Content-Length").flatMap({ Int($0) }),
            length > rules.bodyBytesMax
        else { return nil }
        return .tooLong(rules)
    }

    /// Bytes that are no HTTP.
    mutating func failed() -> Action {
        self = .closed
        return .answer(Answer(response: .error(.badRequest, "400 Bad Request"), closes: true))
    }

    /// What has been made of the body that a `decode` gave out; nil: it is no message.
    mutating func decoded(
        _ message: Message?, _ rules: Rules, standing: (MemberID) -> PeerStanding
    ) -> Action {
        switch consume self {
        case .decoding(let request):
            self = request.keepsAlive ? .idle : .closed
            guard case .message(let caller) = request.plan else {
                preconditionFailure("only messages are decoded")
            }
            return Self.judge(message, from: caller, Answer(to: request), rules, standing)
        case .closed:  // meanwhile
            self = .closed
            return .wait
        default: preconditionFailure("nothing but an end comes between `decode` and this")
        }
    }

    /// The last answer has been decided; whatever comes now is late.
    ///
    /// - Returns: what had come of a body.
    mutating func answeredLast() -> ByteBuffer? {
        switch consume self {
        case .reading(_, let body):
            self = .closed
            return body
        default:
            self = .closed
            return nil
        }
    }

    /// Whether a connection without traffic may be closed.
    var mayTimeOut: Bool {
        switch self {
        case .streaming: false
        case .decoding: false
        default: true
        }
    }

    private mutating func finish(
        _ request: Request, _ body: ByteBuffer, _ rules: Rules,
        _ standing: (MemberID) -> PeerStanding
    ) -> Action {
        var answer = Answer(to: request)
        if case .stream(let stream) = request.plan {
            self = .streaming
            return .open(stream)
        }
        if case .message = request.plan, body.readableBytes > rules.promptBodyBytesMax {
            self = .decoding(request)
            return .decode(body)
        }
        self = request.keepsAlive ? .idle : .closed
        switch request.plan {
        case .message(let caller):
            return Self.judge(Self.decode(body), from: caller, answer, rules, standing)
        case .snapshot:
            self = .closed
            return .endSnapshot
        case .probing: return .answerProbe(answer)
        case .members: return .answerMembers(answer)
        case .version: return .answerVersion(answer)
        case .snapshotOffset(let identity):
            return .answerSnapshotOffset(answer, identity: identity)
        case .refuse(let response):
            answer.response = response
            return .answer(answer)
        case .meet(let caller, let response):
            answer.response = response
            return .meet(caller, answer)
        case .stream: preconditionFailure("streams were opened above")
        }
    }
}

extension PeerResponse {
    fileprivate static func tooLong(_ rules: PeerServerConnection.Rules) -> PeerResponse {
        .error(.payloadTooLarge, "request body is longer than \(rules.bodyBytesMax) bytes")
    }
}
