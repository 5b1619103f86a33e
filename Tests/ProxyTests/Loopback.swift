import ClientAPI
import Cluster
import NIOCore
import NIOHTTP1
import NIOPosix
import RaftModel
import Synchronization
import Testing

@testable import Proxy

/// A condition did not come true in time.
struct TooLate: Error, CustomStringConvertible {
    let description: String
}

/// Asks again and again until it holds.
func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: () -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while !condition() {
        guard ContinuousClock.now < deadline else { throw TooLate(description: what) }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// What came over a connection, and whether it is over.
final class Collector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let state = Mutex((bytes: [UInt8](), isClosed: false))
    private let onRead: @Sendable (Collector, any Channel) -> Void

    init(onRead: @escaping @Sendable (Collector, any Channel) -> Void = { _, _ in }) {
        self.onRead = onRead
    }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// What has come, and forgets it.
    func take() -> [UInt8] {
        state.withLock { state in
            defer { state.bytes = [] }
            return state.bytes
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        state.withLock { $0.bytes += buffer.readableBytesView }
        onRead(self, context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.withLock { $0.isClosed = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// A client's connection, without HTTP on it.
final class RawClient: Sendable {
    let channel: any Channel
    private let collector: Collector

    private init(_ channel: any Channel, _ collector: Collector) {
        (self.channel, self.collector) = (channel, collector)
    }

    /// - Parameter reads: false: it takes nothing of what it is sent.
    static func open(_ url: EndpointURL, reads: Bool = true) async throws -> RawClient {
        let collector = Collector()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(100))
            .channelOption(.autoRead, value: reads)
            .channelOption(.allowRemoteHalfClosure, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(collector)
                }
            }
            .connect(host: url.host, port: Int(url.port)).get()
        return RawClient(channel, collector)
    }

    var text: String { String(decoding: collector.bytes, as: UTF8.self) }
    var bytesCount: Int { collector.bytes.count }
    var isClosed: Bool { collector.isClosed }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    func get(_ path: String, _ fields: String = "") async throws {
        try await send("GET \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
    }

    func waitFor(_ part: String) async throws {
        do { try await eventually(part) { text.contains(part) } } catch {
            throw TooLate(description: "no \(part) in: \(text)")
        }
    }

    func waitForEnd() async throws { try await eventually("the end; got \(text)") { isClosed } }
    func close() async { try? await channel.close() }
    func endOutput() async throws { try await channel.close(mode: .output) }
    func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }
}

/// A server whose answers are what a test says.
final class FakeMember: Sendable {
    /// Given all that has come on a connection since the last answer: what to send, or nil to wait
    /// for more.
    typealias Answer = @Sendable (String) -> Reply?

    enum Reply: Sendable {
        case text(String)
        /// Nothing is sent, and what came is forgotten.
        case nothing
        case close
    }

    let url: EndpointURL
    private let listener: any Channel
    private let state: State

    final class State: Sendable {
        let requests = Mutex<[String]>([])
        let connections = Mutex<[(channel: any Channel, collector: Collector)]>([])
    }

    private init(_ listener: any Channel, _ state: State) {
        (self.listener, self.state) = (listener, state)
        url = EndpointURL(
            scheme: .http, host: "127.0.0.1", port: UInt16(listener.localAddress?.port ?? 0))
    }

    static func start(
        port: UInt16 = 0, reads: Bool = true, _ answer: @escaping Answer
    ) async throws -> FakeMember {
        let state = State()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: reads)
            .childChannelInitializer { channel in
                let collector = Collector { react($0, $1, state, answer) }
                state.connections.withLock { $0.append((channel, collector)) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(collector)
                }
            }
            .bind(host: "127.0.0.1", port: Int(port)).get()
        return FakeMember(listener, state)
    }

    private static func react(
        _ collector: Collector, _ channel: any Channel, _ state: State, _ answer: Answer
    ) {
        let text = String(decoding: collector.bytes, as: UTF8.self)
        guard text.contains("\r\n\r\n"), let reply = answer(text) else { return }
        _ = collector.take()
        state.requests.withLock { $0.append(text) }
        switch reply {
        case .nothing: return
        case .text(let text): channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        case .close: channel.close(promise: nil)
        }
    }

    /// Answers each request whose head is here with `body`.
    static func answering(_ body: String) async throws -> FakeMember {
        try await start { _ in
            .text("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
    }

    /// The peer port of a cluster whose client URLs are these.
    static func peer(of clients: [EndpointURL]) async throws -> FakeMember {
        let list = listing(of: clients)
        return try await start { _ in .text(list) }
    }

    /// What such a port answers. Nobody listens on the peer URLs in it.
    static func listing(of clients: [EndpointURL]) -> String {
        let members = clients.enumerated().map { number, url in
            Member(
                id: MemberID(UInt64(number + 1)), peerURLs: ["http://127.0.0.1:\(number + 1)"],
                name: "m\(number)", clientURLs: [url.description])
        }
        let body = String(decoding: MemberJSON.peerList(members), as: UTF8.self)
        return
            "HTTP/1.1 200 OK\r\nX-Etcd-Cluster-Id: 1f\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            + body
    }

    var requests: [String] { state.requests.withLock { $0 } }
    var connectionsCount: Int { state.connections.withLock { $0.count } }
    var openCount: Int {
        state.connections.withLock { $0.filter { !$0.collector.isClosed }.count }
    }

    /// On every connection that is open.
    func push(_ text: String) {
        for (channel, _) in state.connections.withLock({ $0 }) where channel.isActive {
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
    }

    /// On the connection that is open, one piece after the other, each when the socket has taken the
    /// one before. Counts those that were taken.
    func push(_ piece: String, times: Int) -> Count {
        let count = Count()
        guard let channel = state.connections.withLock({ $0.last?.channel }) else { return count }
        Self.push(ByteBuffer(string: piece), times: times, on: channel, count)
        return count
    }

    private static func push(
        _ piece: ByteBuffer, times: Int, on channel: any Channel, _ count: Count
    ) {
        guard times > 0 else { return }
        channel.writeAndFlush(piece).whenSuccess {
            count.add()
            push(piece, times: times - 1, on: channel, count)
        }
    }

    final class Count: Sendable {
        private let value = Mutex(0)
        var count: Int { value.withLock { $0 } }
        fileprivate func add() { value.withLock { $0 += 1 } }
    }

    func hangUp() async {
        for (channel, _) in state.connections.withLock({ $0 }) { try? await channel.close() }
    }

    func stop() async {
        try? await listener.close()
        await hangUp()
    }
}

/// A proxy on a port of its own.
final class TestProxy: Sendable {
    let url: EndpointURL
    private let listener: any Channel
    private let server: NIOLoopBound<ProxyServer>
    private let peer: FakeMember

    private init(
        _ listener: any Channel, _ server: NIOLoopBound<ProxyServer>, _ peer: FakeMember
    ) {
        (self.listener, self.server, self.peer) = (listener, server, peer)
        url = EndpointURL(
            scheme: .http, host: "127.0.0.1", port: UInt16(listener.localAddress?.port ?? 0))
    }

    /// Waits until it knows its endpoints, and has put them in the order of `members`.
    static func start(
        _ members: [EndpointURL],
        _ change: (inout ProxyConfiguration) -> Void = { _ in }
    ) async throws -> TestProxy {
        let peer = try await FakeMember.peer(of: members)
        var configuration = ProxyConfiguration(seeds: [peer.url])
        change(&configuration)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let server = try await loop.submit { [configuration] in
            NIOLoopBound(ProxyServer(configuration, eventLoop: loop), eventLoop: loop)
        }.get()
        let listener = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try server.value.initialize(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = TestProxy(listener, server, peer)
        let own = proxy.url
        try await loop.submit { server.value.start(listening: [own]) }.get()
        if let first = members.first { try await proxy.prefer(first, of: members.count) }
        return proxy
    }

    /// Endpoints come in random order; a failure that is forgotten again moves all before `first` behind
    /// it.
    private func prefer(_ first: EndpointURL, of count: Int) async throws {
        let server = server
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let isDone = try await server.eventLoop.submit {
                guard server.value.candidates.count == count else { return false }
                for url in server.value.candidates.prefix(while: { $0 != first }) {
                    server.value.moveToEnd(url)
                }
                return true
            }.get()
            if isDone { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw TooLate(description: "\(count) endpoints")
    }

    func client(reads: Bool = true) async throws -> RawClient {
        try await RawClient.open(url, reads: reads)
    }

    /// One request on a connection of its own; the whole answer.
    func ask(_ request: String) async throws -> String {
        let client = try await client()
        try await client.send(request)
        try await client.waitForEnd()
        return client.text
    }

    func get(_ path: String, _ fields: String = "") async throws -> String {
        try await ask("GET \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n")
    }

    func memberConnections() async throws -> Int {
        let server = server
        return try await server.eventLoop.submit { server.value.pool.count }.get()
    }

    /// As if the cluster had told these client URLs.
    func learn(_ urls: [EndpointURL]) async {
        let server = server
        try? await server.eventLoop.submit { server.value.take(urls) }.get()
    }

    func stop() async throws {
        try? await listener.close()
        let server = server
        try await server.eventLoop.flatSubmit { server.value.stop() }.get()
        await peer.stop()
    }
}

extension ProxyServer {
    fileprivate func moveToEnd(_ url: EndpointURL) {
        failed(Refusal.Try(url: url, problem: "moved by a test"))
        _ = answered(url, .ok)
    }
}
