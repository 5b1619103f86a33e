import Cluster
import NIOCore
import RaftModel
import Testing

@testable import Transport

/// The peer port's answers, byte for byte where it matters, over sockets without HTTP on our side.
@Suite(.timeLimit(.minutes(3))) struct PeerServerTests {
    /// A request and what must come back.
    struct Exchange: CustomTestStringConvertible, Sendable {
        var name: String
        var request: String
        var status: String
        var body: String
        var headers: [String] = []
        var testDescription: String { name }
    }

    private static let id = "X-Etcd-Cluster-ID: c1\r\n"
    private static let version = "X-Server-Version: 2.3.8\r\nX-Min-Cluster-Version: 2.2.0\r\n"
    private static let to = "X-Raft-To: 1\r\n"

    private static func get(_ path: String, _ headers: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n"
    }

    private static func post(
        _ body: [UInt8] = [], _ headers: String = id + version
    ) -> String {
        let length = "Content-Length: \(body.count)\r\n"
        return "POST /raft HTTP/1.1\r\nHost: x\r\n\(headers)\(length)\r\n"
            + String(decoding: body, as: UTF8.self)
    }

    private static let notFound = "404 Not Found"
    private static let mismatch = "412 Precondition Failed"
    private static let cluster = "X-Etcd-Cluster-Id: c1"
    private static let server = "X-Server-Version: 2.3.8"

    static let exchanges: [Exchange] = [
        Exchange(
            name: "unknown path", request: get("/v2/keys"), status: notFound,
            body: "404 page not found\n"),
        Exchange(
            name: "path with a slash too many", request: get("/members/"), status: notFound,
            body: "404 page not found\n"),
        Exchange(
            name: "path below raft", request: get("/raft/xyz"), status: notFound,
            body: "404 page not found\n"),
        Exchange(
            name: "wrong method for raft", request: get("/raft", id + version),
            status: "405 Method Not Allowed", body: "Method Not Allowed\n",
            headers: ["Allow: POST"]),
        Exchange(
            name: "wrong method for members",
            request: "PUT /members HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            status: "405 Method Not Allowed", body: "Method Not Allowed\n",
            headers: ["Allow: GET"]),
        Exchange(
            name: "wrong method for a stream",
            request: "DELETE /raft/stream/msgapp/2 HTTP/1.1\r\nHost: x\r\n\r\n",
            status: "405 Method Not Allowed", body: "Method Not Allowed\n",
            headers: ["Allow: GET"]),
        Exchange(
            name: "HEAD has no body", request: "HEAD /members HTTP/1.1\r\nHost: x\r\n\r\n",
            status: "405 Method Not Allowed", body: "", headers: ["Allow: GET"]),
        Exchange(
            name: "post without versions", request: post([], id), status: mismatch,
            body: "incompatible version\n", headers: [cluster]),
        Exchange(
            name: "post from a version too old",
            request: post([], id + "X-Server-Version: 2.1.0\r\n"), status: mismatch,
            body: "incompatible version\n", headers: [cluster]),
        Exchange(
            name: "post from one that wants newer ones",
            request: post(
                [], id + "X-Server-Version: 3.1.0\r\nX-Min-Cluster-Version: 3.0.0\r\n"),
            status: mismatch, body: "incompatible version\n"),
        Exchange(
            name: "post with a version that is none",
            request: post([], id + "X-Server-Version: new\r\n"), status: mismatch,
            body: "incompatible version\n"),
        Exchange(
            name: "post to another cluster",
            request: post([], version + "X-Etcd-Cluster-ID: c2\r\n"), status: mismatch,
            body: "cluster ID mismatch\n", headers: [cluster]),
        Exchange(
            name: "post without a cluster", request: post([], version), status: mismatch,
            body: "cluster ID mismatch\n"),
        Exchange(
            name: "post of nonsense", request: post([0x08]), status: "400 Bad Request",
            body: "error unmarshaling raft message\n", headers: [cluster]),
        Exchange(
            name: "an empty body is the zero message", request: post(),
            status: "204 No Content", body: "", headers: [cluster]),
        Exchange(
            name: "post for another member",
            request: post(
                Message(.vote, to: MemberID(5), from: MemberID(2), term: 1).encoded()),
            status: mismatch, body: "to field mismatch\n", headers: [cluster]),
        Exchange(
            name: "post of a removed member",
            request: post(Message(.vote, to: MemberID(1), from: MemberID(3), term: 1).encoded()),
            status: "403 Forbidden",
            body: "{\"message\":\"cannot process message from removed member\"}",
            headers: [cluster, "Content-Type: application/json"]),
        Exchange(
            name: "post of a stranger",
            request: post(
                Message(.heartbeat, to: MemberID(1), from: MemberID(4), term: 99).encoded()),
            status: notFound, body: "error sender not found\n", headers: [cluster]),
        Exchange(
            name: "stream without versions", request: get("/raft/stream/msgapp/2", id + to),
            status: mismatch, body: "incompatible version\n", headers: [cluster, server]),
        Exchange(
            name: "stream of another cluster",
            request: get("/raft/stream/msgapp/2", version + to), status: mismatch,
            body: "cluster ID mismatch\n", headers: [cluster, server]),
        Exchange(
            name: "stream of another kind", request: get("/raft/stream/other/2", id + version + to),
            status: notFound, body: "invalid path\n", headers: [cluster, server]),
        Exchange(
            name: "stream of 2.0", request: get("/raft/stream/2", id + version + to),
            status: notFound, body: "invalid path\n"),
        Exchange(
            name: "stream for no id", request: get("/raft/stream/message/xyz", id + version + to),
            status: notFound, body: "invalid from\n", headers: [cluster, server]),
        Exchange(
            name: "stream of a removed member",
            request: get("/raft/stream/message/3", id + version + to), status: "410 Gone",
            body: "removed member\n", headers: [cluster, server]),
        Exchange(
            name: "stream of a stranger",
            request: get("/raft/stream/message/4", id + version + to), status: notFound,
            body: "error sender not found\n", headers: [cluster, server]),
        Exchange(
            name: "stream from another member",
            request: get("/raft/stream/message/2", id + version + "X-Raft-To: 9\r\n"),
            status: mismatch, body: "to field mismatch\n", headers: [cluster, server]),
        Exchange(
            name: "version", request: get("/version?x=1"), status: "200 OK",
            body: "{\"etcdserver\":\"2.3.8\",\"etcdcluster\":\"not_decided\"}",
            headers: ["Content-Type: application/json"]),
        Exchange(
            name: "members", request: get("/members"), status: "200 OK",
            body: "[{\"id\":18446744073709551615,\"peerURLs\":[\"http://h:1\"]}]\n",
            headers: [cluster, "Content-Type: application/json"]),
        Exchange(
            name: "no HTTP", request: "hello\r\n\r\n", status: "400 Bad Request",
            body: "400 Bad Request\n"),
    ]

    private func withServer(
        change: @Sendable @escaping (inout TransportConfiguration) -> Void = { _ in },
        _ body: (TestNode) async throws -> Void
    ) async throws {
        try await withNodes(1, change: change) { nodes in
            nodes[0].recorder.change { state in
                state.standings = [MemberID(3): .removed, MemberID(4): .unknown]
                state.members = [Member(id: MemberID(.max), peerURLs: ["http://h:1"])]
            }
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            try await nodes[0].update([Peer(id: MemberID(2), urls: [dead])])
            try await body(nodes[0])
        }
    }

    @Test func answersAsEtcdDoes() async throws {
        try await withServer { node in
            for exchange in Self.exchanges {
                let connection = try await RawConnection.open(node.url)
                try await connection.write(exchange.request)
                try await eventually("the answer to: \(exchange.name)") {
                    connection.text.hasSuffix("\r\n\r\n" + exchange.body)
                        || connection.text.count > 400 || connection.isClosed
                }
                let lines = connection.text.split(separator: "\r\n").map(String.init)
                #expect(
                    lines.first == "HTTP/1.1 " + exchange.status,
                    "\(exchange.name); the lines of all transports:\n\(KeptLines.text)")
                for header in exchange.headers {
                    #expect(lines.contains(header), "\(exchange.name): \(header)")
                }
                #expect(
                    connection.text.hasSuffix("\r\n\r\n" + exchange.body), "\(exchange.name)")
                if exchange.status != "204 No Content", !exchange.request.hasPrefix("HEAD") {
                    #expect(lines.contains("Content-Length: \(exchange.body.utf8.count)"))
                }
                await connection.close()
            }
        }
    }

    @Test func probesTellTheTime() async throws {
        try await withServer { node in
            let connection = try await RawConnection.open(node.url)
            try await connection.write(Self.get("/raft/probing"))
            try await eventually("the answer") { connection.text.hasSuffix("Z\"}\n") }
            let body = try #require(connection.text.split(separator: "\r\n").last)
            #expect(body.hasPrefix("{\"OK\":true,\"Now\":\"20"))
            await connection.close()
        }
    }

    /// A real member's requests, as captured, one after the other on one connection.
    @Test func takesCapturedPosts() async throws {
        let node = try await TestNode.start(PeerFixture.m3, cluster: PeerFixture.cluster)
        let names = ["post-heartbeatresp", "post-msgprop", "post-appresp-reject"]
        let connection = try await RawConnection.open(node.url)
        for name in names { try await connection.write(PeerFixture.bytes(name + ".req.http")) }
        try await eventually("all answers") {
            connection.text.matches(of: /HTTP\/1.1 204 No Content\r\n/).count == names.count
        }
        let expected = try names.map { try Message.decode(PeerFixture.bytes($0 + ".bin")) }
        // The answer goes out first.
        try await eventually("all messages") { node.seen.messages.count == names.count }
        #expect(node.seen.messages == expected)
        #expect(connection.text.contains("X-Etcd-Cluster-Id: d1e696e5d3cb959e\r\n"))
        await connection.close()
        try await node.stop()
    }

    @Test func takesACapturedSnapshot() async throws {
        let node = try await TestNode.start(PeerFixture.m2, cluster: PeerFixture.cluster)
        let connection = try await RawConnection.open(node.url)
        let request = try PeerFixture.bytes("post-msgsnap.req.http")
        // In two parts, as it comes from a network.
        try await connection.write(Array(request.prefix(70_000)))
        try await connection.write(Array(request.dropFirst(70_000)))
        try await eventually("the answer") { connection.text.contains("204 No Content") }
        // The answer goes out first.
        try await eventually("the message") { !node.seen.messages.isEmpty }
        #expect(
            node.seen.messages == [
                try Message.decode(PeerFixture.bytes("post-msgsnap.bin"))
            ])
        await connection.close()
        try await node.stop()
    }

    /// The leader's side of a captured conversation: same request, same messages, same bytes.
    @Test(arguments: ["msgapp-leader-to-follower", "message-leader-to-follower"])
    func servesStreamsAsCaptured(_ name: String) async throws {
        let stream = try #require(CapturedStream.all.first { $0.name == name })
        let node = try await TestNode.start(PeerFixture.m3, cluster: PeerFixture.cluster) {
            $0.timing.linkHeartbeat = .hours(1)
        }
        let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
        try await node.update([Peer(id: PeerFixture.m2, urls: [dead])])
        let connection = try await RawConnection.open(node.url)
        try await connection.write(PeerFixture.bytes(name + ".req.http"))
        try await eventually("the head, at once") { connection.text.hasSuffix("\r\n\r\n") }
        #expect(connection.text.hasPrefix("HTTP/1.1 200 OK\r\nX-Etcd-Cluster-Id: d1e696e5d3cb959e"))
        #expect(connection.text.contains("\r\nX-Server-Version: 2.3.8\r\n"))
        let captured = try PeerFixture.bytes(name + ".bin")
        var expected: [UInt8] = []
        for (bytes, frame) in try Frame.all(in: stream) {
            guard case .message(let message) = frame else { continue }
            expected += captured[bytes]
            try await node.send([message])
        }
        try await eventually("the body") { connection.dechunkedBody.count >= expected.count }
        #expect(connection.dechunkedBody == expected)
        await connection.close()
        try await node.stop()
    }

    @Test func aNewStreamReplacesTheOld() async throws {
        // Nothing else is to be on the first one, however slow the machine.
        try await withServer(change: { $0.timing.linkHeartbeat = .hours(1) }) { node in
            let request = Self.get("/raft/stream/message/2", Self.id + Self.version + Self.to)
            let old = try await RawConnection.open(node.url)
            try await old.write(request)
            try await eventually("the first stream") { old.text.contains("200 OK") }
            let new = try await RawConnection.open(node.url)
            try await new.write(request)
            try await eventually("the first stream's end") { old.isClosed }
            // Behind the head, or behind a heartbeat if this took long.
            #expect(old.text.hasSuffix("\r\n0\r\n\r\n"))
            try await node.send([Message(.vote, to: MemberID(2), from: MemberID(1), term: 9)])
            try await eventually("a message on the second one") { !new.dechunkedBody.isEmpty }
            await new.close()
        }
    }

    @Test func linkHeartbeatsFlow() async throws {
        try await withServer(change: { $0.timing.linkHeartbeat = .milliseconds(30) }) { node in
            for (kind, frame) in [("msgapp", 1), ("message", 36)] {
                let connection = try await RawConnection.open(node.url)
                try await connection.write(
                    Self.get("/raft/stream/\(kind)/2", Self.id + Self.version + Self.to))
                try await eventually("three heartbeats") {
                    connection.dechunkedBody.count >= 3 * frame
                }
                let first = Array(connection.dechunkedBody.prefix(frame))
                #expect(
                    first
                        == (kind == "msgapp"
                            ? [0] : [0, 0, 0, 0, 0, 0, 0, 28] + Message(.heartbeat).encoded()))
                await connection.close()
            }
        }
    }

    /// A peer that reads nothing: what is for it is dropped in the end, and raft is told.
    @Test func aStuckPeerLosesMessages() async throws {
        try await withServer(change: { $0.bounds.streamQueueBytesMax = 1 << 20 }) { node in
            try await withStuckPeer(of: node) { message in
                try await eventually("an overflow") {
                    try await node.send([message])
                    return try await node.statistics(of: MemberID(2))?.droppedMessageCount ?? 0 > 0
                }
                try await eventually("the report") { node.seen.unreachable[MemberID(2)] != nil }
            }
        }
    }

    /// Its connection is given up when nothing moves on it.
    @Test func aStuckPeerIsGivenUp() async throws {
        try await withServer { node in
            try await withStuckPeer(of: node) { message in
                // More than the kernel takes for a peer that reads nothing.
                try await node.send(Array(repeating: message, count: 200))
                try await node.run { transport in
                    let link = transport[member: MemberID(2)]
                    let limit = transport.configuration.timing.silenceMax
                    link?.tick(now: .now())
                    #expect(link?.messageStream != nil)
                    link?.tick(now: .now() + limit / 2)
                    #expect(link?.messageStream != nil)
                    link?.tick(now: .now() + limit + .seconds(1))
                }
                try await eventually("the stream is given up") {
                    try await node.run { $0[member: MemberID(2)]?.messageStream == nil }
                }
                try await eventually("the report") { node.seen.unreachable[MemberID(2)] != nil }
            }
        }
    }

    /// Runs `body` while member 2 has a message stream that it does not read; gives it a message
    /// of 100 kB for member 2.
    private func withStuckPeer(
        of node: TestNode, _ body: (Message) async throws -> Void
    ) async throws {
        let connection = try await RawConnection.open(node.url)
        try await connection.write(
            Self.get("/raft/stream/message/2", Self.id + Self.version + Self.to))
        try await eventually("the stream") { connection.text.contains("200 OK") }
        try await connection.stopReading()
        let entry = Entry(data: Array(repeating: 1, count: 100_000))
        try await body(
            Message(.propose, to: MemberID(2), from: MemberID(1), entries: [entry]))
        await connection.close()
    }

    @Test func manySmallMessagesAreBoundedToo() async throws {
        try await withServer(change: { $0.bounds.streamQueueMessagesMax = 10 }) { node in
            let connection = try await RawConnection.open(node.url)
            try await connection.write(
                Self.get("/raft/stream/message/2", Self.id + Self.version + Self.to))
            try await eventually("the stream") { connection.text.contains("200 OK") }
            let message = Message(.vote, to: MemberID(2), from: MemberID(1), term: 1)
            try await node.send(Array(repeating: message, count: 15))
            try await eventually("the report") { node.seen.unreachable[MemberID(2)] == 1 }
            #expect(try await node.statistics(of: MemberID(2))?.droppedMessageCount == 5)
            await connection.close()
        }
    }

    @Test func longBodiesAreRefused() async throws {
        try await withServer(change: { $0.bounds.postBytesMax = 1000 }) { node in
            let connection = try await RawConnection.open(node.url)
            try await connection.write(Self.post(Array(repeating: 0, count: 1001)))
            try await eventually("the refusal") { connection.isClosed }
            #expect(connection.text.hasPrefix("HTTP/1.1 413 Payload Too Large\r\n"))
        }
    }

    /// However a request is cut: heads within a name, bodies anywhere, and what is longer than one feeding of
    /// the decoder.
    @Test(arguments: [1, 7, 100, 8191, 8192, 8193])
    func requestsComeInPieces(size: Int) async throws {
        try await withServer { node in
            let connection = try await RawConnection.open(node.url)
            let entries = (0..<(size < 100 ? 1 : 200)).map { _ in
                Entry(data: Array(repeating: 0x61, count: 60))
            }
            let padding =
                "X-Padding: \(String(repeating: "p", count: size < 100 ? 10 : 20_000))\r\n"
            for term in 1...2 as ClosedRange<UInt64> {
                let message = Message(
                    .propose, to: MemberID(1), from: MemberID(2), term: term, entries: entries)
                var rest = Self.post(message.encoded(), Self.id + Self.version + padding)[...]
                while !rest.isEmpty {
                    try await connection.write(String(rest.prefix(size)))
                    rest = rest.dropFirst(size)
                }
                try await eventually("message \(term)") { node.seen.messages.last == message }
            }
            await connection.close()
        }
    }

    /// Nothing of it is kept.
    @Test(arguments: ["CONNECT /version HTTP/1.1\r\n", "GET /version HTTP/1.1\r\nUpgrade: x\r\n"])
    func anotherProtocolEndsTheConnection(request: String) async throws {
        try await withServer { node in
            let connection = try await RawConnection.open(node.url)
            try await connection.write(
                request + "Host: x\r\nConnection: upgrade\r\n\r\n"
                    + String(repeating: "x", count: 100_000))
            try await eventually("the end") { connection.isClosed }
            #expect(connection.text.hasPrefix("HTTP/1.1 "))
        }
    }

    /// By another thread than the loop; and then the connection goes on.
    @Test func longMessagesArrive() async throws {
        try await withServer(change: { $0.bounds.promptPostBytesMax = 100 }) { node in
            let connection = try await RawConnection.open(node.url)
            let entries = Array(repeating: Entry(data: Array(repeating: 0x61, count: 60)), count: 4)
            for term in 1...3 as ClosedRange<UInt64> {
                let message = Message(
                    .propose, to: MemberID(1), from: MemberID(2), term: term, entries: entries)
                try await connection.write(Self.post(message.encoded()))
                try await eventually("message \(term)") { node.seen.messages.last == message }
            }
            try await eventually("the answers") {
                connection.text.ranges(of: "204 No Content").count == 3
            }
            try await connection.write(Self.post(Array(repeating: 0, count: 200)))
            try await eventually("the refusal") {
                connection.text.contains("error unmarshaling raft message")
            }
            await connection.close()
        }
    }

    /// Each is in memory until it is whole.
    @Test func longBodiesComeOneAtATime() async throws {
        try await withServer(change: { $0.bounds.smallPostBytesMax = 1000 }) { node in
            let half = Self.post(Array(repeating: 0, count: 3000)).dropLast(500)
            let first = try await RawConnection.open(node.url)
            try await first.write(String(half))
            let second = try await RawConnection.open(node.url)
            try await second.write(String(half))
            try await eventually("the refusal") { second.isClosed }
            #expect(second.text.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            try await first.write(String(repeating: "\0", count: 500))
            try await eventually("its own verdict") { !first.text.isEmpty }
            #expect(!first.text.hasPrefix("HTTP/1.1 503"))
            // Its place is free again.
            let next = try await RawConnection.open(node.url)
            try await next.write(Self.post(Array(repeating: 0, count: 3000)))
            try await eventually("the next one's verdict") { !next.text.isEmpty }
            #expect(!next.text.hasPrefix("HTTP/1.1 503"))
            for connection in [first, second, next] { await connection.close() }
        }
    }

    @Test func aCrowdMakesRoomForTheNext() async throws {
        try await withServer(change: { $0.bounds.connectionsMax = 5 }) { node in
            var crowd: [RawConnection] = []
            for _ in 0..<20 { crowd.append(try await RawConnection.open(node.url)) }
            let first = crowd
            try await eventually("the oldest are closed") {
                first.filter(\.isClosed).count >= 15
            }
            let next = try await RawConnection.open(node.url)
            try await next.write("GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
            try await eventually("an answer") { next.text.hasPrefix("HTTP/1.1 200 OK") }
            for connection in crowd { await connection.close() }
            await next.close()
        }
    }

    @Test func idleConnectionsAreClosed() async throws {
        try await withServer(change: { $0.timing.silenceMax = .milliseconds(200) }) { node in
            let silent = try await RawConnection.open(node.url)
            let half = try await RawConnection.open(node.url)
            try? await half.write("POST /raft HTTP/1.1\r\nHost")
            try await eventually("both are closed") { silent.isClosed && half.isClosed }
        }
    }

    /// A body that never pauses, and never ends.
    @Test func aBodyMayNotTakeForEver() async throws {
        try await withServer(change: { $0.timing.requestMax = .milliseconds(200) }) { node in
            let steady = try await RawConnection.open(node.url)
            try await steady.write(
                "POST /raft HTTP/1.1\r\nHost: x\r\n\(Self.id)\(Self.version)"
                    + "Content-Length: 100000000\r\n\r\n")
            try await eventually("it is closed") {
                if !steady.isClosed { try? await steady.write("x") }
                return steady.isClosed
            }
        }
    }
}
