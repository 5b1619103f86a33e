import ClientAPI
import GoldenSupport
import NIOCore
import Synchronization
import Testing

/// `GET /v2/admin/backup` over loopback sockets. What a backup has in it is its maker's affair.
@Suite(.timeLimit(.minutes(2))) struct BackupTests {
    private let facts = BackupFacts(term: 0x1f, index: .max, storeIndex: 12, contentHash: 0xabc)
    private let request = "GET /v2/admin/backup HTTP/1.1\r\nHost: h\r\n\r\n"

    private func withNode(
        _ maker: BackupMaker?, _ body: (SingleNode, RawClient) throws -> Void
    ) throws {
        var configuration = ClientServerConfiguration()
        configuration.unsentBytesMax = 1 << 20
        try SingleNode.with(configuration) { node in
            try node.onLoop { _, server in server.backupProvider = maker }
            try body(node, RawClient(port: node.port))
        }
    }

    private func wait(_ what: String, _ condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(30)
        while try !condition() {
            guard ContinuousClock.now < end else { throw GoldenFailure("never: \(what)") }
        }
    }

    @Test func comesWhole() throws {
        let pieces: [[UInt8]] = [
            [1, 2, 3], [], Array(repeating: 7, count: 300_000), Array("end".utf8),
        ]
        let maker = BackupMaker { [facts] in PiecesStream(facts, pieces) }
        try withNode(maker) { _, client in
            // The connection can be used on, and what stands behind it in line has its turn.
            try client.send(request + request)
            for _ in 0..<2 {
                let response = try client.response()
                #expect(response.statusLine == "HTTP/1.1 200 OK")
                #expect(response["Transfer-Encoding"] == "chunked")
                #expect(response["Content-Type"] == "application/octet-stream")
                #expect(response["X-Etcd-Cluster-Id"] != nil)
                #expect(response["X-Etcd-Index"] == "12")
                #expect(response["X-Raft-Index"] == "18446744073709551615")
                #expect(response["X-Raft-Term"] == "31")
                #expect(response["X-Kvd-Content-Hash"] == "0000000000000abc")
                #expect(
                    response["Content-Disposition"]
                        == "attachment; filename=\"000000000000001f-ffffffffffffffff.ksnap\"")
                #expect(response.body == pieces.flatMap { $0 })
            }
            #expect(maker.madeCount == 2)
        }
    }

    @Test func olderClientsGetItUntilTheConnectionEnds() throws {
        let maker = BackupMaker { [facts] in PiecesStream(facts, [[1, 2], [3]]) }
        try withNode(maker) { _, client in
            try client.send("GET /v2/admin/backup HTTP/1.0\r\nHost: h\r\n\r\n")
            let response = try client.response()
            #expect(response["Transfer-Encoding"] == nil)
            #expect(response.body == [1, 2, 3])
            #expect(client.hasEnded)
        }
    }

    @Test func nobodyMakesOne() throws {
        try withNode(nil) { _, client in
            let response = try client.request("GET", "/v2/admin/backup")
            #expect(response.statusLine == "HTTP/1.1 501 Not Implemented")
            #expect(response["Content-Type"] == "application/json")
            #expect(response.text == #"{"message":"This member makes no backups."}"#)
            let other = try client.request("PUT", "/v2/admin/backup")
            #expect(other.status == 405 && other["Allow"] == "GET")
            #expect(try client.request("GET", "/v2/admin/backups").status == 404)
        }
    }

    @Test func thereIsNoStateYet() throws {
        let maker = BackupMaker { nil }
        try withNode(maker) { _, client in
            for _ in 0..<2 {
                let response = try client.request("GET", "/v2/admin/backup")
                #expect(response.status == 503)
                #expect(response.text.contains("no state yet"))
            }
            #expect(maker.madeCount == 2)
        }
    }

    /// A client that reads nothing: the backup waits, in bounded memory, and holds up nobody but
    /// another backup.
    @Test func waitsForItsClient() throws {
        let stream = EndlessStream(facts)
        let maker = BackupMaker { stream }
        try withNode(maker) { node, client in
            try client.send(request)
            #expect(try client.head().status == 200)
            // It stands still when nothing has been made while many other requests were answered.
            let other = try RawClient(port: node.port)
            var last = -1
            while last != stream.madeCount || last <= 0 {
                last = stream.madeCount
                for _ in 0..<200 {
                    #expect(try other.request("GET", "/v2/keys/none").status == 404)
                }
            }
            // Two buffers of the kernel, of some MB each, and one of ours.
            #expect(last * EndlessStream.pieceBytes < 32 << 20)
            let second = try other.request("GET", "/v2/admin/backup")
            #expect(second.status == 503)
            #expect(second.text.contains("is being made already"))
            // It goes on when the client does.
            for _ in 0..<last { _ = try client.chunk() }
            try wait("more of it") { stream.madeCount > last }
            #expect(maker.madeCount == 1)
        }
    }

    @Test func aClientThatGoesAwayEndsIt() throws {
        let streams = Mutex<[WeakStream]>([])
        let maker = BackupMaker { [facts] in
            let stream = EndlessStream(facts)
            streams.withLock { $0.append(WeakStream(stream: stream)) }
            return stream
        }
        try withNode(maker) { node, _ in
            for _ in 0..<3 {
                var client: RawClient?
                try wait("room for a backup") {
                    client = try RawClient(port: node.port)
                    try client?.send(request)
                    return try client?.head().status == 200
                }
                _ = try client?.chunk()
                client = nil
                try wait("the stream is let go") {
                    streams.withLock { $0.allSatisfy { $0.stream == nil } }
                }
            }
            #expect(streams.withLock { $0.count } == 3)
        }
    }

    /// The end is missing, so that no client takes it for whole.
    @Test func aFailureCutsItOff() throws {
        let maker = BackupMaker { [facts] in PiecesStream(facts, [[1, 2, 3]], fails: true) }
        try withNode(maker) { node, client in
            try client.send(request)
            #expect(try client.head().status == 200)
            #expect(try client.chunk() == [1, 2, 3])
            #expect(try client.rest().isEmpty)
            #expect(client.hasEnded)
            let again = try RawClient(port: node.port)
            try again.send(request)
            #expect(try again.head().status == 200)
        }
    }

    @Test func stoppingCutsItOff() throws {
        let maker = BackupMaker { [facts] in EndlessStream(facts) }
        try withNode(maker) { node, client in
            try client.send(request)
            #expect(try client.head().status == 200)
            try node.onLoop { _, server in server.stop() }
            #expect(client.endsWithin(milliseconds: 10_000))
        }
    }
}

/// Makes what it is told to.
private final class BackupMaker: BackupProvider, Sendable {
    private let count = Mutex(0)
    private let make: @Sendable () -> (any BackupStream)?

    init(_ make: @escaping @Sendable () -> (any BackupStream)?) { self.make = make }

    var madeCount: Int { count.withLock { $0 } }

    func makeBackup() -> (any BackupStream)? {
        count.withLock { $0 += 1 }
        return make()
    }
}

/// A few pieces, and then the end or an error.
private final class PiecesStream: BackupStream {
    struct Broken: Error {}

    let facts: BackupFacts
    private let rest: Mutex<ArraySlice<[UInt8]>>
    private let fails: Bool

    init(_ facts: BackupFacts, _ pieces: [[UInt8]], fails: Bool = false) {
        (self.facts, self.fails) = (facts, fails)
        rest = Mutex(pieces[...])
    }

    func next() throws -> [UInt8]? {
        let piece = rest.withLock { $0.popFirst() }
        if piece == nil, fails { throw Broken() }
        return piece
    }
}

/// Never ends, and counts.
private final class EndlessStream: BackupStream {
    static let pieceBytes = 256 << 10

    let facts: BackupFacts
    private let made = Mutex(0)

    init(_ facts: BackupFacts) { self.facts = facts }

    var madeCount: Int { made.withLock { $0 } }

    func next() -> [UInt8]? {
        made.withLock { $0 += 1 }
        return Array(repeating: 9, count: Self.pieceBytes)
    }
}

private struct WeakStream {
    weak var stream: EndlessStream?
}
