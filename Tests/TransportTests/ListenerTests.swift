import Cluster
import NIOCore
import NIOPosix
import RaftModel
import Synchronization
import Testing

@testable import Transport

final class Counter: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func add() { value.withLock { $0 += 1 } }
}

private final class ActiveCounter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let counter: Counter

    init(_ counter: Counter) { self.counter = counter }

    func channelActive(context: ChannelHandlerContext) { counter.add() }
}

@Suite(.timeLimit(.minutes(3))) struct ListenerTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func bind(
        _ text: String, setup: @escaping Listener.Setup = { _ in }
    ) async throws -> Listener {
        try await Listener.bind(EndpointURL(text), on: group, setup: setup).get()
    }

    @Test(arguments: ["127.0.0.1", "localhost", "[::1]", ""])
    func bindsAndCloses(_ host: String) async throws {
        let accepted = Counter()
        // One that is still being set up goes with its listener.
        let listener = try await bind("http://\(host):0") { channel in
            try channel.pipeline.syncOperations.addHandler(ActiveCounter(accepted))
        }
        #expect(listener.url.port != 0)
        #expect(listener.url.description == "http://\(host):\(listener.url.port)")
        let target = host.isEmpty ? "127.0.0.1" : host
        let connection = try await RawConnection.open(
            EndpointURL("http://\(target):\(listener.url.port)"))
        try await eventually("it is accepted") { accepted.count == 1 }
        try await listener.close().get()
        try await listener.close().get()
        #expect(!connection.isClosed, "connections live on")
        await connection.close()
        // The port is free again at once.
        try await bind("http://\(host):\(listener.url.port)").close().get()
    }

    private func error(of text: String) async throws -> ListenerError? {
        do {
            let listener = try await bind(text)
            try await listener.close().get()
            return nil
        } catch {
            return error as? ListenerError
        }
    }

    @Test func saysThatAPortIsInUse() async throws {
        let first = try await bind("http://127.0.0.1:0")
        let address = "127.0.0.1:\(first.url.port)"
        let error = try await error(of: "http://\(address)")
        #expect(error?.description == "listen tcp \(address): bind: address already in use")
        #expect(error?.advice.contains("another port") == true)
        try await first.close().get()
    }

    @Test func saysWhatElseIsWrong() async throws {
        #expect(
            try await error(of: "http://203.0.113.7:2380")?.description
                == "listen tcp 203.0.113.7:2380: bind: cannot assign requested address")
        #expect(
            try await error(of: "http://no-such-host.invalid:2380")?.description
                .hasPrefix("listen tcp: lookup no-such-host.invalid: ") == true)
        #expect(
            try await error(of: "https://127.0.0.1:0")?.description
                == "listen tcp 127.0.0.1:0: https without a certificate")
        for code: ListenerError.Code in [
            .noSuchHost, .lookup(-3), .noTLS, .bind(errno: 13), .bind(errno: 98),
            .bind(errno: 99), .other("x"),
        ] {
            let url = try EndpointURL("http://h:1")
            #expect(ListenerError(code, url: url).advice.hasSuffix("."))
        }
    }

    /// The hook for TLS comes before everything else, for https URLs only.
    @Test func securesConnections() async throws {
        struct Refused: Error {}
        let listener = try await Listener.bind(
            EndpointURL("https://127.0.0.1:0"), on: group, secure: { _ in throw Refused() }
        ) { _ in
        }.get()
        let connection = try await RawConnection.open(
            EndpointURL("http://127.0.0.1:\(listener.url.port)"))
        try await eventually("the refused connection ends") { connection.isClosed }
        try await listener.close().get()
    }
}

@Suite(.timeLimit(.minutes(3))) struct PeerClientTests {
    private let client = PeerClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    private let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)

    @Test func asksForVersions() async throws {
        try await withNodes(2) { nodes in
            nodes[1].recorder.change { $0.clusterVersion = SemanticVersion(2, 3) }
            let old = try await RawServer.start { _ in
                [Array("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".utf8)]
            }
            let peers = [
                nodes[0].peer, Peer(id: nodes[1].id, urls: [dead, nodes[1].url]),
                Peer(id: MemberID(3), urls: [dead]), Peer(id: MemberID(4), urls: [old.url]),
            ]
            let versions = try await client.fetchVersions(of: peers, timeout: .seconds(30)).get()
            let expected: [MemberID: MemberVersions?] = [
                nodes[0].id: MemberVersions(server: .served, cluster: nil),
                nodes[1].id: MemberVersions(server: .served, cluster: SemanticVersion(2, 3)),
                MemberID(3): MemberVersions?.none, MemberID(4): .endpointMissing,
            ]
            #expect(versions == expected)
            try await old.stop()
        }
    }

    @Test func asksForMembers() async throws {
        try await withNodes(1) { nodes in
            let members = [
                Member(id: MemberID(1), peerURLs: ["http://a:1"], name: "a"),
                Member(id: MemberID(.max), peerURLs: ["http://b:1"]),
            ]
            nodes[0].recorder.change { $0.members = members }
            let found = try await client.fetchMembers(
                from: [dead, nodes[0].url], timeout: .seconds(100)
            )
            .get()
            #expect(found.cluster == TestNode.cluster && found.members == members)
        }
        await #expect(throws: PeerClientError.self) {
            try await client.fetchMembers(from: [dead]).get()
        }
        do {
            _ = try await client.fetchMembers(from: [dead]).get()
        } catch {
            #expect(
                "\(error)".hasPrefix(
                    "could not retrieve cluster information from the given urls"))
        }
    }

    @Test func readsWhatARealMemberAnswers() async throws {
        let members = try PeerFixture.bytes("get-members.resp.http")
        let version = try PeerFixture.bytes("get-version.resp.http")
        let server = try await RawServer.start { head in
            head.contains("/members") ? [members] : [version]
        }
        let found = try await client.fetchMembers(from: [server.url], timeout: .seconds(100)).get()
        #expect(found.cluster == PeerFixture.cluster)
        #expect(
            found.members.map(\.id)
                == [PeerFixture.m1, PeerFixture.m2, PeerFixture.m4, PeerFixture.m3])
        let peer = Peer(id: PeerFixture.m1, urls: [server.url])
        let versions = try await client.fetchVersions(of: [peer], timeout: .seconds(100)).get()
        #expect(
            versions == [
                PeerFixture.m1: MemberVersions(
                    server: SemanticVersion(2, 3, 8), cluster: SemanticVersion(2, 3))
            ])
        try await server.stop()
    }

    /// The connection may be gone before the request's handler is on it.
    @Test func aConnectionClosedAtOnceIsAFailure() async throws {
        let url = try EndpointURL("http://127.0.0.1:0")
        let listener = try await Listener.bind(url, on: MultiThreadedEventLoopGroup.singleton) {
            $0.close(promise: nil)
        }.get()
        for _ in 0..<200 {
            await #expect(throws: PeerClientError.self) {
                try await client.get("/version", from: listener.url, timeout: .seconds(60)).get()
            }
        }
        try await listener.close().get()
    }

    @Test func doesNotWaitForEver() async throws {
        let silent = try await RawServer.start { _ in [] }
        await #expect(throws: PeerClientError.self) {
            try await client.get("/version", from: silent.url, timeout: .milliseconds(100)).get()
        }
        let endless = try await RawServer.start { _ in
            [
                Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n".utf8),
                Array(repeating: 0, count: 0x10000),
            ]
        }
        let small = PeerClient(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), answerBytesMax: 1000)
        do {
            _ = try await small.get("/", from: endless.url, timeout: .seconds(100)).get()
            Issue.record("an answer without end was taken")
        } catch {
            #expect("\(error)".contains("longer than 1000 bytes"))
        }
        try await silent.stop()
        try await endless.stop()
    }
}
