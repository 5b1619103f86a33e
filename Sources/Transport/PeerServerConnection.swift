internal import Cluster
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// One connection that somebody opened to the peer port: which request gets which answer.
///
/// The order of the checks, the status codes and the texts are those of etcd 2.3
/// (`reference/peer-protocol.md` §3). Requests come one after the other, on a kept-alive
/// connection; a stream is the last request of its connection.
enum PeerServerConnection: ~Copyable {
    case idle
    /// A request whose head decided already what becomes of it.
    case reading(Request, body: ByteBuffer)
    case streaming
    case closed

    /// What stays the same while the member runs.
    struct Rules {
        let local: MemberID
        let cluster: ClusterID
        let compatibility: PeerCompatibility
        let features: PeerFeatures
        let bodyBytesMax: Int
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
    }

    enum Action: Equatable {
        case wait
        case answer(Answer)
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
            let request = Request(
                plan: Self.plan(head, rules, standing), isHead: head.method == .HEAD,
                keepsAlive: head.isKeepAlive)
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
                    self = .closed
                    let response = PeerResponse.error(
                        .payloadTooLarge, "request body is longer than \(rules.bodyBytesMax) bytes")
                    return .answer(Answer(response: response, closes: true))
                }
                if case .message = request.plan { body.writeBuffer(&bytes) }
                self = .reading(request, body: body)
                return .wait
            case .end:
                self = .closed
                return finish(request, body, rules, standing)
            }
        case .streaming:  // nothing more is expected of the caller
            self = .streaming
            return .wait
        case .closed:  // late bytes after a refusal: expected, dropped
            self = .closed
            return .wait
        }
    }

    /// Bytes that are no HTTP.
    mutating func failed() -> Action {
        self = .closed
        return .answer(Answer(response: .error(.badRequest, "400 Bad Request"), closes: true))
    }

    /// The last answer has been decided; whatever comes now is late.
    mutating func answeredLast() { self = .closed }

    /// Whether a connection without traffic may be closed.
    var mayTimeOut: Bool {
        switch self {
        case .streaming: false
        default: true
        }
    }

    private mutating func finish(
        _ request: Request, _ body: ByteBuffer, _ rules: Rules,
        _ standing: (MemberID) -> PeerStanding
    ) -> Action {
        var answer = Answer(
            response: PeerResponse(.ok), omitsBody: request.isHead, closes: !request.keepsAlive)
        if case .stream(let stream) = request.plan {
            self = .streaming
            return .open(stream)
        }
        self = request.keepsAlive ? .idle : .closed
        switch request.plan {
        case .message(let caller):
            return Self.judge(body, from: caller, answer, rules, standing)
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
