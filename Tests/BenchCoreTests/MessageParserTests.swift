import Testing

@testable import BenchCore

/// Collects whole messages the way a connection does: what the parser leaves is given again.
private struct Collector {
    var parser: MessageParser
    var kept: [UInt8] = []
    var finished: [RecordedAnswer.Answer] = []
    var current: RecordedAnswer.Answer?

    init(_ side: MessageParser.Side) { parser = MessageParser(side) }

    mutating func take(_ bytes: some Collection<UInt8>) throws {
        kept += bytes
        var position = 0
        loop: while true {
            let step = try kept.withUnsafeBytes { try parser.next($0, &position) }
            switch step {
            case .needMore: break loop
            case .head(let status): current = RecordedAnswer.Answer(status: status, body: "")
            case .body(let range): current?.body += String(decoding: kept[range], as: UTF8.self)
            case .end:
                finished.append(try #require(current))
                current = nil
            }
        }
        kept.removeFirst(position)
    }
}

@Suite struct MessageParserTests {
    @Test(arguments: RecordedAnswer.all)
    func everySplitGivesTheSameAnswers(recorded: RecordedAnswer) throws {
        let bytes = Array(recorded.bytes.utf8)
        for split in 0...bytes.count {
            var collector = Collector(.responses)
            try collector.take(bytes[..<split])
            try collector.take(bytes[split...])
            expect(collector, recorded, "split at \(split)")
        }
    }

    @Test(arguments: RecordedAnswer.all)
    func byteByByteGivesTheSameAnswers(recorded: RecordedAnswer) throws {
        var collector = Collector(.responses)
        for byte in recorded.bytes.utf8 { try collector.take([byte]) }
        expect(collector, recorded, "byte by byte")
    }

    @Test func allOnOneConnection() throws {
        let closed = RecordedAnswer.all.filter { !$0.isOpen }
        var collector = Collector(.responses)
        try collector.take(closed.map(\.bytes).joined().utf8)
        #expect(collector.finished == closed.flatMap(\.answers))
        #expect(collector.parser.isBetweenMessages)
    }

    private func expect(_ collector: Collector, _ recorded: RecordedAnswer, _ how: String) {
        let open = recorded.isOpen ? [collector.current].compactMap { $0 } : []
        #expect(collector.finished + open == recorded.answers, "\(recorded.name), \(how)")
        #expect(collector.parser.isBetweenMessages == !recorded.isOpen)
    }

    @Test func closingAnswers() throws {
        var closing = Collector(.responses)
        try closing.take(
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno".utf8)
        #expect(closing.finished == [RecordedAnswer.Answer(status: 400, body: "no")])
        #expect(closing.parser.closesConnection)

        // As Go answers a bad request line: no length, the end of the connection is the end.
        var unbounded = Collector(.responses)
        try unbounded.take("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad".utf8)
        #expect(unbounded.finished.isEmpty && unbounded.current?.body == "400 Bad")
        let isWhole = unbounded.parser.connectionEnded()
        #expect(isWhole)

        var old = Collector(.responses)
        try old.take("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        #expect(old.parser.closesConnection)
        let isMeantToEnd = old.parser.connectionEnded()
        #expect(!isMeantToEnd)
    }

    @Test func interimAnswersAreSkipped() throws {
        var collector = Collector(.responses)
        try collector.take(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-LENGTH:\t3 \r\n\r\nabc".utf8)
        #expect(collector.finished == [RecordedAnswer.Answer(status: 200, body: "abc")])
    }

    @Test func chunkExtensionsAndTrailers() throws {
        var collector = Collector(.responses)
        try collector.take(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA;x=y\r\n0123456789\r\n"
                .utf8)
        try collector.take("0\r\nX-Sum: 1\r\n\r\nHTTP/1.1 201 Created\r\n".utf8)
        #expect(collector.finished == [RecordedAnswer.Answer(status: 200, body: "0123456789")])
    }

    @Test func requests() throws {
        var collector = Collector(.requests)
        let put = "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nvalue=1"
        let get = "GET /v2/keys/a HTTP/1.1\r\nHost: h\r\n\r\n"
        try collector.take((put + get + put).utf8)
        #expect(collector.finished.map(\.body) == ["value=1", "", "value=1"])
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/2 200\r\n", "HTTP/1.1 2x0 OK\r\n", "\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    ])
    func malformed(bytes: String) {
        var collector = Collector(.responses)
        #expect(throws: MessageParser.Malformed.self) { try collector.take(bytes.utf8) }
    }

    @Test func aLineWithoutEndIsBounded() throws {
        var collector = Collector(.responses)
        let piece = [UInt8](repeating: UInt8(ascii: "H"), count: MessageParser.lineBytesMax)
        try collector.take(piece)
        #expect(throws: MessageParser.Malformed.self) { try collector.take([1]) }
    }

    @Test func noBytesTrapIt() {
        var random = SplitMix64(seed: 7)
        let recorded = RecordedAnswer.all.map { Array($0.bytes.utf8) }
        for _ in 0..<20_000 {
            var bytes = recorded[random.next(below: recorded.count)]
            for _ in 0...random.next(below: 4) {
                bytes[random.next(below: bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            var collector = Collector(.responses)
            // Refused or not: what must hold is that the parser stays within its bytes.
            try? collector.take(bytes)
            #expect(collector.kept.count <= bytes.count)
        }
    }
}
