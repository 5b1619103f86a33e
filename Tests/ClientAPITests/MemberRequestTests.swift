import GoldenSupport
import Testing

/// Requests that change the members of a cluster of one: what is checked, in which order, and what
/// is answered. The recorded exchanges (`GoldenTests`) have the rest.
@Suite struct MemberRequestTests {
    private func withClient(_ body: (RawClient) throws -> Void) throws {
        try SingleNode.with { try body(RawClient(port: $0.port)) }
    }

    private static func text(
        _ method: String, _ target: String, _ body: String = "",
        type: String? = "application/json"
    ) -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: h\r\n"
            + (type.map { "Content-Type: \($0)\r\n" } ?? "")
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private static let someURL = "{\"peerURLs\":[\"http://127.0.0.1:1\"]}"

    @Test(arguments: [
        // The id is looked at before the body, the body before the membership.
        ("PUT", "/v2/members/", "text/plain", "", 405, "Method Not Allowed\n"),
        ("PUT", "/v2/members/x", "text/plain", "", 404, #"{"message":"No such member: x"}"#),
        (
            "PUT", "/v2/members/ff", "text/plain", "", 415,
            #"{"message":"Bad Content-Type text/plain, accept application/json"}"#
        ),
        (
            "PUT", "/v2/members/ff", "application/json", #"{"peerURLs":[]}"#, 400,
            #"{"message":"no valid URLs given"}"#
        ),
        (
            "PUT", "/v2/members/00FF", "application/json", someURL, 404,
            #"{"message":"No such member: ff"}"#
        ),
        ("DELETE", "/v2/members/0", "", "", 404, #"{"message":"No such member: 0"}"#),
        ("DELETE", "/v2/members/-1", "", "", 404, #"{"message":"No such member: -1"}"#),
        ("DELETE", "/v2/members/+1", "", "", 404, #"{"message":"No such member: +1"}"#),
        ("DELETE", "/v2/members/1/", "", "", 404, #"{"message":"No such member: 1/"}"#),
        ("DELETE", "/v2/members/%3C", "", "", 404, #"{"message":"No such member: \u003c"}"#),
        (
            "POST", "/v2/members", "Application/json", someURL, 415,
            #"{"message":"Bad Content-Type Application/json, accept application/json"}"#
        ),
        (
            "POST", "/v2/members/x", "application/json", "null", 400,
            #"{"message":"no valid URLs given"}"#
        ),
        (
            "POST", "/v2/members", "application/json", #"{"peerURLs":[""#, 400,
            #"{"message":"unexpected end of JSON input"}"#
        ),
    ])
    func refusals(
        method: String, target: String, type: String, body: String, status: Int, answer: String
    ) throws {
        try withClient { client in
            try client.send(Self.text(method, target, body, type: type))
            let response = try client.response()
            #expect(response.statusLine.hasPrefix("HTTP/1.1 \(status) "))
            #expect(response.text == answer)
            #expect(response["X-Etcd-Cluster-Id"] != nil)
            #expect(response["X-Etcd-Index"] == nil)
            #expect(response["Allow"] == nil)
        }
    }

    @Test func withoutAQuorumTheClientIsToldInTheEnd() throws {
        try withClient { client in
            try client.send(Self.text("POST", "/v2/members", #"{"peerURLs":["http://h:1"]}"#))
            let added = try client.response()
            #expect(added.statusLine == "HTTP/1.1 201 Created")
            #expect(
                added.text.hasSuffix(
                    ",\"name\":\"\",\"peerURLs\":[\"http://h:1\"],\"clientURLs\":[]}\n"))
            // The new one does not run, so nothing more is committed: this one times out, as a
            // write does.
            let id = String(added.text.dropFirst(7).prefix { $0 != "\"" })
            try client.send(Self.text("DELETE", "/v2/members/\(id)", type: nil))
            let refused = try client.response(timeoutMilliseconds: 20_000)
            #expect(refused.statusLine == "HTTP/1.1 500 Internal Server Error")
            #expect(refused.text == #"{"message":"Internal Server Error"}"#)
        }
    }

    /// A request behind a conf change in the same connection is answered after it.
    @Test func pipelinedAnswersKeepTheirOrder() throws {
        try withClient { client in
            try client.send(
                Self.text("DELETE", "/v2/members/abc", type: nil)
                    + Self.text("DELETE", "/v2/members/zzz", type: nil)
                    + Self.text("GET", "/v2/members/nothing", type: nil))
            #expect(try client.response().text == #"{"message":"No such member: abc"}"#)
            #expect(try client.response().text == #"{"message":"No such member: zzz"}"#)
            #expect(try client.response().text == #"{"message":"Not found"}"#)
        }
    }
}
