import StorageIO

/// Gives memory back to the system some time after much of it was freed.
///
/// malloc by itself returns what lies at the end of its heap. What ten thousand connections, or a large
/// directory, leave behind lies between things that are still used: it would stay with this
/// process for ever.
final class MemoryTrimmer: Sendable {
    private let isStopping = SleepingLock(false)
    private let thread: WorkerThread

    private static let pauseMin: Int64 = 5_000_000_000
    /// A look keeps others from allocating: it may take a thousandth of the time.
    private static let restFactor: Int64 = 1000

    init() {
        let isStopping = isStopping
        thread = WorkerThread(named: "kvd-memory") {
            var judge = TrimJudge()
            var pause = Self.pauseMin
            while !isStopping.wait(upTo: .nanoseconds(pause), orElse: false, { $0 ? true : nil }) {
                let begun = MachineClock.monotonicNanoseconds
                if judge.shouldTrim(.measure()) {
                    Heap.trim()
                    judge.trimmed(.measure())
                }
                let taken = MachineClock.monotonicNanoseconds - begun
                pause = max(Self.pauseMin, taken * Self.restFactor)
            }
        }
    }

    func stop() {
        isStopping.withLockAndWake { $0 = true }
        thread.join()
    }
}
