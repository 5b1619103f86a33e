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

    /// Blocks until clients are served.
    static func start(
        _ configuration: ServerConfiguration, _ reason: ProxyReason, _ security: ServerSecurity,
        _ manager: ServiceManager?
    ) throws(StartFailure) -> ProxyHost {
        if let warning = reason.warning(configuration) {
            Logger(label: "etcdmain").critical("\(warning)")
        }
        let place = try ProxyPlace.open(configuration, reason)
        var settings = configuration.proxyPort(seeds: place.seeds)
        settings.security = try security.callsOfProxy()
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

    private func tellReady(_ configuration: ServerConfiguration, _ reason: ProxyReason) {
        guard let manager else { return }
        let why =
            switch reason {
            case .asked: ""
            case .clusterFull: " (the discovered cluster was full)"
            case .dataDirectory: " (so the data dir says)"
            }
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
