internal import Cluster
internal import KVServer
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// `POST`, `PUT` and `DELETE` below `/v2/members`. Source: `reference/client-api.md` §8.
///
/// What can be said of the request alone is checked here, in the reference's order; what depends on
/// who is a member is decided when the conf change is applied, on all members alike.
extension ClientServer {
    /// - Parameter rest: of the path, after `/v2/members`.
    func changeMembers(
        _ request: ClientRequest, _ rest: UnsafeRawBufferPointer, ticket: Ticket
    ) -> Handling {
        if let instead = checkRoot(request, ticket: ticket) { return instead }
        do throws(MemberRequestFault) {
            let change = try conf(request, rest)
            engine.propose(change, isForced: isForced(request), ticket: ticket)
            gaveWork()
            return .proposed
        } catch {
            return .answer(answer(to: error))
        }
    }

    private func conf(
        _ request: ClientRequest, _ rest: UnsafeRawBufferPointer
    ) throws(MemberRequestFault) -> ConfChange {
        switch request.head.method {
        case .POST:
            let urls = try peerURLs(request)
            let member = Member(added: urls, atUnixSeconds: Self.unixSeconds())
            return ConfChange(
                kind: .add, member: member.id, context: MemberJSON.context(member))
        case .PUT:
            let id = try memberID(rest)
            let member = Member(id: id, peerURLs: try peerURLs(request).map(\.description))
            return ConfChange(kind: .update, member: id, context: MemberJSON.context(member))
        case .DELETE: return ConfChange(kind: .remove, member: try memberID(rest))
        default: preconditionFailure("the route table lets no other method through")
        }
    }

    /// Whether the body says `"force":true`: the change is wanted whatever it does to the quorum.
    private func isForced(_ request: ClientRequest) -> Bool {
        guard let bytes = request.body, !request.isBodyTooLarge,
            let body = try? JSONValue(parsing: Array(bytes.readableBytesView))
        else { return false }
        return body["force"] == .bool(true)
    }

    /// - Parameter rest: empty, or what begins with a slash.
    private func memberID(
        _ rest: UnsafeRawBufferPointer
    ) throws(MemberRequestFault) -> MemberID {
        guard rest.count > 1 else { throw .noID }
        let text = String(decoding: rest.dropFirst(), as: UTF8.self)
        guard let id = MemberID(hex: text) else { throw .notAnID(text) }
        return id
    }

    private func peerURLs(
        _ request: ClientRequest
    ) throws(MemberRequestFault) -> [EndpointURL] {
        let type = request.head.headers.first(name: "Content-Type") ?? ""
        guard type == "application/json" else { throw .contentType(type) }
        guard !request.isBodyTooLarge else { throw .bodyTooLarge }
        let bytes = request.body.map { Array($0.readableBytesView) } ?? []
        let texts: [String]
        do throws(JSONError) { texts = try MemberJSON.peerURLs(fromRequest: bytes) } catch {
            throw .json(error)
        }
        do throws(EndpointURLError) { return try EndpointURL.list(texts) } catch {
            throw .url(error)
        }
    }

    // MARK: - Answers

    private func answer(to fault: MemberRequestFault) -> Answer {
        switch fault {
        case .noID:
            body.append("Method Not Allowed\n")
            var answer = Answer.page(.methodNotAllowed)
            answer.hasClusterID = true
            return answer
        case .notAnID(let text): return noSuchMember(text)
        case .contentType(let type):
            return message(
                text: "Bad Content-Type \(type), accept application/json",
                .json(.unsupportedMediaType))
        case .bodyTooLarge: return message("http: request body too large", .json(.badRequest))
        case .json(let error) where error.code == .unexpectedEnd:
            return message("unexpected end of JSON input", .json(.badRequest))
        case .json(let error): return message(text: "\(error)", .json(.badRequest))
        case .url(let error): return message(text: "\(error)", .json(.badRequest))
        }
    }

    private func noSuchMember(_ text: String) -> Answer {
        message(text: "No such member: \(text)", .json(.notFound))
    }

    /// What came of a conf change.
    func answer(
        toChange kind: ConfChange.Kind, _ result: Result<Membership.Effect, MemberChangeFault>
    ) -> Answer {
        switch result {
        case .success(.added(let member)):
            body.append(MemberJSON.clientMember(member))
            return .json(.created)
        case .success:
            var answer = Answer(.noContent, nil)
            answer.hasClusterID = true
            return answer
        case .failure(.membership(let error)): return answer(to: error, of: kind)
        case .failure(.unreachable(let missing, let count)):
            return message(text: refusal(missing, of: count), .json(.conflict))
        case .failure(.refused), .failure(.tooFewStarted): return internalError()
        }
    }

    private func answer(to error: MembershipError, of kind: ConfChange.Kind) -> Answer {
        switch error.code {
        case .idExists, .peerURLExists:
            return message(text: "etcdserver: \(error.etcdText)", .json(.conflict))
        case .idNotFound: return noSuchMember("\(error.id)")
        case .idRemoved where kind == .remove:
            return message(text: "Member permanently removed: \(error.id)", .json(.gone))
        case .idRemoved, .unreadableContext: return internalError()
        }
    }

    private func refusal(_ missing: [Member], of count: Int) -> String {
        let names = missing.map { $0.name.isEmpty ? "\($0.id)" : "\($0.name) (\($0.id))" }
        return
            "etcdserver: this would leave the quorum to members that cannot be reached: of the "
            + "\(count) that would be left, \(names.joined(separator: ", ")) cannot. Start or remove "
            + "those first; a body of {\"force\":true} does it all the same"
    }

    func internalError() -> Answer {
        message("Internal Server Error", .json(.internalServerError))
    }
}

/// Why a request to change the members is none.
enum MemberRequestFault: Error {
    /// A PUT or DELETE that does not say of whom.
    case noID
    case notAnID(String)
    case contentType(String)
    case bodyTooLarge
    case json(JSONError)
    case url(EndpointURLError)
}
