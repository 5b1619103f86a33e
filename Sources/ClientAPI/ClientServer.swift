package import KVServer
package import KeyStore
internal import Logging
internal import Logs
package import NIOCore
internal import NIOHTTP1
internal import RaftModel

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The client port of one member: all its connections, on the event loop of the `Engine`.
///
/// Everything is called on that loop. The owner gives `childChannelInitializer()` to its
/// `ServerBootstrap`, pumps the engine some time after `wake` was called, and hands the outcome of
/// each pump to `deliver`. See `ClientAPI` for how a request travels.
package final class ClientServer {
    package let engine: Engine
    package let configuration: ClientServerConfiguration
    let eventLoop: any EventLoop
    let origins: CrossOrigins
    /// Unix nanoseconds of the start of this server, for `/v2/stats/self`.
    let startedAt: Int64

    /// A ticket's or watcher's connection is its place here. A place that is free keeps the number
    /// that the next connection in it goes on from, so that no ticket is ever used twice.
    private var places: [Place] = []
    private var freePlaces: [UInt32] = []
    /// Connections that have something to send, in the order in which they got it.
    private var unflushed: [ConnectionHandler] = []
    /// Without one, a request for a backup is answered with 501.
    package weak var backupProvider: (any BackupProvider)?
    /// One backup at a time: each may keep much of an old state in memory.
    var isBackupRunning = false
    /// Watchers that are still to be told of an event.
    var notificationsWaiting = NotificationQueue()
    var willTellMore = false
    var resting = RestingConnections()
    private let wake: () -> Void
    private var hasWork = false
    private(set) var isStopping = false

    /// Without one, the page of metrics has the requests, the store and the engine only.
    package weak var reporter: (any MemberReporter)?
    /// Without one, all paths are a member's. Set before the first connection.
    package var site: (any Site)?
    var meter = RequestMeter()
    let log = Logger(label: "etcdhttp")
    /// Monotonic nanoseconds, as of the last tick or request: what connections' patience goes by.
    var loopTime = ClientServer.monotonicNanoseconds()
    private var lookedAt: Int64 = 0
    var problems = ProblemBoard()
    var attention = Attention()
    var gate = AuthGate()
    let passwords: PasswordWorker
    let authLog = Logger(label: "auth")
    /// What the request handled last turned out to be.
    var asked = RequestMeter.Start()

    // Memory used again for each request; see `ByteWriter`.
    var pathScratch = ByteWriter()
    var keyScratch = ByteWriter()
    var formScratch = ByteWriter()
    var body = ByteWriter()
    var listing = ListingWriter()
    var keptVersions = KeptVersions()
    var encoder: AnswerEncoder
    var sharedEvent = SharedEvent()

    private struct Place {
        var connection: ConnectionHandler?
        var nextNumber: UInt32
    }

    /// - Parameters:
    ///   - wake: called once for each batch of requests that gave the engine something to do.
    package init(
        engine: Engine, eventLoop: any EventLoop,
        configuration: ClientServerConfiguration = ClientServerConfiguration(),
        wake: @escaping () -> Void
    ) {
        self.engine = engine
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.wake = wake
        passwords = PasswordWorker(
            eventLoop: eventLoop, waitingMax: configuration.passwordsWaitingMax)
        origins = CrossOrigins(configuration.allowedOrigins)
        encoder = AnswerEncoder(
            clusterID: engine.configuration.cluster.rawValue, origins: origins)
        startedAt = Self.unixNanoseconds()
    }

    // MARK: - The owner's side

    /// Time goes by. Called several times a second; about once a second the connections are looked at,
    /// and what is wrong with this member.
    package func tick() {
        let now = Self.monotonicNanoseconds()
        loopTime = now
        guard now - lookedAt >= 1_000_000_000 else { return }
        lookedAt = now
        for place in places { place.connection?.patrol(now: now) }
        keptVersions.dropUnused(now: now)
        giveBackScratch()
        lookForProblems()
        flush()
    }

    private func giveBackScratch() {
        pathScratch.giveBack()
        keyScratch.giveBack()
        formScratch.giveBack()
        body.giveBack()
        sharedEvent.giveBackScratch()
    }

    /// Hands over what a pump of the engine brought. On return all answers are on their way, and the
    /// first of the watchers have been told.
    package func deliver(
        answers: [(Ticket, Outcome)], notifications: [Notification]
    ) {
        eventLoop.assertInEventLoop()
        if hasToRecheckWatches { recheckWatches() }
        if let site { followUp(answers, site) }
        for (ticket, outcome) in answers {
            connection(at: ticket.connection)?.take(outcome, number: ticket.request)
        }
        tell(notifications)
        flush()
        tellMoreLater()
        // Reads only. A write goes on to the log's thread: with the loop awake on one processor and
        // the client on the other, that thread has to wake one, and a lone put took 60 us more.
        if answers.count == 1, notifications.isEmpty, case .readable = answers[0].1 {
            connection(at: answers[0].0.connection)?.awaitNext()
        }
    }

    /// Users or roles have changed: `deliver`, even if there is nothing to hand over.
    package var hasToRecheckWatches: Bool { engine.authRevision != gate.watchesRevision }

    /// Ends watches that the store gave up: its state was replaced by a snapshot's, and they have
    /// missed something between the two. The answer began with a 200, so the error is its body.
    package func endWatches(_ watchers: [WatcherID]) {
        guard !watchers.isEmpty else { return }
        tellAll()
        let store = engine.store
        sharedEvent.encode(
            error: .eventIndexCleared,
            cause: "this member's state was replaced by a snapshot of the leader, whose history "
                + "begins at \(store.history.oldestIndex)", index: store.currentIndex)
        // A request that was waiting behind a watch may encode another.
        let last = sharedEvent
        sharedEvent.forget()
        for watcher in watchers {
            let ticket = Ticket(watcher)
            connection(at: ticket.connection)?.endWatch(last, number: ticket.request)
            meter.endedWatch()
        }
        flush()
    }

    /// Ends the watches whose access says so. Here too the error is the end of the body.
    func endWatches(where isOver: (WatchAccess?) -> Bool) {
        tellAll()
        sharedEvent.encode(
            error: .unauthorized, cause: AuthGate.deniedText, index: 0)
        // A request that was waiting behind a watch may encode another.
        let last = sharedEvent
        sharedEvent.forget()
        for place in places { place.connection?.endWatch(last, where: isOver) }
        flush()
    }

    /// Ends all watches, answers nothing new, and closes each connection when what it waits for
    /// was answered: let the engine refuse what is left (`Engine.stop`) and deliver that.
    package func stop() {
        isStopping = true
        tellAll()
        for place in places { place.connection?.stop() }
        flush()
    }

    package var connectionsCount: Int { places.count - freePlaces.count }

    // MARK: - The connections' side

    func add(_ connection: ConnectionHandler) -> (place: UInt32, firstNumber: UInt32) {
        if let place = freePlaces.popLast() {
            places[Int(place)].connection = connection
            return (place, places[Int(place)].nextNumber)
        }
        places.append(Place(connection: connection, nextNumber: 0))
        return (UInt32(places.count - 1), 0)
    }

    /// Whether another connection can be served; makes room by ending the one that has been idle
    /// for the longest.
    func hasRoom() -> Bool {
        if connectionsCount < configuration.connectionsMax { return true }
        let now = Self.monotonicNanoseconds()
        var oldest: ConnectionHandler?
        for place in places {
            guard let connection = place.connection, connection.isIdle else { continue }
            if oldest.map({ connection.lastUsedAt < $0.lastUsedAt }) ?? true { oldest = connection }
        }
        guard let oldest,
            now - oldest.lastUsedAt >= configuration.idleBeforeEviction.inNanoseconds
        else {
            meter.refusedConnection()
            log.warning(
                "refused a client: \(configuration.connectionsMax) connections are open (--max-connections)"
            )
            return false
        }
        meter.evictedConnection()
        oldest.evict()
        return true
    }

    func cutReader() {
        meter.cutReader()
        log.warning(
            "ended a client's connection: for \(configuration.unreadAnswerTimeout) it took nothing of the answer that waits for it"
        )
    }

    /// On a port without it.
    func sawTLS(from address: SocketAddress?) {
        log.warning("\(DecoderLeftover.complaintOfTLS(from: address))")
    }

    func remove(place: UInt32, nextNumber: UInt32) {
        precondition(places[Int(place)].connection != nil, "a connection is removed once")
        places[Int(place)] = Place(connection: nil, nextNumber: nextNumber)
        freePlaces.append(place)
    }

    func connection(at place: UInt32) -> ConnectionHandler? {
        place < places.count ? places[Int(place)].connection : nil
    }

    /// `connection` has bytes to send; they go with the next flush.
    func willFlush(_ connection: ConnectionHandler) { unflushed.append(connection) }

    /// The engine has been given something to do.
    func gaveWork() { hasWork = true }

    /// The end of a batch: sends what there is, and sees to it that the engine is pumped.
    func flush() {
        while let connection = unflushed.popLast() { connection.flush() }
        guard hasWork else { return }
        hasWork = false
        wake()
    }

    static func monotonicNanoseconds() -> Int64 { nanoseconds(CLOCK_MONOTONIC) }
    static func unixNanoseconds() -> Int64 { nanoseconds(CLOCK_REALTIME) }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// To the second, from the clock that costs least.
    static func unixSeconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Int64(time.tv_sec)
    }
}

extension Ticket {
    /// Watchers are named after the request that asked for them.
    init(_ watcher: WatcherID) {
        self.init(
            connection: UInt32(truncatingIfNeeded: watcher.rawValue >> 32),
            request: UInt32(truncatingIfNeeded: watcher.rawValue))
    }

    var watcher: WatcherID { WatcherID(UInt64(connection) << 32 | UInt64(request)) }
}

extension ClientServer {
    /// Sets up an accepted connection. For `ServerBootstrap.childChannelInitializer`; the channel
    /// must be on this server's event loop.
    package func childChannelInitializer()
        -> @Sendable (any Channel) -> EventLoopFuture<Void>
    {
        let server = NIOLoopBound(self, eventLoop: eventLoop)
        return { channel in
            channel.eventLoop.makeCompletedFuture { try server.value.initialize(channel) }
        }
    }

    /// In one turn of the loop, of one connection.
    private static let readBytesMax = 16 << 10

    /// As `childChannelInitializer`, for a listener that takes a throwing function.
    package func initialize(_ channel: any Channel) throws {
        guard hasRoom() else {
            return try channel.pipeline.syncOperations.addHandler(
                ConnectionRefusal(limit: configuration.connectionsMax))
        }
        let leftover = DecoderLeftover()
        let decoder = RequestDecoder(configuration, leftover: leftover)
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        // What is read is taken apart in one go, and chunks of one byte take a microsecond each.
        try channel.syncOptions?.setOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(
                minimum: 64, initial: 2048, maximum: Self.readBytesMax))
        let high = min(configuration.pipelinedBytesMax, configuration.unsentBytesMax)
        try channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(low: max(1, high / 2), high: high))
        try channel.pipeline.syncOperations.addHandlers([
            ByteToMessageHandler(decoder), ConnectionHandler(self, leftover),
        ])
    }
}
