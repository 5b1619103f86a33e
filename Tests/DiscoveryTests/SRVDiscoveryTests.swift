import Cluster
import NIOCore
import NIOPosix
import Testing

@testable import Discovery

/// Members from SRV records; `reference/discovery.md` §4.
@Suite struct SRVDiscoveryTests {
    private static let hosts = [
        "infra0.test": "10.0.0.1", "infra1.test": "10.0.0.2", "10.0.0.2": "10.0.0.2",
    ]
    private static let records = [
        SRVDiscovery.Target(priority: 0, weight: 0, port: 2380, host: "infra0.test"),
        SRVDiscovery.Target(priority: 0, weight: 0, port: 2380, host: "infra1.test"),
        SRVDiscovery.Target(priority: 0, weight: 0, port: 2380, host: "gone.test"),
    ]

    private static func silent(_ name: String) throws -> DNSFault {
        let server = try SocketAddress(ipAddress: "127.0.0.1", port: 53)
        return DNSFault(
            name: try #require(DNSName("\(name).example.com")), server: server, code: .noSuchHost)
    }

    private static func find(
        _ name: String?, _ advertised: String,
        look: (String) throws(DNSFault) -> [SRVDiscovery.Target]
    ) throws -> SRVDiscovery.Found {
        try SRVDiscovery.cluster(
            name: name, advertised: [EndpointURL(advertised)], resolve: { hosts[$0] }, look: look)
    }

    @Test func theOwnRecordGetsTheOwnName() throws {
        let fault = try Self.silent("_etcd-server-ssl._tcp")
        let found = try Self.find("b", "http://10.0.0.2:2380") { service throws(DNSFault) in
            if service.contains("ssl") { throw fault }
            return Self.records
        }
        #expect(
            found.cluster.description == "0=http://infra0.test:2380,b=http://infra1.test:2380")
        #expect(
            found.notes.map(\.text) == [
                "error querying DNS SRV records for _etcd-server-ssl lookup "
                    + "_etcd-server-ssl._tcp.example.com on 127.0.0.1:53: no such host",
                "couldn't resolve host gone.test during SRV discovery",
                "got bootstrap from DNS for etcd-server at http://infra0.test:2380",
                "got bootstrap from DNS for etcd-server at http://infra1.test:2380",
            ])
    }

    /// Members name each other differently and still are one cluster.
    @Test func idsDoNotDependOnNames() throws {
        let ids = try ["http://infra0.test:2380", "http://infra1.test:2380"].map { own in
            try Self.find("x", own) { service throws(DNSFault) in
                service.contains("ssl") ? [] : Self.records
            }.cluster.makeMembers(token: "t").map(\.id)
        }
        #expect(ids[0] == ids[1] && ids[0].count == 2)
    }

    @Test func bothServicesAreTakenTogether() throws {
        let found = try Self.find(nil, "http://nobody.test:1") { service throws(DNSFault) in
            service.contains("ssl") ? [Self.records[0]] : [Self.records[1]]
        }
        #expect(
            found.cluster.description == "0=https://infra0.test:2380,1=http://infra1.test:2380")
    }

    @Test func whatCannotWorkIsSaid() throws {
        let fault = try Self.silent("_etcd-server._tcp")
        var texts: [String] = []
        let cases: [(String, (String) throws(DNSFault) -> [SRVDiscovery.Target])] = [
            ("http://infra0.test:2380", { _ throws(DNSFault) in throw fault }),
            ("http://infra0.test:9999", { _ throws(DNSFault) in Self.records }),
            ("http://gone.test:2380", { _ throws(DNSFault) in Self.records }),
        ]
        for (advertised, look) in cases {
            do { _ = try Self.find("a", advertised, look: look) } catch let error as SRVFault {
                texts.append("\(error)")
                #expect(!error.advice.isEmpty)
            }
        }
        #expect(
            texts == [
                "SRV discovery failed: too many errors querying DNS SRV records",
                "cannot find local etcd member \"a\" in SRV records",
                "couldn't resolve host gone.test during SRV discovery",
            ])
    }

    // MARK: - The resolver, against a made-up server on a real socket

    @Test(.timeLimit(.minutes(1))) func forgedAnswersArePassedOver() async throws {
        let server = try await ScriptedDNS.start { request in
            guard let asked = DNSMessage(parsing: request) else { return [] }
            var good = DNSBytes(id: asked.id, question: asked.question)
            good.addService(priority: 0, weight: 0, port: 2380, target: "infra0.test")
            var forged = DNSBytes(id: asked.id &+ 1, question: asked.question)
            forged.addService(priority: 0, weight: 0, port: 666, target: "evil.test")
            return [
                [], [1, 2, 3], forged.bytes, request, Array(good.bytes.dropLast()), good.bytes,
            ]
        }
        let targets = try await server.ask { try $0.targets(of: "_etcd-server._tcp.example.com") }
        #expect(targets.map(\.host) == ["infra0.test"])
        try await server.stop()
    }

    @Test(.timeLimit(.minutes(1))) func aServerThatSaysNoIsBelieved() async throws {
        let server = try await ScriptedDNS.start { request in
            guard let asked = DNSMessage(parsing: request) else { return [] }
            var answer = DNSBytes(id: asked.id, question: asked.question)
            answer.flags |= 3
            return [answer.bytes]
        }
        await #expect(throws: DNSFault.self) {
            try await server.ask { try $0.targets(of: "_etcd-server._tcp.example.com") }
        }
        try await server.stop()
    }

    @Test(.timeLimit(.minutes(1))) func aSilentServerIsGivenUp() async throws {
        let server = try await ScriptedDNS.start { _ in [] }
        do {
            _ = try await server.ask { try $0.targets(of: "_etcd-server._tcp.example.com") }
            Issue.record("it got an answer")
        } catch let fault as DNSFault {
            #expect(fault.description.hasSuffix("i/o timeout"))
        }
        try await server.stop()
    }
}

/// A DNS server on a port of loopback that says what a test makes up.
struct ScriptedDNS {
    private let channel: any Channel

    static func start(
        _ answers: @escaping @Sendable ([UInt8]) -> [[UInt8]]
    ) async throws -> ScriptedDNS {
        let bootstrap = DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(answers))
                }
            }
        return ScriptedDNS(channel: try await bootstrap.bind(host: "127.0.0.1", port: 0).get())
    }

    func stop() async throws { try await channel.close() }

    /// Off the cooperative threads: the resolver blocks.
    func ask<Result: Sendable>(
        _ body: @escaping @Sendable (DNSResolver) throws -> Result
    ) async throws -> Result {
        var settings = ResolverSettings(servers: [try #require(channel.localAddress)])
        settings.timeout = .milliseconds(500)
        settings.attempts = 1
        let resolver = DNSResolver(
            settings, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        return try await NIOThreadPool.singleton.runIfActive { try body(resolver) }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        private let answers: @Sendable ([UInt8]) -> [[UInt8]]

        init(_ answers: @escaping @Sendable ([UInt8]) -> [[UInt8]]) { self.answers = answers }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            for answer in answers(Array(envelope.data.readableBytesView)) {
                let packet = AddressedEnvelope(
                    remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: answer))
                context.writeAndFlush(wrapOutboundOut(packet), promise: nil)
            }
        }
    }
}
