internal import RaftModel

/// The JSON forms of members. Bytes must be the same on all members, etcd's included: some of
/// them are log entries, and the store's contents must not differ.
///
///     conf change, GET /members   {"id":8698145119620381117,"peerURLs":["http://…"],
///                                  "name":"m1","clientURLs":["http://…"]}   id decimal
///     /0/members/ID/raftAttributes  {"peerURLs":["http://…"]}
///     /0/members/ID/attributes      {"name":"m1","clientURLs":["http://…"]}
///     /v2/members                 {"id":"78b604e6cbc539bd","name":"m1",
///                                  "peerURLs":["http://…"],"clientURLs":[]}   id hex, all there
///
/// In the first three an empty name and empty clientURLs are left out.
/// Sources: `reference/disk-format.md` §4.2 and §4.3, `reference/peer-protocol.md` §3,
/// `reference/client-api.md` §8.
package enum MemberJSON {
    /// The context of a conf change that adds or updates `member`.
    package static func context(_ member: Member) -> [UInt8] {
        var json = JSONText()
        append(member, to: &json)
        return json.bytes
    }

    package static func member(fromContext bytes: [UInt8]) throws(JSONError) -> Member {
        try member(JSONValue(parsing: bytes))
    }

    package static func raftAttributes(peerURLs: [String]) -> [UInt8] {
        var json = JSONText()
        json.raw("{\"peerURLs\":")
        json.strings(peerURLs)
        json.raw("}")
        return json.bytes
    }

    /// The peer URLs in a `raftAttributes` value.
    package static func peerURLs(fromRaftAttributes bytes: [UInt8]) throws(JSONError) -> [String] {
        try JSONValue(parsing: bytes).strings("peerURLs")
    }

    package static func attributes(_ attributes: MemberAttributes) -> [UInt8] {
        var json = JSONText()
        json.raw("{")
        if !attributes.name.isEmpty {
            json.raw("\"name\":")
            json.string(attributes.name)
        }
        if !attributes.clientURLs.isEmpty {
            json.raw(attributes.name.isEmpty ? "\"clientURLs\":" : ",\"clientURLs\":")
            json.strings(attributes.clientURLs)
        }
        json.raw("}")
        return json.bytes
    }

    package static func attributes(from bytes: [UInt8]) throws(JSONError) -> MemberAttributes {
        let object = try JSONValue(parsing: bytes)
        return MemberAttributes(
            name: try object.string("name"), clientURLs: try object.strings("clientURLs"))
    }

    /// The body of the peer port's `GET /members`, its newline included.
    package static func peerList(_ members: [Member]) -> [UInt8] {
        var json = JSONText()
        json.raw("[")
        for (index, member) in members.sorted(by: { $0.id < $1.id }).enumerated() {
            if index > 0 { json.raw(",") }
            append(member, to: &json)
        }
        json.raw("]\n")
        return json.bytes
    }

    package static func members(fromPeerList bytes: [UInt8]) throws(JSONError) -> [Member] {
        guard case .array(let elements) = try JSONValue(parsing: bytes) else {
            throw JSONError(.wrongType(expected: "a list of members", field: "members"), at: 0)
        }
        var members: [Member] = []
        for element in elements { members.append(try member(element)) }
        return members.sorted { $0.id < $1.id }
    }

    /// The body of `GET /v2/members`, its newline included.
    package static func clientList(_ members: [Member]) -> [UInt8] {
        var json = JSONText()
        json.raw("{\"members\":[")
        for (index, member) in members.sorted(by: { $0.id < $1.id }).enumerated() {
            if index > 0 { json.raw(",") }
            appendForClient(member, to: &json)
        }
        json.raw("]}\n")
        return json.bytes
    }

    /// The body of an answer that is one member (`/v2/members/leader`, POST), with its newline.
    package static func clientMember(_ member: Member) -> [UInt8] {
        var json = JSONText()
        appendForClient(member, to: &json)
        json.raw("\n")
        return json.bytes
    }

    /// The URLs in the body of `POST /v2/members` and `PUT /v2/members/ID`, not yet checked.
    package static func peerURLs(fromRequest bytes: [UInt8]) throws(JSONError) -> [String] {
        let body = try JSONValue(parsing: bytes)
        if body == .null { return [] }
        guard case .object = body else {
            throw JSONError(.wrongType(expected: "an object", field: "body"), at: 0)
        }
        return try body.strings("peerURLs")
    }

    private static func append(_ member: Member, to json: inout JSONText) {
        json.raw("{\"id\":\(member.id.rawValue),\"peerURLs\":")
        json.strings(member.peerURLs)
        if !member.name.isEmpty {
            json.raw(",\"name\":")
            json.string(member.name)
        }
        if !member.clientURLs.isEmpty {
            json.raw(",\"clientURLs\":")
            json.strings(member.clientURLs)
        }
        json.raw("}")
    }

    private static func appendForClient(_ member: Member, to json: inout JSONText) {
        json.raw("{\"id\":\"\(member.id)\",\"name\":")
        json.string(member.name)
        json.raw(",\"peerURLs\":")
        json.strings(member.peerURLs)
        json.raw(",\"clientURLs\":")
        json.strings(member.clientURLs)
        json.raw("}")
    }

    private static func member(_ object: JSONValue) throws(JSONError) -> Member {
        guard case .object = object else {
            throw JSONError(.wrongType(expected: "a member object", field: "member"), at: 0)
        }
        return Member(
            id: MemberID(try object.unsigned("id")), peerURLs: try object.strings("peerURLs"),
            name: try object.string("name"), clientURLs: try object.strings("clientURLs"))
    }
}
