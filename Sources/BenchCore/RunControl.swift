internal import Synchronization

/// What the main thread and the workers tell each other while a run is under way. All counters;
/// the results themselves are handed over when a worker is done.
final class RunControl: Sendable {
    enum Stop: Int, Sendable {
        case no, sendNothingMore, leaveNow
    }

    /// When sending begins; 0: not decided yet.
    let start = Atomic<Nanoseconds>(0)
    private let stop = Atomic<Int>(Stop.no.rawValue)
    /// Workers that may still send.
    let senderCount: Atomic<Int>
    /// Writes that were measured and succeeded: each owes every watcher an event.
    let measuredWriteCount = Atomic<Int>(0)
    let gauges: [WorkerGauge]

    init(workerCount: Int) {
        senderCount = Atomic(workerCount)
        gauges = (0..<workerCount).map { _ in WorkerGauge() }
    }

    var stopLevel: Stop {
        get { Stop(rawValue: stop.load(ordering: .relaxed)) ?? .leaveNow }
        set { stop.store(newValue.rawValue, ordering: .relaxed) }
    }
}

/// One worker's state as others see it, up to date within one turn of its loop.
final class WorkerGauge: Sendable {
    let isReady = Atomic<Bool>(false)
    let successCount = Atomic<Int>(0)
    let failureCount = Atomic<Int>(0)
    let eventCount = Atomic<Int>(0)
    let outcome = Mutex<Result<Recorder, BenchError>?>(nil)
}
