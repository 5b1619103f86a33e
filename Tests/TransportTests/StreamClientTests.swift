import Cluster
import NIOCore
import RaftModel
import Testing

@testable import Transport

/// What we make of peers that are not like us: captured etcd members, and broken ones.
@Suite(.timeLimit(.minutes(3))) struct StreamClientTests {
    /// A follower dials a server that answers as the captured leader did, in pieces of odd sizes.
    @Test(arguments: [1, 7, 64, 1000, 100_000])
    func readsCapturedStreams(_ pieceBytes: Int) async throws {
        let append = try PeerFixture.bytes("msgapp-leader-to-follower.resp.http")
        let message = try PeerFixture.bytes("message-leader-to-follower.resp.http")
        let server = try await RawServer.start { head in
            let answer = head.contains("/raft/stream/msgapp/") ? append : message
            return stride(from: 0, to: answer.count, by: pieceBytes).map {
                Array(answer[$0..<min($0 + pieceBytes, answer.count)])
            }
        }
        let node = try await TestNode.start(PeerFixture.m2, cluster: PeerFixture.cluster) {
            $0.timing.redialDelay = .hours(1)
            $0.timing.redialDelayMax = .hours(1)
        }
        try await node.update([Peer(id: PeerFixture.m3, urls: [server.url])])
        var expected: [[Message]] = []
        for name in ["msgapp-leader-to-follower", "message-leader-to-follower"] {
            let stream = try #require(CapturedStream.all.first { $0.name == name })
            expected.append(
                try Frame.all(in: stream).compactMap {
                    guard case .message(let message) = $0.frame else { return nil }
                    return message
                })
        }
        try await eventually("all messages") {
            node.seen.messages.count == expected[0].count + expected[1].count
        }
        #expect(node.seen.messages.filter { $0.kind == .append } == expected[0])
        #expect(node.seen.messages.filter { $0.kind != .append } == expected[1])
        // It is told, too: the member may have been a kvd before.
        try await eventually("an etcd member is no kvd") {
            node.seen.features == [PeerFixture.m3: []]
        }
        try await node.stop()
        try await server.stop()
    }

    @Test func asksAsA23MemberDoes() async throws {
        let server = try await RawServer.start { _ in nil }
        let node = try await TestNode.start(PeerFixture.m2, cluster: PeerFixture.cluster) {
            $0.peerURLs = [EndpointURL(scheme: .http, host: "127.0.0.1", port: 22422)]
        }
        try await node.update([Peer(id: PeerFixture.m3, urls: [server.url])])
        try await eventually("both requests") {
            let heads = server.requestHeads
            return heads.contains { $0.contains("/msgapp/") }
                && heads.contains { $0.contains("/message/") }
        }
        let captured = try PeerFixture.text("msgapp-leader-to-follower.req.http")
        let head = try #require(server.requestHeads.first { $0.contains("/msgapp/") })
        // Each line of the real one, but for its own address and what Go says of itself.
        for line in captured.split(separator: "\r\n")
        where !line.hasPrefix("Host") && !line.hasPrefix("User-Agent") && !line.hasPrefix("Accept")
        {
            #expect(head.split(separator: "\r\n").contains(line), "\(line)")
        }
        #expect(head.contains("\r\nX-Kvd-Features: prevote"))
        try await node.stop()
        try await server.stop()
    }

    @Test func stopsAtThe410OfARealMember() async throws {
        let answer = try PeerFixture.bytes("stream-removed.resp.http")
        let server = try await RawServer.start { _ in [answer] }
        let node = try await TestNode.start(PeerFixture.m4, cluster: PeerFixture.cluster)
        try await node.update([Peer(id: PeerFixture.m1, urls: [server.url])])
        try await eventually("the removal") { node.seen.removalCount == 1 }
        try await node.stop()
        try await server.stop()
    }

    /// Peers that break the protocol are dialled again, and nothing of theirs gets through.
    @Test(arguments: [
        "unknown frame", "too long", "foreign message", "no HTTP", "refusal", "closes",
    ])
    func brokenPeersAreDialledAgain(_ fault: String) async throws {
        let server = try await RawServer.start { _ in
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            func chunk(_ bytes: [UInt8]) -> [[UInt8]] {
                [Array((head + String(bytes.count, radix: 16) + "\r\n").utf8), bytes, [13, 10]]
            }
            switch fault {
            case "unknown frame": return chunk([0x42])
            case "too long":
                return chunk([2] + Array(repeating: 0x7f, count: 8))
            case "no HTTP": return [Array("220 smtp\r\n".utf8)]
            case "refusal":
                return [Array("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".utf8)]
            case "foreign message":
                // Well formed, but for member 9.
                let message = Message(.append, to: MemberID(9), from: MemberID(2), term: 1)
                    .encoded()
                return chunk([2, 0, 0, 0, 0, 0, 0, 0, UInt8(message.count)] + message + [0x42])
            default: return nil
            }
        }
        let node = try await TestNode.start(MemberID(1)) {
            $0.bounds.streamMessageBytesMax = 1 << 20
        }
        try await node.update([Peer(id: MemberID(2), urls: [server.url])])
        try await eventually("it is dialled again and again") { server.requestHeads.count > 6 }
        #expect(node.seen.messages.isEmpty)
        try await node.stop()
        try await server.stop()
    }

    /// As one that is killed does it: not to be mistaken for one that speaks something else.
    @Test func aStreamThatIsCutIsToldAsSuch() async throws {
        let server = try await RawServer.start(cutting: true) { _ in
            [Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)]
        }
        let node = try await TestNode.start(MemberID(1))
        try await node.update([Peer(id: MemberID(2), urls: [server.url])])
        try await eventually("the reason") {
            try await node.run { $0[member: MemberID(2)]?.appendDialer.lastFault == .cut }
        }
        try await node.stop()
        try await server.stop()
    }

    @Test func silentStreamsAreGivenUp() async throws {
        let server = try await RawServer.start { _ in
            [Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)]
        }
        let node = try await TestNode.start(MemberID(1)) {
            $0.timing.silenceMax = .milliseconds(200)
        }
        try await node.update([Peer(id: MemberID(2), urls: [server.url])])
        try await eventually("it was active") {
            try await node.statistics(of: MemberID(2))?.isActive == true
        }
        try await eventually("it is dialled again") { server.requestHeads.count > 3 }
        try await eventually("the reason") {
            try await node.run {
                $0[member: MemberID(2)]?.appendDialer.lastFault
                    == .silent(.milliseconds(200))
            }
        }
        try await node.stop()
        try await server.stop()
    }

    /// A peer that takes a POST and never answers.
    @Test func silentPostsAreGivenUp() async throws {
        let server = try await RawServer.start { $0.hasPrefix("POST") ? [] : nil }
        let node = try await TestNode.start(MemberID(1)) {
            $0.timing.silenceMax = .milliseconds(200)
        }
        try await node.run { [url = server.url] in
            $0.addRemotes([Peer(id: MemberID(2), urls: [url])])
        }
        try await node.send([Message(.vote, to: MemberID(2), from: MemberID(1), term: 1)])
        try await eventually("the report") { node.seen.unreachable[MemberID(2)] == 1 }
        try await node.stop()
        try await server.stop()
    }

    /// More POSTs than a stuck peer takes.
    @Test func postsAreBounded() async throws {
        let server = try await RawServer.start { _ in [] }
        let node = try await TestNode.start(MemberID(1))
        try await node.run { [url = server.url] in
            $0.addRemotes([Peer(id: MemberID(2), urls: [url])])
        }
        let messages = (0..<100 as Range<UInt64>).map {
            Message(.vote, to: MemberID(2), from: MemberID(1), term: 1, index: $0)
        }
        try await node.send(messages)
        // Four under way, 64 queued: 32 find no room, which is told once.
        try await eventually("the report") { node.seen.unreachable[MemberID(2)] == 1 }
        try await node.stop()
        try await server.stop()
    }
}
