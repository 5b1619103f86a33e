internal import Cluster
internal import NIOHTTP1

/// What of the head of a request, or of an answer, goes on to the other side.
///
/// What speaks of one connection only stays behind (RFC 9110 §7.6.1), and the framing is made anew:
/// a body that is ended by a length keeps it, every other goes in chunks.
enum ForwardedHead {
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate",
        "proxy-authorization", "te", "trailer", "trailers", "transfer-encoding", "upgrade",
    ]

    /// How the client wants its answer.
    struct Framing: Equatable {
        var isHead = false
        var isHTTP10 = false
        var keepsAlive = true
    }

    // MARK: - Requests

    /// - Parameters:
    ///   - client: its address, for `X-Forwarded-For`.
    ///   - name: this proxy's, for `Via`.
    static func request(
        _ head: HTTPRequestHead, to url: EndpointURL, client: String?, name: String
    ) -> HTTPRequestHead {
        var headers = endToEnd(head.headers)
        headers.remove(name: "expect")
        if headers["host"].isEmpty { headers.add(name: "Host", value: url.hostAndPort) }
        if let client {
            let chain = head.headers["x-forwarded-for"] + [client]
            headers.replaceOrAdd(
                name: "X-Forwarded-For", value: chain.joined(separator: ", "))
        }
        let via = head.headers["via"] + ["\(head.version.major).\(head.version.minor) \(name)"]
        headers.replaceOrAdd(name: "Via", value: via.joined(separator: ", "))
        if head.headers.contains(name: "transfer-encoding") {
            headers.replaceOrAdd(name: "Transfer-Encoding", value: "chunked")
        }
        return HTTPRequestHead(
            version: .http1_1, method: head.method, uri: path(of: head.uri), headers: headers)
    }

    /// Whether a request has been at the proxy called `name` before.
    static func hasPassed(_ name: String, _ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "via"].contains { $0.hasSuffix(" \(name)") }
    }

    /// The path and query of a request line that may name a host, too.
    private static func path(of target: String) -> String {
        guard !target.hasPrefix("/") else { return target }
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            guard let start = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else {
                return "/"
            }
            return rest[start] == "/" ? String(rest[start...]) : "/" + rest[start...]
        }
        return target
    }

    // MARK: - Answers

    /// The head for the client; `framing.keepsAlive` becomes false if the body can only be ended by
    /// the connection's end.
    static func answer(
        _ head: HTTPResponseHead, framing: inout Framing
    ) -> HTTPResponseHead {
        var headers = endToEnd(head.headers)
        let hasBody = !framing.isHead && mayHaveBody(head.status)
        if hasBody, !headers.contains(name: "content-length") {
            if framing.isHTTP10 {
                framing.keepsAlive = false
            } else {
                headers.add(name: "Transfer-Encoding", value: "chunked")
            }
        }
        addConnection(framing, to: &headers)
        return HTTPResponseHead(
            version: framing.isHTTP10 ? .http1_0 : .http1_1, status: head.status,
            headers: headers)
    }

    static func addConnection(_ framing: Framing, to headers: inout HTTPHeaders) {
        if !framing.keepsAlive {
            headers.add(name: "Connection", value: "close")
        } else if framing.isHTTP10 {
            headers.add(name: "Connection", value: "keep-alive")
        }
    }

    static func mayHaveBody(_ status: HTTPResponseStatus) -> Bool {
        status != .noContent && status != .notModified
    }

    // MARK: -

    private static func endToEnd(_ headers: HTTPHeaders) -> HTTPHeaders {
        var dropped = hopByHop
        for name in headers[canonicalForm: "connection"] { dropped.insert(name.lowercased()) }
        // A message without its length, and its body sent on, would read as two.
        dropped.subtract(["content-length", "host"])
        var kept = HTTPHeaders()
        kept.reserveCapacity(headers.count + 3)
        for (name, value) in headers where !dropped.contains(name.lowercased()) {
            kept.add(name: name, value: value)
        }
        return kept
    }
}
