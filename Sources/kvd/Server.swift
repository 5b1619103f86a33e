import ClientAPI
import Cluster
import Configuration
import KVServer
import Logging
import NIOCore
import NIOPosix
import RaftModel
import Storage
import StorageIO
import Synchronization
import Transport

/// Starts the parts of a node in order, and stops them in the reverse of it.
///
///     start: data dir, engine, log writer, ports bound, time begins
///     stop:  leadership handed over, clients and peers refused, all who wait answered, log written
///            out and closed
///
/// The data dir comes first: it is locked, so a second server with the same flags fails there, and
/// is told the process that has it.
final class Server: Sendable {
    /// Why the process ends.
    enum End: Equatable, Sendable {
        case signal(Int32)
        /// The cluster went on without this member.
        case removed
        case failed
    }

    private let group: MultiThreadedEventLoopGroup
    private let running: NIOLoopBound<Running>
    private let keeper: SnapshotKeeper
    private let scrubber: Scrubber?
    private let trimmer = MemoryTrimmer()
    private let ended: EndLatch

    /// What lives on the event loop.
    private final class Running {
        let host: EngineHost
        let parts: EngineHost.Parts
        let beginning: EngineHost.Beginning
        var listeners: [Listener] = []

        init(host: EngineHost, parts: EngineHost.Parts, _ beginning: EngineHost.Beginning) {
            (self.host, self.parts, self.beginning) = (host, parts, beginning)
        }
    }

    private init(
        group: MultiThreadedEventLoopGroup, running: NIOLoopBound<Running>,
        keeper: SnapshotKeeper, scrubber: Scrubber?, ended: EndLatch
    ) {
        (self.group, self.running, self.ended) = (group, running, ended)
        (self.keeper, self.scrubber) = (keeper, scrubber)
    }

    /// Opens the data dir, and starts everything. Blocks until clients are served.
    static func start(
        _ configuration: ServerConfiguration, _ security: ServerSecurity,
        _ manager: ServiceManager?
    ) throws(StartFailure) -> Server {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let boot = try Boot.open(
            configuration, PeerInquiry(eventLoop: loop, security: security.transport))
        let ended = EndLatch()
        let seed = Seed(configuration, boot, manager, ended: ended, security: security)
        do {
            let running = try loop.submit { try makeRunning(seed, loop) }.wait()
            try listen(configuration, security, running, loop)
            security.watchFiles(on: loop)
            let keeper = try loop.submit { running.value.host.keeper }.wait()
            let scrubber = try startScrubbing(configuration, running, loop)
            return Server(
                group: group, running: running, keeper: keeper, scrubber: scrubber, ended: ended)
        } catch let failure as StartFailure {
            throw failure
        } catch {
            throw StartFailure("etcdmain", "\(error)")
        }
    }

    /// What the parts are made from, handed from the starting thread to the loop.
    private final class Seed: @unchecked Sendable {
        let configuration: ServerConfiguration
        let manager: ServiceManager?
        let ended: EndLatch
        let security: ServerSecurity
        private var boot: Boot?

        init(
            _ configuration: ServerConfiguration, _ boot: consuming Boot,
            _ manager: ServiceManager?, ended: EndLatch, security: ServerSecurity
        ) {
            self.security = security
            self.configuration = configuration
            self.manager = manager
            self.ended = ended
            self.boot = consume boot
        }

        /// Once.
        func takeBoot() -> Boot {
            guard let boot = boot.take() else { preconditionFailure("the boot is taken once") }
            return boot
        }
    }

    private static func makeRunning(
        _ seed: Seed, _ loop: any EventLoop
    ) throws -> NIOLoopBound<Running> {
        let boot = seed.takeBoot()
        let ended = seed.ended
        let engine = makeEngine(seed.configuration, boot)
        let metadata = boot.metadata
        // Handed over here, once: the boot is used up, so nobody else has it.
        nonisolated(unsafe) let wal = boot.wal
        let keeper = SnapshotKeeper(
            SnapshotDirectory(boot.directory.snapPath, storage: boot.directory.storage),
            identity: metadata, filesMax: seed.configuration.snapshotFilesMax)
        keeper.incoming.recover(keeper)
        let report = seed.manager.map { ServiceReport($0, engine, loop) }
        let host = EngineHost(
            engine: engine, directory: boot.directory, mark: boot.mark, keeper: keeper,
            knownKvds: boot.knownKvds, eventLoop: loop, report: report
        ) { reason in
            ended.set(reason == .removedFromCluster ? .removed : .failed)
        }
        let boundHost = NIOLoopBound(host, eventLoop: loop)
        let writer = LogWriter(
            wal: wal, voteRecord: boot.vote,
            onDurable: { sequence in
                loop.execute { boundHost.value.persisted(through: sequence) }
            },
            onFailure: { error in
                Logger(label: "etcdserver").critical(
                    "the log cannot be written, so nothing can be acknowledged any more: \(error)")
                ended.set(.failed)
            },
            onEvent: { event in loop.execute { boundHost.value.take(event) } })
        var transport = TransportConfiguration(
            member: metadata.memberID, cluster: metadata.clusterID,
            peerURLs: seed.configuration.advertisedPeerURLs,
            electionTimeout: seed.configuration.electionTimeout)
        transport.tls = seed.security.transport
        transport.referees = seed.configuration.initialCluster.members
            .filter { $0.name != seed.configuration.name }.flatMap(\.urls)
        let peers = PeerTransport(transport, eventLoop: loop, delegate: host)
        let clients = ClientServer(
            engine: engine, eventLoop: loop, configuration: seed.configuration.clientPort()
        ) { host.needsPump() }
        let backups = LiveBackups(engine, keeper)
        clients.backupProvider = backups
        clients.site = seed.configuration.makeSite()
        let metrics = LiveMetrics(
            engine, writer, keeper, peers,
            LiveProblems(
                dataDirectory: seed.configuration.dataDirectory,
                heartbeat: seed.configuration.heartbeatInterval))
        clients.reporter = metrics
        let parts = EngineHost.Parts(
            writer: writer, peers: peers, clients: clients, backups: backups, metrics: metrics)
        return NIOLoopBound(
            Running(
                host: host, parts: parts,
                EngineHost.Beginning(
                    wantsSnapshot: boot.wantsSnapshot, hosts: boot.hosts.compactMap(Peer.init))),
            eventLoop: loop)
    }

    private static func makeEngine(
        _ configuration: ServerConfiguration, _ boot: borrowing Boot
    ) -> Engine {
        var engine = EngineConfiguration(
            member: boot.metadata.memberID, cluster: boot.metadata.clusterID,
            attributes: MemberAttributes(
                name: configuration.name,
                clientURLs: configuration.advertisedClientURLs.map(\.description)),
            electionTicks: configuration.electionTicks,
            heartbeatInterval: configuration.heartbeatInterval,
            seed: boot.metadata.memberID.rawValue ^ UInt64.random(in: .min ... .max))
        engine.store = configuration.storeOptions
        engine.snapshotEntryCount = configuration.snapshotEntryCount
        engine.snapshotLogBytes = configuration.snapshotLogBytes
        engine.verifyEntryCount = configuration.verifyEntryCount
        engine.refusesUnsafeReconfiguration = configuration.refusesUnsafeReconfiguration
        return Engine(
            configuration: engine, restored: boot.restored, state: boot.state,
            snapshotStateBytes: boot.snapshotStateBytes, readableFrom: boot.readableFrom,
            monotonic: MachineClock.monotonicNanoseconds, wall: WallClock.unixNanoseconds)
    }

    /// Binds the ports, peers first, and lets time begin.
    private static func listen(
        _ configuration: ServerConfiguration, _ security: ServerSecurity,
        _ running: NIOLoopBound<Running>, _ loop: any EventLoop
    ) throws {
        let log = Logger(label: "etcdmain")
        for url in configuration.listenPeerURLs {
            let listener = try loop.flatSubmit { running.value.parts.peers.listen(on: url) }.wait()
            log.info("listening for peers on \(listener.url)")
        }
        for url in configuration.listenClientURLs {
            let listener = try loop.flatSubmit {
                Listener.bind(url, on: loop, secure: security.acceptClient) { channel in
                    try running.value.parts.clients.initialize(channel)
                }
            }.wait()
            log.info("listening for client requests on \(listener.url)")
            try loop.submit { running.value.listeners.append(listener) }.wait()
        }
        try loop.submit {
            let (host, parts) = (running.value.host, running.value.parts)
            host.start(parts, running.value.beginning)
        }.wait()
    }

    private static func startScrubbing(
        _ configuration: ServerConfiguration, _ running: NIOLoopBound<Running>,
        _ loop: any EventLoop
    ) throws -> Scrubber? {
        guard let interval = configuration.scrubInterval else { return nil }
        return try loop.submit {
            let host = running.value.host
            let scrubber = Scrubber(host.directory, host.keeper.directory)
            host.scrub(every: interval, scrubber)
            running.value.parts.metrics.scrubber = scrubber
            return scrubber
        }.wait()
    }

    /// Ends the server, for the first reason that is given.
    func stop(_ end: End) { ended.set(end) }

    /// Waits for a reason to end, then stops everything.
    func waitForEnd() -> End {
        let end = ended.wait()
        if end == .removed { Self.sayRemoved() }
        let running = self.running
        if case .signal = end { retire() }
        let writer = try? running.eventLoop.flatSubmit {
            Self.stopServing(running.value, end)
        }.wait()
        scrubber?.stop()
        trimmer.stop()
        writer?.stop()
        keeper.stop()
        try? group.syncShutdownGracefully()
        return end
    }

    /// Lets others take over what this member does, before it stops.
    private func retire() {
        let running = self.running
        try? running.eventLoop.flatSubmit {
            // New clients go elsewhere from here on.
            for listener in running.value.listeners { _ = listener.close() }
            running.value.listeners = []
            return running.value.host.retire()
        }.wait()
    }

    /// In etcd's words.
    private static func sayRemoved() {
        let log = Logger(label: "etcdserver")
        log.error("\(StopReason.removedFromCluster)")
        log.info("the data-dir used by this member must be removed.")
    }

    /// On the loop. Gives the log's writer, which is stopped where blocking is allowed.
    private static func stopServing(
        _ running: Running, _ end: End
    ) -> EventLoopFuture<LogWriter<PosixStorage>> {
        let closing = running.listeners.map { $0.close() }
        _ = running.host.stop(end == .removed ? .removedFromCluster : nil)
        let writer = running.parts.writer
        let loop = running.parts.peers.eventLoop
        return EventLoopFuture.whenAllComplete(
            closing + [running.parts.peers.stop()], on: loop
        ).map { _ in writer }
    }
}
