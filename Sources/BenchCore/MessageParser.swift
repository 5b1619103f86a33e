internal import Glibc

/// Where one HTTP/1.1 message ends and what its status is; nothing more.
///
/// A pull parser over bytes that the caller keeps in one piece: `next` moves `position` past what
/// it understood and says what that was. An unfinished line stays unread (`.needMore`): call again
/// with the same bytes and more behind them. Body bytes are never waited for, so the caller
/// needs to keep at most one unfinished line, of `lineBytesMax` at most.
///
///     startLine ─▶ headers ─┬─▶ fixedBody ──────────────────────────────┬─▶ startLine
///                           ├─▶ chunkSize ─▶ chunkData ─▶ chunkEnd ─┐   │
///                           │       ▲ └─0─▶ trailers ───────────────┼───┘
///                           │       └───────────────────────────────┘
///                           └─▶ untilClose (answers without a length)
package struct MessageParser: Sendable {
    package enum Side: Sendable { case requests, responses }

    package enum Step: Equatable, Sendable {
        case needMore
        /// The headers are over; status 0 for a request. Interim answers (1xx) are skipped.
        case head(status: Int)
        /// Body bytes at these offsets of the bytes given.
        case body(Range<Int>)
        case end
    }

    /// The bytes are not HTTP/1.1, or beyond a bound. The connection is of no further use.
    package struct Malformed: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    private enum State: Equatable, Sendable {
        case startLine, headers
        case fixedBody(remaining: Int)
        case chunkSize, chunkEnd, trailers
        case chunkData(remaining: Int)
        case untilClose
    }

    package static let lineBytesMax = 64 << 10

    private let side: Side
    private var state = State.startLine
    private var status = 0
    private var contentLength: Int?
    private var isChunked = false
    /// The peer closes the connection after this message.
    package private(set) var closesConnection = false

    package init(_ side: Side) { self.side = side }

    /// True between messages: a connection that ends here lost nothing half-way.
    package var isBetweenMessages: Bool { state == .startLine }

    /// The next thing in `bytes` from `position` on.
    package mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(Malformed) -> Step {
        while true {
            switch state {
            case .fixedBody(let remaining):
                if remaining == 0 { return finish() }
                guard let body = takeBody(bytes, &position, remaining) else { return .needMore }
                state = .fixedBody(remaining: remaining - body.count)
                return .body(body)
            case .chunkData(let remaining):
                guard let body = takeBody(bytes, &position, remaining) else { return .needMore }
                state =
                    body.count == remaining
                    ? .chunkEnd : .chunkData(remaining: remaining - body.count)
                return .body(body)
            case .untilClose:
                guard let body = takeBody(bytes, &position, .max) else { return .needMore }
                return .body(body)
            case .startLine, .headers, .chunkSize, .chunkEnd, .trailers:
                guard let line = try takeLine(bytes, &position) else { return .needMore }
                if let step = try understand(line) { return step }
            }
        }
    }

    /// The connection ended. True if that is how this message was meant to end.
    package mutating func connectionEnded() -> Bool {
        guard state == .untilClose else { return false }
        _ = finish()
        return true
    }

    // MARK: Pieces

    private mutating func finish() -> Step {
        state = .startLine
        return .end
    }

    private func takeBody(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, _ countMax: Int
    ) -> Range<Int>? {
        let count = min(bytes.count - position, countMax)
        guard count > 0 else { return nil }
        defer { position += count }
        return position..<(position + count)
    }

    /// The next line without its end, or nil if its end is not there yet.
    private func takeLine(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(Malformed) -> UnsafeRawBufferPointer? {
        let available = bytes.count - position
        assert(available >= 0)
        guard available > 0, let base = bytes.baseAddress else { return nil }
        let start = base + position
        guard let newline = memchr(start, 0x0A, available) else {
            if available > Self.lineBytesMax { throw Malformed(description: "line without end") }
            return nil
        }
        var count = UnsafeRawPointer(newline) - start
        position += count + 1
        if count > 0, start.load(fromByteOffset: count - 1, as: UInt8.self) == 0x0D { count -= 1 }
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Takes one whole line; a step if it ended something.
    private mutating func understand(_ line: UnsafeRawBufferPointer) throws(Malformed) -> Step? {
        switch state {
        case .startLine:
            try startMessage(line)
            return nil
        case .headers:
            if !line.isEmpty {
                try takeHeader(line)
                return nil
            }
            return endHeaders()
        case .chunkSize:
            let size = try chunkSize(line)
            state = size == 0 ? .trailers : .chunkData(remaining: size)
            return nil
        case .chunkEnd:
            guard line.isEmpty else { throw Malformed(description: "chunk longer than its size") }
            state = .chunkSize
            return nil
        case .trailers:
            return line.isEmpty ? finish() : nil
        case .fixedBody, .chunkData, .untilClose:
            preconditionFailure("bodies are not read by line")
        }
    }

    private mutating func startMessage(_ line: UnsafeRawBufferPointer) throws(Malformed) {
        contentLength = nil
        isChunked = false
        closesConnection = false
        switch side {
        case .requests:
            status = 0
            if line.isEmpty { return }  // a stray line end before a request is allowed
        case .responses:
            // HTTP/1.1 200 OK
            guard line.count >= 12, hasPrefix(line, "http/1."), line[8] == 0x20 else {
                throw Malformed(description: "not an HTTP/1 status line")
            }
            status = 0
            for index in 9..<12 {
                guard (0x30...0x39).contains(line[index]) else {
                    throw Malformed(description: "a status that is not a number")
                }
                status = status * 10 + Int(line[index] - 0x30)
            }
            closesConnection = line[7] == UInt8(ascii: "0")
        }
        state = .headers
    }

    private mutating func takeHeader(_ line: UnsafeRawBufferPointer) throws(Malformed) {
        switch line[0] | 0x20 {
        case UInt8(ascii: "c"):
            if hasPrefix(line, "content-length:") {
                contentLength = try decimal(trimmed(line, from: 15))
            } else if hasPrefix(line, "connection:") {
                let value = trimmed(line, from: 11)
                if hasPrefix(value, "close") { closesConnection = true }
                if hasPrefix(value, "keep-alive") { closesConnection = false }
            }
        case UInt8(ascii: "t"):
            if hasPrefix(line, "transfer-encoding:") {
                isChunked = hasPrefix(trimmed(line, from: 18), "chunked")
            }
        default: break
        }
    }

    private mutating func endHeaders() -> Step? {
        if side == .responses, (100...199).contains(status), status != 101 {
            state = .startLine
            return nil
        }
        if side == .responses, status == 204 || status == 304 {
            state = .fixedBody(remaining: 0)
        } else if isChunked {
            state = .chunkSize
        } else if let contentLength {
            state = .fixedBody(remaining: contentLength)
        } else {
            state = side == .requests ? .fixedBody(remaining: 0) : .untilClose
            if side == .responses { closesConnection = true }
        }
        return .head(status: status)
    }

    // MARK: Bytes

    /// True if `line` begins with `prefix`, whatever the case of `line`'s letters.
    private func hasPrefix(_ line: UnsafeRawBufferPointer, _ prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard line.count >= count else { return false }
        let expected = prefix.utf8Start
        for index in 0..<count {
            let byte = line[index]
            let isUpper = byte >= 0x41 && byte <= 0x5A
            if (isUpper ? byte | 0x20 : byte) != expected[index] { return false }
        }
        return true
    }

    private func trimmed(
        _ line: UnsafeRawBufferPointer, from offset: Int
    ) -> UnsafeRawBufferPointer {
        var start = offset
        var end = line.count
        while start < end, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
        while end > start, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: line[start..<end])
    }

    private func decimal(_ digits: UnsafeRawBufferPointer) throws(Malformed) -> Int {
        guard (1...18).contains(digits.count) else {
            throw Malformed(description: "a Content-Length that is not a number")
        }
        var value = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else {
                throw Malformed(description: "a Content-Length that is not a number")
            }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    private func chunkSize(_ line: UnsafeRawBufferPointer) throws(Malformed) -> Int {
        var value = 0
        var digitCount = 0
        for byte in line {
            guard let digit = hexDigitValue(byte) else {
                // A chunk extension follows, or blanks.
                guard byte == UInt8(ascii: ";") || byte == 0x20 || byte == 0x09 else {
                    throw Malformed(description: "a chunk size that is not a number")
                }
                break
            }
            value = value << 4 | digit
            digitCount += 1
            if digitCount > 15 { throw Malformed(description: "a chunk size beyond 2^60") }
        }
        guard digitCount > 0 else { throw Malformed(description: "a chunk without a size") }
        return value
    }
}

/// The value of a hexadecimal digit, nil if it is none.
func hexDigitValue(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
}
