internal import Cluster
internal import NIOCore
internal import NIOHTTP1
internal import ProtoWire
internal import RaftModel

/// The routes of the peer port, and the checks of each in etcd's order.
extension PeerServerConnection {
    static func plan(
        _ head: HTTPRequestHead, _ rules: Rules, _ standing: (MemberID) -> PeerStanding
    ) -> Plan {
        let path = head.uri.prefix { $0 != "?" }
        switch path {
        case "/raft":
            guard head.method == .POST else { return .refuse(.methodNotAllowed(.POST)) }
            return planMessage(head, rules)
        case _ where path == SnapshotTransfer.path:
            if head.method == .GET, rules.features.contains(.snapshots) {
                return .snapshotOffset(String(head.uri.dropFirst(path.count + 1)))
            }
            guard head.method == .POST else { return .refuse(.methodNotAllowed(.POST)) }
            return planSnapshot(head, rules)
        case _ where path.hasPrefix("/raft/stream/"):
            guard head.method == .GET else { return .refuse(.methodNotAllowed(.GET)) }
            return planStream(head, path, rules, standing)
        case "/raft/probing": return planGet(head, .probing)
        case "/members": return planGet(head, .members)
        case "/version": return planGet(head, .version)
        default: return .refuse(.error(.notFound, "404 page not found"))
        }
    }

    private static func planGet(_ head: HTTPRequestHead, _ plan: Plan) -> Plan {
        head.method == .GET ? plan : .refuse(.methodNotAllowed(.GET))
    }

    private static func planMessage(_ head: HTTPRequestHead, _ rules: Rules) -> Plan {
        if let refusal = refusal(head.headers, rules) {
            return .refuse(withCluster(refusal, rules))
        }
        return .message(PeerCaller(head.headers))
    }

    private static func planSnapshot(_ head: HTTPRequestHead, _ rules: Rules) -> Plan {
        if let refusal = refusal(head.headers, rules) {
            return .refuse(withCluster(refusal, rules))
        }
        guard rules.features.contains(.snapshots),
            let length = head.headers.first(name: "Content-Length").flatMap({ Int($0) }),
            length > 8
        else {
            return .refuse(withCluster(.error(.badRequest, "Content-Length is missing"), rules))
        }
        let offset = head.headers.first(name: SnapshotTransfer.offsetHeader) ?? "0"
        guard let offset = Int(offset), offset >= 0,
            !length.addingReportingOverflow(offset).overflow
        else {
            return .refuse(
                withCluster(
                    .error(.badRequest, "\(SnapshotTransfer.offsetHeader) is no offset"), rules))
        }
        return .snapshot(
            SnapshotRequest(
                bodyBytes: length,
                identity: head.headers.first(name: SnapshotTransfer.identityHeader) ?? "",
                offset: offset))
    }

    private static func planStream(
        _ head: HTTPRequestHead, _ path: Substring, _ rules: Rules,
        _ standing: (MemberID) -> PeerStanding
    ) -> Plan {
        func refuse(_ status: HTTPResponseStatus, _ text: String) -> Plan {
            .refuse(withVersion(.error(status, text), rules))
        }
        if let refusal = refusal(head.headers, rules) {
            return .refuse(withVersion(refusal, rules))
        }
        let parts = path.dropFirst("/raft/stream/".count)
            .split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = StreamKind(rawValue: String(parts[0])) else {
            return refuse(.notFound, "invalid path")
        }
        guard let peer = MemberID(hex: parts[1]) else { return refuse(.notFound, "invalid from") }
        let caller = PeerCaller(head.headers)
        switch standing(peer) {
        case .removed: return refuse(.gone, "removed member")
        case .unknown:
            let response = withVersion(.error(.notFound, "error sender not found"), rules)
            let named = PeerCaller(member: peer, features: caller.features, urls: caller.urls)
            return peer == rules.local ? .refuse(response) : .meet(named, response)
        case .member: break
        }
        let target = head.headers.first(name: PeerHeader.to) ?? ""
        guard MemberID(hex: target) == rules.local else {
            return refuse(.preconditionFailed, "to field mismatch")
        }
        return .stream(
            StreamRequest(
                kind: kind, peer: peer, caller: caller,
                response: withVersion(PeerResponse(.ok), rules)))
    }

    /// The two checks that every request to `/raft…` has to pass first.
    private static func refusal(_ headers: HTTPHeaders, _ rules: Rules) -> PeerResponse? {
        let verdict = rules.compatibility.check(
            version: headers.first(name: PeerHeader.version),
            minimumClusterVersion: headers.first(name: PeerHeader.minimumVersion))
        guard verdict == .compatible else {
            return .error(.preconditionFailed, "incompatible version")
        }
        guard headers.first(name: PeerHeader.cluster) == "\(rules.cluster)" else {
            return .error(.preconditionFailed, "cluster ID mismatch")
        }
        return nil
    }

    /// The message of a POST. On any thread.
    static func decode(_ body: ByteBuffer) -> Message? {
        body.withUnsafeReadableBytes { bytes in try? Message.decode(bytes) }
    }

    /// What becomes of the body of a POST; nil: it is no message.
    static func judge(
        _ message: Message?, from caller: PeerCaller, _ answer: Answer, _ rules: Rules,
        _ standing: (MemberID) -> PeerStanding
    ) -> Action {
        var answer = answer
        func refuse(_ response: PeerResponse) -> Action {
            answer.response = withCluster(response, rules)
            return .answer(answer)
        }
        guard let message else {
            return refuse(.error(.badRequest, "error unmarshaling raft message"))
        }
        answer.response = withCluster(PeerResponse(.noContent), rules)
        switch MessageVerdict.judge(message, local: rules.local, peer: nil) {
        case .ignore: return .answer(answer)
        case .refuse(.addressedTo):
            return refuse(.error(.preconditionFailed, "to field mismatch"))
        case .refuse:
            return refuse(.error(.internalServerError, "error processing raft message"))
        case .deliver: break
        }
        guard standing(message.from) != .removed else { return refuse(.removedSender) }
        return .deliver(message, caller, answer)
    }

    private static func withCluster(_ response: PeerResponse, _ rules: Rules) -> PeerResponse {
        var response = response
        response.headers.append((PeerHeader.cluster, "\(rules.cluster)"))
        if !rules.features.isEmpty {
            response.headers.append((PeerFeatures.headerName, rules.features.header))
        }
        return response
    }

    private static func withVersion(_ response: PeerResponse, _ rules: Rules) -> PeerResponse {
        var response = withCluster(response, rules)
        response.headers.append((PeerHeader.version, "\(rules.compatibility.local)"))
        return response
    }
}

extension PeerResponse {
    /// What 2.0 to 2.2 answer to a message of a removed member; their senders stop at it.
    static var removedSender: PeerResponse {
        let text = "{\"message\":\"cannot process message from removed member\"}"
        return PeerResponse(
            .forbidden, headers: [("Content-Type", "application/json")], body: Array(text.utf8))
    }
}
