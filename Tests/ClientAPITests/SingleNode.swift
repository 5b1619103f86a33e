import ClientAPI
import Cluster
import KVServer
import KeyStore
import NIOCore
import NIOPosix
import Raft
import RaftModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// One member, alone in its cluster: the real engine and store behind the real client port on
/// loopback. It has no disk: what it should make durable counts as durable at once.
final class SingleNode: Sendable {
    /// Nobody listens there. Sorts behind the URLs that recorded exchanges add to it.
    static let peerURL = "http://127.0.0.1:29999"

    let port: Int
    private let eventLoop: any EventLoop
    private let listener: any Channel
    private let loop: NIOLoopBound<SingleNodeLoop>

    /// - Parameter port: 0: any free one.
    init(
        on eventLoop: any EventLoop, port: Int = 0,
        configuration: ClientServerConfiguration = ClientServerConfiguration(),
        engine configure: @escaping @Sendable (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        self.eventLoop = eventLoop
        let port = try port == 0 ? Self.freePort(eventLoop) : port
        loop = try eventLoop.submit {
            let loop = SingleNodeLoop(eventLoop, port: port, configuration, configure)
            loop.tick()
            return NIOLoopBound(loop, eventLoop: eventLoop)
        }.wait()
        let initializer = try eventLoop.submit { [loop] in
            loop.value.server.childChannelInitializer()
        }.wait()
        listener = try ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer(initializer)
            .bind(host: "127.0.0.1", port: port).wait()
        self.port = port
    }

    /// A member for one test, ready to serve; stopped however `body` ends.
    static func with(
        _ configuration: ClientServerConfiguration = ClientServerConfiguration(),
        _ body: (SingleNode) throws -> Void
    ) throws {
        let node = try SingleNode(
            on: MultiThreadedEventLoopGroup.singleton.next(), configuration: configuration)
        try Readiness.wait(node.port)
        do { try body(node) } catch {
            try node.stop()
            throw error
        }
        try node.stop()
    }

    /// Calls `body` with the engine and the client port, on their loop.
    func onLoop<R: Sendable>(
        _ body: @escaping @Sendable (Engine, ClientServer) -> R
    ) throws -> R {
        try eventLoop.submit { [loop] in
            let node = loop.value
            defer { node.wake() }
            return body(node.engine, node.server)
        }.wait()
    }

    /// Stops as a server does: watches end, requests are answered, connections close.
    func stop() throws {
        try listener.close().wait()
        try eventLoop.submit { [loop] in loop.value.stop() }.wait()
    }

    private static func freePort(_ eventLoop: any EventLoop) throws -> Int {
        let probe = try ServerBootstrap(group: eventLoop).bind(host: "127.0.0.1", port: 0).wait()
        defer { try? probe.close().wait() }
        guard let port = probe.localAddress?.port else {
            preconditionFailure("a bound socket has a port")
        }
        return port
    }
}

/// The part of a `SingleNode` that lives on the event loop; or a member without sockets, on a loop that a
/// test turns by hand.
final class SingleNodeLoop {
    let engine: Engine
    private(set) var server: ClientServer
    private let eventLoop: any EventLoop
    private var effects = Effects()
    private var isPumpScheduled = false
    private var isStopped = false
    private static let heartbeat = TimeAmount.milliseconds(20)

    init(
        _ eventLoop: any EventLoop, port: Int, _ configuration: ClientServerConfiguration,
        _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        let urls = [SingleNode.peerURL]
        let id = MemberID(peerURLs: urls, token: Cluster.defaultToken)
        let member = Member(id: id, peerURLs: urls, name: "n1")
        var engineConfiguration = EngineConfiguration(
            member: id, cluster: ClusterID(members: [id]),
            attributes: MemberAttributes(
                name: "n1", clientURLs: ["http://127.0.0.1:\(port)"]),
            electionTicks: 10, heartbeatInterval: .milliseconds(20), seed: 1)
        engineConfiguration.store.historyEventsMax = 1000
        configure(&engineConfiguration)
        engine = Engine(
            configuration: engineConfiguration,
            restored: Raft.RestoredState(
                hardState: Bootstrap.hardState([member]), entries: Bootstrap.entries([member])),
            readableFrom: 0, monotonic: Self.clock(CLOCK_MONOTONIC),
            wall: Self.clock(CLOCK_REALTIME))
        var wake: () -> Void = {}
        server = ClientServer(
            engine: engine, eventLoop: eventLoop, configuration: configuration,
            wake: { wake() })
        wake = { [unowned self] in self.wake() }
    }

    func tick() {
        guard !isStopped else { return }
        advance()
        engine.tick()
        server.tick()
        pump()
        eventLoop.assumeIsolated().scheduleTask(in: Self.heartbeat) { self.tick() }
    }

    /// One pump for all that is handed in during a turn of the loop.
    func wake() {
        guard !isPumpScheduled else { return }
        isPumpScheduled = true
        eventLoop.assumeIsolated().execute {
            self.isPumpScheduled = false
            self.pump()
        }
    }

    private func pump() {
        var isDone = false
        while !isDone {
            advance()
            engine.pump(into: &effects)
            isDone = effects.persist.isEmpty && !effects.wantsVersions
            for batch in effects.persist { engine.persisted(through: batch.sequence) }
            if effects.wantsVersions { engine.versionsLearnt([:]) }
            server.deliver(answers: effects.answers, notifications: effects.notifications)
        }
    }

    func stop() {
        isStopped = true
        server.stop()
        engine.stop(nil)
        pump()
    }

    private func advance() {
        engine.advance(
            monotonic: Self.clock(CLOCK_MONOTONIC), wall: Self.clock(CLOCK_REALTIME))
    }

    private static func clock(_ id: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(id, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
