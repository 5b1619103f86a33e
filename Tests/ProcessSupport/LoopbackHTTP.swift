import Foundation

/// One HTTP/1.1 connection to 127.0.0.1, blocking, kept alive between requests.
///
/// Knows just what tests need: status, headers, and bodies with Content-Length or in chunks.
package final class LoopbackHTTP {
    package struct Response {
        package var status: Int
        /// Names in lower case.
        package var headers: [String: String]
        package var body: [UInt8]

        package init(status: Int, headers: [String: String], body: [UInt8]) {
            (self.status, self.headers, self.body) = (status, headers, body)
        }

        package var text: String { String(decoding: body, as: UTF8.self) }
        package var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
        }
        /// The `node` of a keys answer.
        package var node: [String: Any] { json["node"] as? [String: Any] ?? [:] }
    }

    package struct Failed: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    private let port: Int
    private var socket: Int32 = -1
    private var received: [UInt8] = []

    package init(port: Int, timeout: Duration = .seconds(20)) throws {
        self.port = port
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw Failed(description: "socket: errno \(errno)") }
        setTimeout(milliseconds: Int(timeout.components.seconds) * 1000 * Patience.factor)
        var noDelay: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, 4)
        let result = LoopbackAddress.with(port: port) { connect(socket, $0, $1) }
        guard result == 0 else {
            let code = errno
            close(socket)
            socket = -1
            throw Failed(description: "connect to port \(port): errno \(code)")
        }
    }

    deinit { if socket >= 0 { close(socket) } }

    /// How long a read or a write may wait from here on.
    package func setTimeout(milliseconds: Int) {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    /// Whether a read would not wait: an answer has come, or the connection's end.
    package var hasAnswer: Bool {
        var wait = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return !received.isEmpty || poll(&wait, 1, 0) > 0
    }

    /// Sends one request and reads its whole answer.
    package func request(
        _ method: String, _ path: String, form: String? = nil, headers: [String: String] = [:]
    ) throws -> Response {
        try send(method, path, form: form, headers: headers)
        return try readResponse(to: method)
    }

    /// Sends a body of JSON.
    package func json(_ method: String, _ path: String, _ body: String) throws -> Response {
        let head =
            "\(method) \(path) HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n"
        try send(Array((head + body).utf8))
        return try readResponse(to: method)
    }

    package func send(
        _ method: String, _ path: String, form: String? = nil, headers: [String: String] = [:]
    ) throws {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            text += "\(name): \(value)\r\n"
        }
        if let form {
            text += "Content-Type: application/x-www-form-urlencoded\r\n"
            text += "Content-Length: \(form.utf8.count)\r\n\r\n\(form)"
        } else {
            text += "\r\n"
        }
        try send(Array(text.utf8))
    }

    /// Sends bytes as they are.
    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failed(description: "send: errno \(errno)") }
            sent += count
        }
    }

    package func readResponse(to method: String = "GET") throws -> Response {
        var response = try readHead()
        if method == "HEAD" || response.status == 204 { return response }
        if response.headers["transfer-encoding"] == "chunked" {
            while let chunk = try readChunk() { response.body += chunk }
        } else if let length = response.headers["content-length"].flatMap({ Int($0) }) {
            response.body = try take(length)
        }
        return response
    }

    /// Status and headers only: the beginning of a watch.
    package func readHead() throws -> Response {
        let status = try readLine().split(separator: " ")
        guard status.count >= 2, let code = Int(status[1]) else {
            throw Failed(description: "no status line: \(status)")
        }
        var headers: [String: String] = [:]
        while case let line = try readLine(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] =
                parts.count > 1
                ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        return Response(status: code, headers: headers, body: [])
    }

    /// The next chunk of a watch's body; nil at its end.
    package func readChunk() throws -> [UInt8]? {
        guard let size = Int(try readLine(), radix: 16) else {
            throw Failed(description: "no chunk size")
        }
        let chunk = try take(size)
        guard try readLine().isEmpty else { throw Failed(description: "chunk without its end") }
        return size == 0 ? nil : chunk
    }

    private func readLine() throws -> String {
        while true {
            if let end = received.firstIndex(of: 10) {
                var line = received[..<end]
                if line.last == 13 { line = line.dropLast() }
                let text = String(decoding: line, as: UTF8.self)
                received.removeFirst(end + 1)
                return text
            }
            try receive()
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while received.count < count { try receive() }
        defer { received.removeFirst(count) }
        return Array(received.prefix(count))
    }

    private func receive() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 0 else {
            throw Failed(description: count == 0 ? "connection closed" : "recv: errno \(errno)")
        }
        received += buffer[..<count]
    }
}
