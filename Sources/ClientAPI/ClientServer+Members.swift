internal import Cluster
internal import KVServer
internal import NIOHTTP1
internal import RaftModel

/// Who is in the cluster. Source: `reference/client-api.md` §8 and §10.
extension ClientServer {
    func members(
        _ request: ClientRequest, _ target: RequestTarget, ticket: Ticket
    ) -> Handling {
        let rest = UnsafeRawBufferPointer(rebasing: target.path["/v2/members".utf8.count...])
        guard request.head.method != .GET else { return .answer(listing(rest)) }
        return changeMembers(request, rest, ticket: ticket)
    }

    private func listing(_ rest: UnsafeRawBufferPointer) -> Answer {
        if rest.isEmpty || ByteSearch.equal(rest, "/") {
            body.append(MemberJSON.clientList(engine.membership.listed))
            return .json(.ok)
        }
        guard ByteSearch.equal(rest, "/leader") else {
            return message("Not found", .json(.notFound))
        }
        guard let leader = engine.membership[engine.leader] else {
            return message("During election", .json(.serviceUnavailable))
        }
        body.append(MemberJSON.clientMember(leader))
        return .json(.ok)
    }

    /// All client URLs, for clients of old.
    func machines() -> Answer {
        body.append(text: engine.membership.clientURLs.joined(separator: ", "))
        return Answer(.ok, .plainText)
    }

    /// `{"message":…}`, the errors of everything but keys.
    func message(_ text: StaticString, _ answer: Answer) -> Answer {
        body.append("{\"message\":\"")
        body.append(text)
        body.append("\"}")
        return answer
    }

    /// As above, for a text that may need escaping.
    func message(text: String, _ answer: Answer) -> Answer {
        body.append("{\"message\":")
        body.append(jsonString: text)
        body.append("}")
        return answer
    }
}
