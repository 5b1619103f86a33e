import CertificateSupport
import Cluster
import FixtureSupport
import NIOCore
import RaftModel
import TLS
import Testing

@testable import Transport

/// Members that talk over TLS, each with a certificate of its own: all kinds of connections.
@Suite(.serialized, .timeLimit(.minutes(3))) struct SecureTransportTests {
    private let directory: TemporaryDirectory
    private let security: PortSecurity

    init() throws {
        directory = try TemporaryDirectory()
        let authority = try TestAuthority("one", in: "\(directory.path)/one")
        let issued = try authority.issue("member")
        security = try PortSecurity(
            TLSFiles(
                port: .peer, certificate: issued.certificate, key: issued.key,
                trustedCAs: [authority.certificate], requiresClientCertificate: true),
            logger: quietLogger, handshakeTimeout: .seconds(60))
    }

    private func withSecureNodes(_ body: ([TestNode]) async throws -> Void) async throws {
        let security = security
        try await withNodes(2, scheme: .https) { configuration in
            configuration.tls = TransportSecurity(prepareServer: { try security.accept($0) }) {
                channel, url in
                try security.call(channel, host: url.host, timeout: .seconds(60))
            }
        } _: { nodes in
            try await body(nodes)
        }
    }

    @Test func streamsPostsAndSnapshots() async throws {
        try await withSecureNodes { nodes in
            #expect(nodes[0].url.scheme == .https)
            // Before there are streams: a POST.
            try await nodes[0].update([nodes[1].peer])
            try await nodes[1].update([nodes[0].peer])
            let vote = Message(.vote, to: nodes[1].id, from: nodes[0].id, term: 1)
            try await nodes[0].send([vote])
            try await eventually("the vote") { nodes[1].seen.messages.contains(vote) }
            try await connect(nodes)
            let sent = (1...500).map {
                Message(
                    .heartbeat, to: nodes[0].id, from: nodes[1].id, term: 2, commit: UInt64($0))
            }
            for message in sent { try await nodes[1].send([message]) }
            try await eventually("the heartbeats") { nodes[0].seen.messages.count == sent.count }
            #expect(nodes[0].seen.messages == sent)
            let sink = CheckingSink()
            nodes[1].recorder.change { $0.sinks = { _, _ in .accept(sink) } }
            let message = Message.snapshot(from: nodes[0].id, to: nodes[1].id)
            let size = 5 << 20 | 12345
            try await nodes[0].run { $0.sendSnapshot(message, source: MadeUpSource(size)) }
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
            #expect(sink.seen.receivedBytes == size && sink.seen.firstWrong == nil)
        }
    }

    /// Nothing moves at the receiver's side for a while: the sender must wait, not lose anything.
    @Test func aSlowReceiverHoldsTheSenderBack() async throws {
        try await withSecureNodes { nodes in
            try await connect(nodes)
            let gate = Gate()
            let sink = CheckingSink { gate.wait() }
            nodes[1].recorder.change { $0.sinks = { _, _ in .accept(sink) } }
            let source = MadeUpSource(48 << 20)
            let message = Message.snapshot(from: nodes[0].id, to: nodes[1].id)
            try await nodes[0].run { $0.sendSnapshot(message, source: source) }
            try await eventually("the first piece") { gate.isWaitedFor }
            // Raft's messages go past meanwhile.
            let sent = (1...500).map {
                Message(
                    .heartbeat, to: nodes[1].id, from: nodes[0].id, term: 2, commit: UInt64($0))
            }
            for message in sent { try await nodes[0].send([message]) }
            try await eventually("the heartbeats") { nodes[1].seen.messages.count == sent.count }
            #expect(source.readBytes < source.sizeBytes)
            gate.open()
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
            #expect(sink.seen.receivedBytes == source.sizeBytes && sink.seen.firstWrong == nil)
        }
    }

    @Test func probesAndVersions() async throws {
        try await withSecureNodes { nodes in
            nodes[0].recorder.change { $0.clusterVersion = SemanticVersion(2, 3) }
            let peers = [nodes[0].peer]
            let client = try await nodes[1].run { $0.client }
            let versions = try await client.fetchVersions(of: peers, timeout: .seconds(30)).get()
            #expect(
                versions == [
                    nodes[0].id: MemberVersions(server: .served, cluster: SemanticVersion(2, 3))
                ])
        }
    }
}
