internal import Synchronization

/// How a run goes, once a second.
package struct Progress: Sendable {
    package var elapsed: Duration
    package var isWarmup: Bool
    package var isPreload: Bool
    /// Successes of the last second.
    package var ratePerSecond: Double
    package var successCount: Int
    package var failureCount: Int
    package var eventCount: Int
}

/// What came of a run.
package struct BenchResult: Sendable {
    package var plan: BenchPlan
    package var recorder: Recorder
    /// The measured part, up to the last answer.
    package var elapsedSeconds: Double
    /// Successes in each second since the start, warm-up included.
    package var ratesEachSecond: [Double]
    package var wasInterrupted: Bool
}

/// Carries out plans: threads, signals, progress, and the sum at the end.
package struct BenchRun: ~Copyable {
    private let signals: SignalWatch
    private let onProgress: (Progress) -> Void
    private static let tickMilliseconds: Int32 = 1000

    /// - Parameters:
    ///   - takesSignals: SIGINT and SIGTERM end a run with its result so far, a second one at once.
    ///   - onProgress: called on the calling thread about once a second.
    package init(
        takesSignals: Bool, onProgress: @escaping (Progress) -> Void = { _ in }
    ) throws(BenchError) {
        signals = try SignalWatch(takesSignals: takesSignals)
        self.onProgress = onProgress
    }

    /// Runs `plan`, blocking. Throws when it cannot start; what fails later is in the result.
    package func callAsFunction(_ plan: BenchPlan) throws(BenchError) -> BenchResult {
        try run(plan, isPreload: false)
    }

    /// Writes every key of `plan` once, so that reads find them.
    ///
    /// Throws `.preloadFailed` if any write failed. Nil: interrupted.
    package func preload(_ plan: BenchPlan) throws(BenchError) -> BenchResult? {
        var load = plan
        load.kind = .put
        load.keyOrder = .sequential
        load.limit = .requests(plan.keyCount)
        load.warmup = .zero
        load.ratePerSecond = nil
        load.watcherCount = 0
        load.connectionCount = min(max(plan.connectionCount, 16), 64)
        load.pipelineDepth = 4
        let result = try run(load, isPreload: true)
        if result.wasInterrupted { return nil }
        guard result.recorder.successCount == plan.keyCount else {
            throw BenchError(
                .preloadFailed(
                    done: result.recorder.successCount, of: plan.keyCount,
                    errors: BenchReport.describe(failures: result.recorder.failures)),
                advice: "Look at the server's log, or use fewer keys (--keys).")
        }
        return result
    }

    private func run(_ plan: BenchPlan, isPreload: Bool) throws(BenchError) -> BenchResult {
        try plan.validate()
        Socket.raiseOpenFileLimit()
        let control = RunControl(workerCount: plan.threadCount)
        var threads: [WorkerThread] = []
        for index in 0..<plan.threadCount {
            let token = signals.doneToken
            let thread = try WorkerThread {
                Self.work(plan, index: index, control: control)
                SignalWatch.workerDone(token)
            }
            threads.append(thread)
        }
        var state = Supervision(plan: plan, control: control, isPreload: isPreload)
        awaitReady(&state)
        let start = MonotonicClock.now() + 1_000_000
        control.start.store(start, ordering: .releasing)
        awaitEnd(&state, start: start)
        for thread in threads { thread.join() }
        return try result(of: state, start: start)
    }

    private static func work(_ plan: BenchPlan, index: Int, control: RunControl) {
        let outcome: Result<Recorder, BenchError>
        do throws(BenchError) {
            var worker = try Worker(plan, index: index, control: control)
            outcome = .success(try worker.run())
        } catch {
            // Nobody can begin: let the others end too.
            control.stopLevel = .leaveNow
            outcome = .failure(error)
        }
        control.gauges[index].outcome.withLock { $0 = outcome }
    }

    // MARK: The main thread's part

    private struct Supervision {
        let plan: BenchPlan
        let control: RunControl
        let isPreload: Bool
        var doneCount = 0
        var interruptedAt: Nanoseconds?
        var rates: [Double] = []

        var isDone: Bool { doneCount == plan.threadCount }

        mutating func take(_ wakeup: SignalWatch.Wakeup) {
            switch wakeup {
            case .timedOut: break
            case .workersDone(let count): doneCount += count
            case .interrupted:
                control.stopLevel = interruptedAt == nil ? .sendNothingMore : .leaveNow
                if interruptedAt == nil { interruptedAt = MonotonicClock.now() }
            }
        }
    }

    private func awaitReady(_ state: inout Supervision) {
        let gauges = state.control.gauges
        while !state.isDone, state.interruptedAt == nil,
            !gauges.allSatisfy({ $0.isReady.load(ordering: .acquiring) })
        {
            state.take(signals.wait(milliseconds: 1))
        }
    }

    private func awaitEnd(_ state: inout Supervision, start: Nanoseconds) {
        let tick = Nanoseconds(Self.tickMilliseconds) * 1_000_000
        let measureFrom = start + state.plan.warmup.nanosecondsClamped
        var nextTick = start + tick
        var last = (time: start, count: 0)
        while !state.isDone {
            let now = MonotonicClock.now()
            if now >= nextTick {
                nextTick += tick
                let sums = sums(state.control)
                let rate = Double(sums.success - last.count) / (Double(now - last.time) / 1e9)
                state.rates.append(rate)
                last = (now, sums.success)
                onProgress(
                    Progress(
                        elapsed: .nanoseconds(Int64(now - start)), isWarmup: now < measureFrom,
                        isPreload: state.isPreload, ratePerSecond: rate,
                        successCount: sums.success, failureCount: sums.failure,
                        eventCount: sums.events))
            }
            let rest = nextTick > now ? nextTick - now : 0
            state.take(signals.wait(milliseconds: Int32(rest / 1_000_000) + 1))
        }
    }

    private func sums(_ control: RunControl) -> (success: Int, failure: Int, events: Int) {
        var sums = (success: 0, failure: 0, events: 0)
        for gauge in control.gauges {
            sums.success += gauge.successCount.load(ordering: .relaxed)
            sums.failure += gauge.failureCount.load(ordering: .relaxed)
            sums.events += gauge.eventCount.load(ordering: .relaxed)
        }
        return sums
    }

    private func result(
        of state: Supervision, start: Nanoseconds
    ) throws(BenchError) -> BenchResult {
        let measureFrom = start + state.plan.warmup.nanosecondsClamped
        var sum = Recorder(measureFrom: measureFrom)
        for gauge in state.control.gauges {
            guard let outcome = gauge.outcome.withLock({ $0 }) else {
                preconditionFailure("a worker that was joined left its outcome")
            }
            sum.merge(try outcome.get())
        }
        var end = sum.lastAnswer
        if let interruptedAt = state.interruptedAt {
            end = max(end, interruptedAt)
        } else if case .duration(let duration) = state.plan.limit {
            end = max(end, measureFrom + duration.nanosecondsClamped)
        }
        return BenchResult(
            plan: state.plan, recorder: sum,
            elapsedSeconds: end > measureFrom ? Double(end - measureFrom) / 1e9 : 0,
            ratesEachSecond: state.rates, wasInterrupted: state.interruptedAt != nil)
    }
}
