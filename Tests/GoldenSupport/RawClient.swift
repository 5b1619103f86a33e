internal import Glibc

/// A blocking socket that sends the bytes it is given and says what came back, down to the byte.
package final class RawClient {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    /// An answer as it came over the wire.
    package struct Response: Equatable {
        /// The first line.
        package var statusLine: String
        /// In their order, as spelled.
        package var headers: [(name: String, value: String)]
        /// Chunks joined.
        package var body: [UInt8]

        package init(statusLine: String, headers: [(name: String, value: String)], body: [UInt8]) {
            (self.statusLine, self.headers, self.body) = (statusLine, headers, body)
        }

        package var status: Int {
            Int(statusLine.split(separator: " ").dropFirst().first ?? "") ?? 0
        }
        package var text: String { String(decoding: body, as: UTF8.self) }

        package subscript(name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }

        package static func == (a: Response, b: Response) -> Bool {
            a.statusLine == b.statusLine && a.body == b.body
                && a.headers.elementsEqual(b.headers) { $0 == $1 }
        }
    }

    private let socket: Int32
    private var buffer: [UInt8] = []
    package private(set) var hasEnded = false

    package init(port: Int) throws {
        socket = Self.makeSocket()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(description: "connect: errno \(errno)") }
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    deinit { close(socket) }

    private static func makeSocket() -> Int32 {
        Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Gives up without an error when the other side has closed: its answer is still to be read.
    package func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes.withUnsafeBytes { bytes in
                Self.sendBytes(
                    socket, bytes.baseAddress.map { $0 + offset }, bytes.count - offset,
                    Int32(MSG_NOSIGNAL))
            }
            if sent < 0, errno == EINTR { continue }
            if sent < 0, errno == EPIPE || errno == ECONNRESET { return }
            guard sent > 0 else { throw Failure(description: "send: errno \(errno)") }
            offset += sent
        }
    }

    private static func sendBytes(
        _ socket: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32
    ) -> Int {
        Glibc.send(socket, bytes, count, flags)
    }

    /// Says that nothing more will be sent.
    package func endInput() { shutdown(socket, Int32(SHUT_WR)) }

    /// Waits for more bytes; false at the end of the stream.
    private func fill(timeoutMilliseconds: Int) throws -> Bool {
        guard !hasEnded else { return false }
        var request = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        let ready = poll(&request, 1, Int32(timeoutMilliseconds))
        guard ready > 0 else {
            throw Failure(description: "nothing came for \(timeoutMilliseconds) ms")
        }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &chunk, chunk.count, 0)
        guard count > 0 else {
            hasEnded = true
            return false
        }
        buffer += chunk[..<count]
        return true
    }

    /// Whether nothing comes for so long.
    package func isSilent(milliseconds: Int) -> Bool {
        guard buffer.isEmpty else { return false }
        var request = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, Int32(milliseconds)) == 0
    }

    /// Whether the other side closes, after whatever it still sends.
    package func endsWithin(milliseconds: Int) -> Bool {
        while let more = try? fill(timeoutMilliseconds: milliseconds) {
            if !more { return true }
        }
        return false
    }

    private func take(_ count: Int) -> [UInt8] {
        let taken = Array(buffer.prefix(count))
        buffer.removeFirst(taken.count)
        return taken
    }

    /// Up to and without CRLF.
    private func line(timeoutMilliseconds: Int) throws -> String {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = take(end + 1)
                return String(decoding: line.dropLast(2), as: UTF8.self)
            }
            guard try fill(timeoutMilliseconds: timeoutMilliseconds) else {
                throw Failure(description: "the connection ended within a line: \(buffer)")
            }
        }
    }

    private func exactly(_ count: Int, timeoutMilliseconds: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill(timeoutMilliseconds: timeoutMilliseconds) else {
                throw Failure(description: "the connection ended within a body")
            }
        }
        return take(count)
    }

    /// Status line and headers.
    package func head(timeoutMilliseconds: Int = 10_000) throws -> Response {
        let statusLine = try line(timeoutMilliseconds: timeoutMilliseconds)
        var headers: [(String, String)] = []
        while true {
            let line = try line(timeoutMilliseconds: timeoutMilliseconds)
            if line.isEmpty { break }
            guard let colon = line.firstIndex(of: ":") else {
                throw Failure(description: "no header: \(line)")
            }
            headers.append(
                (String(line[..<colon]), String(line[line.index(colon, offsetBy: 2)...])))
        }
        return Response(statusLine: statusLine, headers: headers, body: [])
    }

    /// A whole answer. A HEAD's has no body.
    package func response(
        isHead: Bool = false, timeoutMilliseconds: Int = 10_000
    ) throws -> Response {
        var response = try head(timeoutMilliseconds: timeoutMilliseconds)
        if isHead || response.status == 204 { return response }
        response.body = try body(of: response, timeoutMilliseconds: timeoutMilliseconds)
        return response
    }

    /// What follows a head that was read.
    package func body(
        of head: Response, timeoutMilliseconds: Int = 10_000
    ) throws -> [UInt8] {
        var body: [UInt8] = []
        if head["Transfer-Encoding"] == "chunked" {
            while let chunk = try chunk(timeoutMilliseconds: timeoutMilliseconds) { body += chunk }
        } else if let length = head["Content-Length"].flatMap({ Int($0) }) {
            body = try exactly(length, timeoutMilliseconds: timeoutMilliseconds)
        } else {
            while try fill(timeoutMilliseconds: timeoutMilliseconds) {}
            body = take(buffer.count)
        }
        return body
    }

    /// The next chunk of a body; nil at its end.
    package func chunk(timeoutMilliseconds: Int = 10_000) throws -> [UInt8]? {
        let size = try line(timeoutMilliseconds: timeoutMilliseconds)
        guard let count = Int(size, radix: 16) else {
            throw Failure(description: "no chunk size: \(size)")
        }
        let chunk = try exactly(count + 2, timeoutMilliseconds: timeoutMilliseconds)
        return count == 0 ? nil : chunk.dropLast(2)
    }

    /// Everything until the other side closes.
    package func rest(timeoutMilliseconds: Int = 10_000) throws -> [UInt8] {
        while try fill(timeoutMilliseconds: timeoutMilliseconds) {}
        return take(buffer.count)
    }
}

extension RawClient {
    /// Sends one request and reads its answer.
    package func request(
        _ method: String, _ target: String, form: String? = nil, headers: String = ""
    ) throws -> Response {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\(headers)"
        if let form {
            text += "Content-Type: application/x-www-form-urlencoded\r\n"
            text += "Content-Length: \(form.utf8.count)\r\n\r\n\(form)"
        } else {
            text += "\r\n"
        }
        try send(text)
        return try response(isHead: method == "HEAD")
    }
}
