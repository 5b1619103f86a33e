import Cluster
import Foundation
import NIOCore
import NIOPosix
import RaftModel
import Synchronization
import Testing

@testable import Transport

/// Members are asked side by side: one that swallows what it is sent costs the others nothing. Time limits
/// are so long that a test which waited for a single one of them would not end in time.
@Suite(.timeLimit(.minutes(2))) struct FirstAnswerTests {
    private static let timeout = TimeAmount.minutes(4)
    private let client = PeerClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next())

    private func server(_ hits: Counter = Counter()) async throws -> RawServer {
        let members = try PeerFixture.bytes("get-members.resp.http")
        return try await RawServer.start { _ in
            hits.add()
            return [members]
        }
    }

    @Test(arguments: [1, 2, 7])
    func theSilentHoldUpNobody(_ silentCount: Int) async throws {
        var silent: [SilentServer] = []
        for _ in 0..<silentCount { silent.append(try await SilentServer.start()) }
        let urls = try await silent.map(\.url) + [server().url]
        let found = try await client.fetchMembers(from: urls, timeout: Self.timeout).get()
        #expect(found.cluster == PeerFixture.cluster)
        // The kernel took the connections; their loops may hear of it later.
        try await eventually("all silent ones have been asked") {
            silent.allSatisfy { $0.count == 1 }
        }
        for server in silent { try await server.stop() }
    }

    /// Connections to it are not even accepted by the kernel.
    @Test func aFullBacklogHoldsUpNobody() async throws {
        let full = try FullBacklog()
        let urls = try await [full.url, server().url]
        let found = try await client.fetchMembers(from: urls, timeout: Self.timeout).get()
        #expect(found.cluster == PeerFixture.cluster)
        withExtendedLifetime(full) {}
    }

    @Test func noMoreThanSomeAreAskedAtOnce() async throws {
        let hits = Counter()
        var silent: [SilentServer] = []
        for _ in 0..<8 { silent.append(try await SilentServer.start()) }
        let urls = try await silent.map(\.url) + [server(hits).url]
        let answer = client.fetchMembers(from: urls, timeout: Self.timeout)
        try await eventually("all silent ones are asked") {
            silent.allSatisfy { $0.count == 1 }
        }
        #expect(hits.count == 0)
        // One of them fails, so that there is room.
        try await silent[3].cut()
        #expect(try await answer.get().cluster == PeerFixture.cluster)
        #expect(hits.count == 1)
        for server in silent { try await server.stop() }
    }

    @Test func whoFailsAtOnceIsFollowedAtOnce() async throws {
        let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
        let urls = try await [EndpointURL](repeating: dead, count: 200) + [server().url]
        let found = try await client.fetchMembers(from: urls, timeout: Self.timeout).get()
        #expect(found.cluster == PeerFixture.cluster)
        await #expect(throws: PeerClientError.self) {
            try await client.fetchMembers(from: [dead, dead], timeout: Self.timeout).get()
        }
        await #expect(throws: PeerClientError.self) {
            try await client.fetchMembers(from: [], timeout: Self.timeout).get()
        }
    }

    /// An answer that is no member list is none.
    @Test func whoTalksNonsenseIsPassedOver() async throws {
        let other = try await RawServer.start { _ in
            [Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".utf8)]
        }
        let urls = try await [other.url, server().url]
        let found = try await client.fetchMembers(from: urls, timeout: Self.timeout).get()
        #expect(found.cluster == PeerFixture.cluster)
    }
}

/// Accepts connections, and never says anything.
private final class SilentServer: Sendable {
    let url: EndpointURL
    private let channel: any Channel
    private let accepted: Accepted

    private final class Accepted: Sendable {
        let channels = Mutex<[any Channel]>([])
    }

    private init(_ channel: any Channel, _ accepted: Accepted) {
        (self.channel, self.accepted) = (channel, accepted)
        url = EndpointURL(
            scheme: .http, host: "127.0.0.1", port: UInt16(channel.localAddress?.port ?? 0))
    }

    static func start() async throws -> SilentServer {
        let accepted = Accepted()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                accepted.channels.withLock { $0.append(channel) }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return SilentServer(channel, accepted)
    }

    /// Connections so far.
    var count: Int { accepted.channels.withLock { $0.count } }

    /// Ends those that there are.
    func cut() async throws {
        for channel in accepted.channels.withLock({ $0 }) { try? await channel.close() }
    }

    func stop() async throws {
        try await cut()
        try await channel.close()
    }
}

/// A port whose queue of connections is full: what comes now gets no answer from the kernel.
private final class FullBacklog: Sendable {
    let url: EndpointURL
    private let sockets: [Int32]

    init() throws {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var sockets = [listening]
        var isFull = false
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(listening, address, size) == 0, listen(listening, 0) == 0,
                    getsockname(listening, address, &size) == 0
                else { return }
                for _ in 0..<64 where !isFull {
                    let connecting = socket(
                        AF_INET, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0)
                    sockets.append(connecting)
                    _ = connect(connecting, address, size)
                    var question = pollfd(fd: connecting, events: Int16(POLLOUT), revents: 0)
                    // On loopback a connection that is taken is there at once.
                    isFull = poll(&question, 1, 100) == 0
                }
            }
        }
        url = EndpointURL(
            scheme: .http, host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port))
        self.sockets = sockets
        try #require(isFull)
    }

    deinit { for socket in sockets { close(socket) } }
}
