internal import NIOCore
internal import NIOHTTP1

/// An answer of the peer port, and its bytes.
struct PeerResponse: Equatable {
    var status: HTTPResponseStatus
    var headers: [(name: String, value: String)]
    var body: [UInt8]

    init(
        _ status: HTTPResponseStatus, headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A refusal, in the form in which Go's servers send theirs.
    static func error(_ status: HTTPResponseStatus, _ text: String) -> PeerResponse {
        PeerResponse(
            status,
            headers: [
                ("Content-Type", "text/plain; charset=utf-8"),
                ("X-Content-Type-Options", "nosniff"),
            ],
            body: Array((text + "\n").utf8))
    }

    static func methodNotAllowed(_ allowed: HTTPMethod) -> PeerResponse {
        var response = error(.methodNotAllowed, "Method Not Allowed")
        response.headers.append(("Allow", allowed.rawValue))
        return response
    }

    static func == (a: PeerResponse, b: PeerResponse) -> Bool {
        a.status == b.status && a.body == b.body
            && a.headers.elementsEqual(b.headers) { $0.name == $1.name && $0.value == $1.value }
    }

    /// The whole answer.
    ///
    /// - Parameters:
    ///   - date: the value of the header `Date`.
    ///   - omitsBody: for the answer to a HEAD.
    ///   - closes: says that no other request is answered on this connection.
    func encode(
        into buffer: inout ByteBuffer, date: String, omitsBody: Bool = false, closes: Bool = false
    ) {
        encodeHead(into: &buffer, date: date)
        // 204 has no body and, by RFC 9110, no Content-Length either.
        if status != .noContent { buffer.writeString("Content-Length: \(body.count)\r\n") }
        if closes { buffer.writeString("Connection: close\r\n") }
        buffer.writeString("\r\n")
        if !omitsBody { buffer.writeBytes(body) }
    }

    /// The head of an answer whose body is chunks without end.
    func encodeStreamHead(into buffer: inout ByteBuffer, date: String) {
        precondition(body.isEmpty, "a stream's body follows in chunks")
        encodeHead(into: &buffer, date: date)
        buffer.writeString("Transfer-Encoding: chunked\r\n\r\n")
    }

    private func encodeHead(into buffer: inout ByteBuffer, date: String) {
        buffer.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        for (name, value) in headers { buffer.writeString("\(name): \(value)\r\n") }
        buffer.writeString("Date: \(date)\r\n")
    }
}
