internal import CEpoll
internal import Glibc
internal import Synchronization

/// One thread of the generator: its connections, its share of the work, its results.
///
/// Life: `openAll()` connects and starts the watches; then, from the common start time on, the loop
/// sends what is due, waits, and takes what came, until nothing more is to be sent and
/// everything was answered. Buffers for sending and receiving are one each, shared by all
/// connections, so that they stay in the cache; a connection keeps bytes only between two calls.
/// A struct, so that exclusive access is proven when compiling and not checked at every access: 8 %
/// fewer instructions per request outside the kernel (callgrind, one request in flight).
struct Worker: ~Copyable {
    let plan: BenchPlan
    let control: RunControl
    let gauge: WorkerGauge
    let poller: Poller
    var loads: [LoadConnection] = []
    var watches: [WatchConnection] = []
    /// What `receive` fills: a few answers, or a piece of a big one.
    let receiveRoom: UnsafeMutableRawBufferPointer
    /// What requests are rendered into.
    let sendRoom: UnsafeMutableRawBufferPointer
    var workload: Workload
    var pacer = Pacer(start: 0, end: 0, ratePerSecond: nil)
    var recorder = Recorder(measureFrom: .max)
    /// On all load connections.
    var inFlightCount = 0
    /// Successes and failures, measured or not.
    var successCount = 0
    var failureCount = 0
    /// Requests that may still be sent in the measured part.
    var remainingShare: Int
    /// Where the search for a connection with room goes on.
    var cursor = 0
    var isStopping = false
    var lastEvent: Nanoseconds = 0
    /// The first connection that could not be opened before the start.
    var openingError: BenchError?
    private let index: Int

    static let receiveRoomBytes = 256 << 10
    static let sendRoomBytes = 256 << 10
    static let reconnectPause: Nanoseconds = 100_000_000
    static let sweepInterval: Nanoseconds = 50_000_000
    static let openingTimeout: Nanoseconds = 10_000_000_000
    /// How long watchers wait for events that do not come, after the last write.
    static let eventPatience: Nanoseconds = 1_000_000_000
    private static let connectingCountMax = 128

    init(_ plan: BenchPlan, index: Int, control: RunControl) throws(BenchError) {
        precondition(index < plan.threadCount)
        self.plan = plan
        self.index = index
        self.control = control
        gauge = control.gauges[index]
        poller = try Poller()
        workload = Workload(plan, worker: index, workerCount: plan.threadCount)
        switch plan.limit {
        case .duration: remainingShare = .max
        case .requests(let count):
            remainingShare = count / plan.threadCount + (index < count % plan.threadCount ? 1 : 0)
        }
        for number in stride(from: index, to: plan.connectionCount, by: plan.threadCount) {
            let endpoint = plan.endpoints[number % plan.endpoints.count]
            loads.append(LoadConnection(plan, endpoint: endpoint, token: loads.count))
        }
        for number in stride(from: index, to: plan.watcherCount, by: plan.threadCount) {
            let endpoint = plan.endpoints[number % plan.endpoints.count]
            let token = loads.count + watches.count
            watches.append(WatchConnection(plan, endpoint: endpoint, token: token))
        }
        let requestBytesMax = loads.flatMap(\.templates).map(\.sizeBytes).max() ?? 0
        sendRoom = .allocate(
            byteCount: max(Self.sendRoomBytes, requestBytesMax), alignment: 16)
        receiveRoom = .allocate(byteCount: Self.receiveRoomBytes, alignment: 16)
    }

    deinit {
        for load in loads { load.link.close(retryAt: .max) }
        for watch in watches { watch.link.close(retryAt: .max) }
        sendRoom.deallocate()
        receiveRoom.deallocate()
    }

    /// The whole life. Returns early, with what it has, when told to stop.
    mutating func run() throws(BenchError) -> Recorder {
        // Requests are due at a moment: the default slack of 50 µs would count as latency.
        _ = kvd_bench_set_timer_slack(1000)
        try openAll()
        gauge.isReady.store(true, ordering: .releasing)
        guard let start = awaitStart() else { return recorder }
        runLoop(start: start)
        return recorder
    }

    // MARK: Opening

    private mutating func openAll() throws(BenchError) {
        let begin = MonotonicClock.now()
        while true {
            let now = MonotonicClock.now()
            if control.stopLevel != .no { return }
            try startConnectingSome(now: now)
            let isReady = loads.allSatisfy(\.link.isOpen) && watches.allSatisfy(\.isWatching)
            if isReady { return }
            if now - begin > Self.openingTimeout {
                let link = links.first { !$0.isOpen } ?? watches.first { !$0.isWatching }?.link
                guard let link else { preconditionFailure("not ready, so something is missing") }
                throw .noConnection(link.endpoint, "timed out")
            }
            handleEvents(timeout: 20_000_000)
            if let openingError { throw openingError }
        }
    }

    private var links: [Link] { loads.map(\.link) + watches.map(\.link) }

    /// So many at a time that no server's accept queue overflows.
    private mutating func startConnectingSome(now: Nanoseconds) throws(BenchError) {
        var room = Self.connectingCountMax
        for link in links {
            if case .connecting = link.phase { room -= 1 }
        }
        for link in links where room > 0 {
            guard case .closed = link.phase else { continue }
            try link.startConnecting(poller, now: now)
            room -= 1
        }
    }

    private func awaitStart() -> Nanoseconds? {
        while control.stopLevel == .no {
            let start = control.start.load(ordering: .acquiring)
            if start != 0 { return start }
            usleep(500)
        }
        return nil
    }

    // MARK: The loop

    private mutating func runLoop(start: Nanoseconds) {
        let measureFrom = start + plan.warmup.nanosecondsClamped
        var end = Nanoseconds.max
        if case .duration(let duration) = plan.limit {
            end = measureFrom + duration.nanosecondsClamped
        }
        recorder = Recorder(measureFrom: measureFrom)
        pacer = Pacer(
            start: start, end: end, ratePerSecond: plan.ratePerSecond, worker: index,
            workerCount: plan.threadCount)
        var nextSweep = start
        var cpuFrom: Nanoseconds?
        var sendingEnded: Nanoseconds?
        while true {
            let now = MonotonicClock.now()
            isStopping = control.stopLevel != .no
            if cpuFrom == nil, now >= measureFrom { cpuFrom = MonotonicClock.threadCPU() }
            if now >= nextSweep {
                nextSweep = now + Self.sweepInterval
                sweep(now: now)
            }
            if sendingEnded == nil, isStopping || remainingShare == 0 || now >= end {
                // A limit of requests ends with the last one sent; a duration may leave some.
                if !isStopping, remainingShare > 0 {
                    recorder.unsentCount = pacer.overdueCount(now: end)
                }
                if let cpuFrom { recorder.cpu = MonotonicClock.threadCPU() - cpuFrom }
                sendingEnded = now
                // Nothing is due any more, whatever reopens.
                isStopping = true
            }
            if let sendingEnded {
                isStopping = true
                if isOver(now: now, sendingEnded: sendingEnded) { break }
            } else {
                sendDue(now: now)
            }
            publish()
            handleEvents(timeout: timeout(now: MonotonicClock.now(), end: end))
        }
        publish()
    }

    private var hasReportedEnd = false

    private mutating func isOver(now: Nanoseconds, sendingEnded: Nanoseconds) -> Bool {
        if control.stopLevel == .leaveNow { return true }
        if inFlightCount > 0 { return false }
        if !hasReportedEnd {
            hasReportedEnd = true
            control.measuredWriteCount.add(recorder.successCount, ordering: .relaxed)
            control.senderCount.subtract(1, ordering: .releasing)
            lastEvent = max(lastEvent, now)
        }
        if watches.isEmpty { return true }
        guard control.senderCount.load(ordering: .acquiring) == 0 else { return false }
        let owed = control.measuredWriteCount.load(ordering: .relaxed) * watches.count
        return recorder.eventCount >= owed || now - lastEvent > Self.eventPatience
    }

    private func timeout(now: Nanoseconds, end: Nanoseconds) -> Nanoseconds {
        var until = now + Self.sweepInterval
        if end > now { until = min(until, end) }
        let hasSlot = inFlightCount < loads.count * plan.pipelineDepth
        if !isStopping, pacer.isOpenLoop || now < control.start.load(ordering: .relaxed),
            hasSlot, let due = pacer.nextDue
        {
            until = min(until, due)
        }
        return until > now ? until - now : 0
    }

    mutating func handleEvents(timeout: Nanoseconds) {
        let count = poller.wait(timeout: timeout)
        for number in 0..<count {
            let event = poller[number]
            if event.token < loads.count {
                handle(event, loads[event.token])
            } else {
                handle(event, watches[event.token - loads.count])
            }
        }
    }

    /// Ends what waited too long, opens again what was lost.
    private mutating func sweep(now: Nanoseconds) {
        let timeout = plan.answerTimeout.nanosecondsClamped
        for load in loads {
            switch load.link.phase {
            case .open:
                if !load.inFlight.isEmpty, now > load.link.lastProgress + timeout {
                    lose(load, .timedOut, now: now)
                }
            case .connecting(let since):
                if now > since + timeout { lose(load, .connectionLost, now: now) }
            case .closed(let retryAt):
                if now >= retryAt { reconnect(load.link, now: now) }
            }
        }
        for watch in watches {
            switch watch.link.phase {
            case .open: break
            case .connecting(let since):
                if now > since + timeout { lose(watch, now: now) }
            case .closed(let retryAt):
                if now >= retryAt { reconnect(watch.link, now: now) }
            }
        }
    }

    mutating func reconnect(_ link: Link, now: Nanoseconds) {
        do throws(BenchError) {
            try link.startConnecting(poller, now: now)
        } catch {
            link.close(retryAt: now + Self.reconnectPause)
        }
    }

    private func publish() {
        gauge.successCount.store(successCount, ordering: .relaxed)
        gauge.failureCount.store(failureCount, ordering: .relaxed)
        gauge.eventCount.store(recorder.eventCount, ordering: .relaxed)
    }
}
