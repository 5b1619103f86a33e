import ClientAPI
import Cluster
import Configuration
import Logging
import NIOCore
import NIOPosix
import Proxy
import Storage
import StorageIO
import Transport

/// A proxy in the place of a server: starts it, and stops it.
///
///     start: data dir, where the cluster is, ports bound, endpoints asked for
///     stop:  ports closed, what is under way answered
final class ProxyHost: Sendable {
    /// Why this process is a proxy.
    enum Reason: Sendable {
        /// `--proxy`
        case asked
        /// `--discovery-fallback proxy`: the cluster was full, with these peer URLs.
        case clusterFull([EndpointURL])
        /// As `clusterFull`, at an earlier start.
        case wasFull

        var isFallback: Bool {
            if case .asked = self { return false }
            return true
        }
    }

    private let group: MultiThreadedEventLoopGroup
    private let running: NIOLoopBound<Running>
    private let manager: ServiceManager?
    private let ended = EndLatch()

    private final class Running {
        let server: ProxyServer
        var listeners: [Listener] = []
        var watchdog: RepeatedTask?

        init(_ server: ProxyServer) { self.server = server }
    }

    private init(
        _ group: MultiThreadedEventLoopGroup, _ running: NIOLoopBound<Running>,
        _ manager: ServiceManager?
    ) {
        (self.group, self.running, self.manager) = (group, running, manager)
    }

    /// Why `configuration` asks for a proxy; nil: it asks for a member.
    ///
    /// A member that became a proxy because the cluster was full is one at its next starts, too.
    static func reason(_ configuration: ServerConfiguration) -> Reason? {
        if configuration.proxy.mode != .off { return .asked }
        guard case .discovery = configuration.bootstrap, configuration.discoveryFallback == .proxy,
            case .proxy? = try? DataDirectoryKind.inspect(
                configuration.dataDirectory, storage: PosixStorage())
        else { return nil }
        return .wasFull
    }

    /// Blocks until clients are served.
    static func start(
        _ configuration: ServerConfiguration, _ reason: Reason, _ security: ServerSecurity,
        _ manager: ServiceManager?
    ) throws(StartFailure) -> ProxyHost {
        if reason.isFallback { warnOfFallback(configuration) }
        let place = try ProxyPlace.open(configuration, reason)
        var settings = configuration.proxyPort(seeds: place.seeds)
        settings.security = security.transport
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        do {
            let running = try loop.submit { [settings] in
                NIOLoopBound(
                    Running(
                        ProxyServer(
                            settings, learnt: place.learnt, directory: place.directory,
                            eventLoop: loop)), eventLoop: loop)
            }.wait()
            try listen(configuration, running, loop, security.acceptClient)
            security.watchFiles(on: loop)
            let host = ProxyHost(group, running, manager)
            host.tellReady(configuration, reason)
            return host
        } catch let error as ListenerError {
            throw StartFailure(notes: [
                ConfigurationNote(.critical, "etcdmain", "\(error)"),
                ConfigurationNote(.info, "etcdmain", error.advice),
            ])
        } catch {
            throw StartFailure("etcdmain", "\(error)")
        }
    }

    private static func listen(
        _ configuration: ServerConfiguration, _ running: NIOLoopBound<Running>,
        _ loop: any EventLoop, _ secure: Listener.Setup?
    ) throws {
        let log = Logger(label: "etcdmain")
        var bound: [EndpointURL] = []
        for url in configuration.listenClientURLs {
            let listener = try Listener.bind(url, on: loop, secure: secure) { channel in
                try running.value.server.initialize(channel)
            }.wait()
            log.info("proxy: listening for client requests on \(listener.url)")
            bound.append(listener.url)
            try loop.submit { running.value.listeners.append(listener) }.wait()
        }
        try loop.submit { [bound] in running.value.server.start(listening: bound) }.wait()
    }

    private static func warnOfFallback(_ configuration: ServerConfiguration) {
        Logger(label: "etcdmain").critical(
            """
            THIS PROCESS IS A PROXY, NOT A MEMBER: the cluster that --discovery leads to was full. It \
            keeps no data and has no vote, and hands all requests to the members. To be a member, add \
            this machine to the running cluster (POST /v2/members) and start with an empty \
            --data-dir; to end with an error instead, set --discovery-fallback exit
            """)
    }

    private func tellReady(_ configuration: ServerConfiguration, _ reason: Reason) {
        guard let manager else { return }
        let why = reason.isFallback ? " (the discovered cluster was full)" : ""
        let what = configuration.proxy.mode == .readOnly ? "Read-only proxy" : "Proxy"
        manager.tell("READY=1", "STATUS=\(what) of a cluster\(why), not a member")
        let running = running
        running.eventLoop.execute {
            running.value.watchdog = manager.prove(running.eventLoop)
        }
    }

    func stop(_ end: Server.End) { ended.set(end) }

    /// Waits for a reason to end, then stops everything.
    func waitForEnd() -> Server.End {
        let end = ended.wait()
        manager?.tell("STOPPING=1", "STATUS=Stopping")
        let running = running
        try? running.eventLoop.flatSubmit {
            running.value.watchdog?.cancel()
            for listener in running.value.listeners { _ = listener.close() }
            return running.value.server.stop()
        }.wait()
        try? group.syncShutdownGracefully()
        return end
    }
}
