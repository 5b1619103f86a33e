internal import ClientAPI
package import Cluster
internal import KVServer
internal import Logging
internal import Logs
internal import Metrics
package import NIOCore
internal import NIOHTTP1
package import StorageIO
internal import Transport

/// A proxy: its client connections, the members it forwards to, and what it knows of them.
///
/// Everything is called on its event loop. The owner binds the ports, gives each accepted connection to
/// `initialize`, and calls `start` when all are bound.
package final class ProxyServer {
    package let configuration: ProxyConfiguration
    let eventLoop: any EventLoop
    let pool: BackendPool
    var meter = ProxyMeter()
    private var director: Director
    private var refresh: EndpointRefresh?
    private let directory: ProxyDirectory<PosixStorage>?
    private let learnt: [EndpointURL]
    private var own = OwnEndpoints(listening: [])
    let origins: CrossOrigins
    /// In the `Via` of what went through here.
    let name: String
    private let startedAt = WallClock.now()
    private let log = Logger(label: Proxy.logLabel)

    private var connections: [ObjectIdentifier: FrontHandler] = [:]
    private var patrol: RepeatedTask?
    private(set) var isStopping = false
    private var stopped: EventLoopPromise<Void>?
    private var hasStopped = false

    /// Requests under way at a stop have so long.
    private static let stopMax = TimeAmount.seconds(2)

    /// - Parameters:
    ///   - learnt: peer URLs of the last time, asked before the configured ones.
    ///   - directory: where those of the next time are kept; nil: nowhere.
    package init(
        _ configuration: ProxyConfiguration, learnt: [EndpointURL] = [],
        directory: ProxyDirectory<PosixStorage>? = nil, eventLoop: any EventLoop
    ) {
        self.configuration = configuration
        (self.learnt, self.directory, self.eventLoop) = (learnt, directory, eventLoop)
        pool = BackendPool(configuration, eventLoop: eventLoop)
        director = Director(failureWait: configuration.failureWait.inNanoseconds)
        origins = CrossOrigins(configuration.port.allowedOrigins)
        name = "kvd-proxy-\(String(UInt64.random(in: .min ... .max), radix: 16))"
    }

    /// Learns the endpoints, and keeps them up to date from now on.
    ///
    /// - Parameter listening: this proxy's own URLs, with the ports that were bound.
    package func start(listening: [EndpointURL]) {
        eventLoop.assertInEventLoop()
        own = OwnEndpoints(listening: listening)
        let refresh = EndpointRefresh(
            configuration, learnt: learnt, directory: directory, eventLoop: eventLoop,
            hasEndpoints: { [unowned self] in !candidates.isEmpty },
            take: { [unowned self] urls in take(urls) })
        self.refresh = refresh
        refresh.start()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        patrol = eventLoop.scheduleRepeatedTask(
            initialDelay: patrolInterval, delay: patrolInterval
        ) { _ in bound.value.look() }
    }

    /// Sets up an accepted connection.
    package func initialize(_ channel: any Channel) throws {
        guard hasRoom() else {
            return try channel.pipeline.syncOperations.addHandler(
                ConnectionRefusal(limit: configuration.port.connectionsMax, by: "proxy"))
        }
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        let unsentMax = ProxyConfiguration.unsentBytesMax
        try channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(low: unsentMax / 2, high: unsentMax))
        try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
        var framing = HTTPResponseEncoder.Configuration()
        framing.automaticallySetFramingHeaders = false
        let leftover = DecoderLeftover()
        let decoder = RequestDecoder(configuration.port, leftover: leftover)
        try channel.pipeline.syncOperations.addHandlers(
            HTTPResponseEncoder(configuration: framing), ByteToMessageHandler(decoder),
            FrontHandler(self, leftover))
    }

    /// Takes nothing new, and lets what is under way be answered, for a moment. The future succeeds when
    /// all connections have ended.
    package func stop() -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        let stopped = self.stopped ?? eventLoop.makePromise(of: Void.self)
        guard self.stopped == nil else { return stopped.futureResult }
        self.stopped = stopped
        isStopping = true
        refresh?.stop()
        patrol?.cancel()
        for connection in connections.values { connection.stop() }
        let deadline = eventLoop.assumeIsolated().scheduleTask(in: Self.stopMax) { [self] in
            for connection in connections.values { connection.closeNow() }
        }
        endIfEmpty()
        return stopped.futureResult.assumeIsolated().map { [pool] in
            deadline.cancel()
            pool.closeAll()
        }.nonisolated()
    }

    private func endIfEmpty() {
        guard connections.isEmpty, let stopped, !hasStopped else { return }
        hasStopped = true
        stopped.succeed()
    }

    // MARK: - Connections

    var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    var date: String { WallClock.httpDate(WallClock.now()) }

    var keptBytesMax: Int {
        min(ProxyConfiguration.keptBytesMax, configuration.requestBytesMax)
    }

    var writeTimeout: TimeAmount? { configuration.writeTimeout.map { TimeAmount($0) } }
    var readTimeout: TimeAmount? { configuration.readTimeout.map { TimeAmount($0) } }

    func add(_ connection: FrontHandler) {
        connections[ObjectIdentifier(connection)] = connection
        if isStopping { connection.closeNow() }
    }

    func remove(_ connection: FrontHandler) {
        connections[ObjectIdentifier(connection)] = nil
        endIfEmpty()
    }

    /// Whether another client can be served; makes room by ending the connection that has been idle for
    /// the longest.
    private func hasRoom() -> Bool {
        let port = configuration.port
        guard connections.count >= port.connectionsMax else { return true }
        let oldest = connections.values.filter(\.isIdle)
            .min { $0.lastUsedAt < $1.lastUsedAt }
        guard let oldest,
            now - oldest.lastUsedAt >= port.idleBeforeEviction.inNanoseconds
        else {
            log.warning(
                "refused a client: \(port.connectionsMax) connections are open (--max-connections)")
            return false
        }
        oldest.evict()
        return true
    }

    /// On a port without it.
    func sawTLS(from address: SocketAddress?) {
        log.warning("\(DecoderLeftover.complaintOfTLS(from: address))")
    }

    func cutReader() {
        meter.cutReaders += 1
        log.warning(
            "ended a client's connection: for \(configuration.port.unreadAnswerTimeout) it took nothing of the answer that waits for it"
        )
    }

    /// Short enough for the shortest of the limits.
    private var patrolInterval: TimeAmount {
        let limits = [configuration.writeTimeout, configuration.readTimeout].compactMap { $0 }
        let shortest = limits.min().map { TimeAmount($0) } ?? .seconds(4)
        return min(.seconds(1), max(.milliseconds(10), .nanoseconds(shortest.nanoseconds / 4)))
    }

    private func look() {
        let now = now
        for connection in connections.values { connection.patrol(now: now) }
        pool.closeUnused(endpoints: director.urls)
    }

    // MARK: - Endpoints

    var candidates: [EndpointURL] { director.candidates(now: now) }

    /// What to say when there are none.
    var nobody: Refusal {
        let resting = director.endpoints.compactMap { endpoint in
            endpoint.failure.map { Refusal.Try(url: endpoint.url, problem: $0.problem) }
        }
        guard resting.isEmpty else { return .allRest(resting) }
        return .noEndpoints(lastAnswer: refresh?.problem ?? "the answer is being waited for")
    }

    /// Takes the client URLs that the cluster tells.
    func take(_ urls: [EndpointURL]) {
        let others = urls.filter { url in
            guard own.contains(url) else { return true }
            log.notice("\(url) is this proxy itself, and no endpoint of it")
            return false
        }
        // Members that have not started yet tell none; those known may work all the same.
        guard !others.isEmpty else {
            return log.warning("the members asked tell no client URLs")
        }
        // So that the proxies of a cluster do not all go to the same member.
        if director.update(others.shuffled()) {
            let list = director.urls.map(\.description.quotedAsGo).joined(separator: " ")
            log.info("endpoints found [\(list)]")
        }
    }

    func failed(_ attempt: Refusal.Try) {
        meter.failedEndpoints += 1
        director.failed(attempt.url, attempt.problem, now: now)
        log.warning("marked endpoint \(attempt.url) unavailable: \(attempt.problem)")
        refresh?.hurry()
    }

    /// An endpoint answered. If it is not to be asked again soon, returns why.
    func answered(_ url: EndpointURL, _ status: HTTPResponseStatus) -> String? {
        guard status == .loopDetected else {
            director.worked(url)
            return nil
        }
        return "it leads back to this proxy, or to another one"
    }

    func refused(_ refusal: Refusal, _ method: String) {
        meter.refused(method, refusal.label)
        // Without the texts of the endpoints, which may differ each time.
        log.warning("no answer to a client: \(refusal.label)")
    }

    // MARK: - What is answered here

    /// In etcd's order: metrics even of a read-only proxy, nothing else but GET of that one.
    func localAnswer(to head: HTTPRequestHead) -> LocalAnswer? {
        let path = head.uri.prefix { $0 != "?" }
        if path == "/metrics" { return .metrics(metrics()) }
        if configuration.isReadOnly, head.method != .GET { return .notImplemented }
        if head.method == .OPTIONS { return .options }
        if path == "/v2/config/local/proxy" {
            return head.method == .GET ? .endpoints(director.available(now: now)) : .onlyGet()
        }
        if head.method == .CONNECT { return .malformed("") }
        return ForwardedHead.hasPassed(name, head.headers) ? .loop() : nil
    }

    /// What is said to something that is no request.
    func answer(to fault: RequestFault) -> LocalAnswer {
        guard case .unknownMethod(_, _, let grant) = fault else { return LocalAnswer(fault) }
        if configuration.isReadOnly { return .notImplemented }
        var answer = LocalAnswer(fault)
        answer.fields += origins.fields(of: grant)
        return answer
    }

    private func metrics() -> MetricsPage {
        var page = MetricsPage()
        meter.write(into: &page)
        page.gauge(
            "kvd_proxy_client_connections", "Open client connections.",
            UInt64(connections.count))
        page.gauge(
            "kvd_proxy_member_connections", "Open connections to members.", UInt64(pool.count))
        page.gauge("kvd_proxy_endpoints", "Endpoints known.", UInt64(director.urls.count))
        page.gauge(
            "kvd_proxy_endpoints_available", "Endpoints that do not rest after a failure.",
            UInt64(director.available(now: now).count))
        ProcessFigures.read().write(
            into: &page, startedAtUnixSeconds: Double(startedAt) / 1e9)
        return page
    }

    /// The proxy's own `--cors`, in place of what a member says.
    func addCrossOrigins(to headers: inout HTTPHeaders, of head: HTTPRequestHead) {
        guard !origins.isEmpty else { return }
        for (name, value) in origins.fields(for: head.headers.first(name: "Origin")) {
            headers.replaceOrAdd(name: name, value: value)
        }
    }
}
