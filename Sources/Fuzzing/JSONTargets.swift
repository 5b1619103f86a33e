import Auth
import Cluster
import Discovery
import RaftModel

extension FuzzTarget {
    private static let jsonTokens = [
        "{", "}", "[", "]", ":", ",", "\"", "null", "true", "false", "\\u0000", "\\ud83d\\ude00",
        "\\ud800", "\\", "1e999", "-0", "1.0", "[[[[[[[[", "{\"a\":", "\u{e9}",
    ]

    /// Members: in conf changes, in the store, in lists, in requests; versions.
    static let memberJSON = FuzzTarget(
        "member-json", "members and versions, of peers and clients",
        tokens: jsonTokens + [
            "\"id\":", "\"name\":", "\"peerURLs\":", "\"clientURLs\":", "\"etcdserver\":",
            "\"etcdcluster\":", "\"http://127.0.0.1:2380\"",
        ]
    ) { input in
        let bytes = Array(input)
        var accepted = false
        if let member = try? MemberJSON.member(fromContext: bytes) {
            accepted = true
            let again = try? MemberJSON.member(fromContext: MemberJSON.context(member))
            try require(again == member, "\(member) became \(String(describing: again))")
        }
        if let urls = try? MemberJSON.peerURLs(fromRaftAttributes: bytes) {
            let written = MemberJSON.raftAttributes(peerURLs: urls)
            let again = try? MemberJSON.peerURLs(fromRaftAttributes: written)
            try require(again == urls, "\(urls) became \(String(describing: again))")
        }
        if let attributes = try? MemberJSON.attributes(from: bytes) {
            let again = try? MemberJSON.attributes(from: MemberJSON.attributes(attributes))
            try require(again == attributes, "\(attributes) became \(String(describing: again))")
        }
        if let members = try? MemberJSON.members(fromPeerList: bytes) {
            accepted = true
            let again = try? MemberJSON.members(fromPeerList: MemberJSON.peerList(members))
            // Of two with one id, which comes first is nobody's promise.
            guard Set(members.map(\.id)).count == members.count else { return true }
            try require(again == members, "\(members) became \(String(describing: again))")
        }
        if let versions = try? MemberVersions(json: bytes) {
            accepted = true
            let written = MemberVersions.json(server: versions.server, cluster: versions.cluster)
            let again = try? MemberVersions(json: written)
            try require(again == versions, "\(versions) became \(String(describing: again))")
        }
        _ = try? MemberJSON.peerURLs(fromRequest: bytes)
        _ = try? JSONValue(parsingFirstOf: bytes)
        return accepted
    }

    /// Users and roles: entries of the store, bodies of requests; credentials.
    static let authJSON = FuzzTarget(
        "auth-json", "users and roles, in the store and in requests",
        tokens: jsonTokens + [
            "\"user\":", "\"password\":", "\"roles\":", "\"grant\":", "\"revoke\":", "\"role\":",
            "\"permissions\":", "\"kv\":", "\"read\":", "\"write\":", "Basic ", "\"/*\"", "=", "==",
        ]
    ) { input in
        let bytes = Array(input)
        var accepted = false
        if let user = try? User(entry: bytes) {
            accepted = true
            let again = try? User(entry: user.entry)
            try require(again == user, "\(user) became \(String(describing: again))")
        }
        if let role = try? Role(entry: bytes) {
            accepted = true
            let again = try? Role(entry: role.json)
            try require(again == role, "\(role) became \(String(describing: again))")
        }
        accepted = (try? UserRequest(body: bytes)) != nil || accepted
        accepted = (try? Role(body: bytes)) != nil || accepted
        if let credentials = BasicCredentials(header: String(decoding: bytes, as: UTF8.self)) {
            accepted = true
            try require(!credentials.name.contains(UInt8(ascii: ":")), "a colon in a name")
        }
        for isRecursive in [false, true] {
            let pattern = Array(bytes.prefix(8))
            _ = KeyPattern.matches(pattern, input, isRecursive: isRecursive)
        }
        return accepted
    }

    /// A byte for the status, then the body.
    static let registryJSON = FuzzTarget(
        "registry-json", "answers of a discovery server",
        tokens: jsonTokens + [
            "\"action\":", "\"node\":", "\"nodes\":", "\"key\":", "\"value\":", "\"createdIndex\":",
            "\"modifiedIndex\":", "\"errorCode\":", "\"message\":", "\"cause\":", "\"index\":",
        ]
    ) { input in
        let statuses = [200, 201, 307, 400, 404, 500, 503]
        let status = statuses[Int(input.first ?? 0) % statuses.count]
        let body = Array(input.dropFirst())
        let read = DiscoveryBytes.registryAnswer(
            status: status, storeIndex: String(decoding: body.prefix(3), as: UTF8.self), body: body)
        return read != nil
    }
}
