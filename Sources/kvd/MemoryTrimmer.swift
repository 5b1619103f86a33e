import StorageIO

/// Gives memory back to the system some time after much of it was freed.
///
/// malloc by itself returns what lies at the end of its heap. What ten thousand connections, or a large
/// directory, leave behind lies between things that are still used: it would stay with this
/// process for ever.
final class MemoryTrimmer: Sendable {
    private let isStopping = SleepingLock(false)
    private let thread: WorkerThread

    /// Less is not worth it.
    private static let worthwhileBytes = 4 << 20
    /// What counts as the same from one look to the next: nobody is about to use it.
    private static let noiseBytes = 1 << 20
    private static let pauseMin: Int64 = 5_000_000_000
    /// A look keeps others from allocating: it may take a thousandth of the time.
    private static let restFactor: Int64 = 1000

    init() {
        let isStopping = isStopping
        thread = WorkerThread(named: "kvd-memory") {
            var judge = Judge()
            var pause = Self.pauseMin
            while !isStopping.wait(upTo: .nanoseconds(pause), orElse: false, { $0 ? true : nil }) {
                let begun = MachineClock.monotonicNanoseconds
                if judge.shouldTrim(free: Heap.freeBytes) {
                    Heap.trim()
                    judge.trimmed(free: Heap.freeBytes)
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

    /// Whether it is time, from what malloc has free at each look. Free and given back is free too, as
    /// malloc counts: what matters is by how much it has grown since.
    struct Judge {
        private var reference: Int?
        private var last = 0

        mutating func shouldTrim(free: Int) -> Bool {
            defer { last = free }
            guard let reference else {
                reference = free
                return false
            }
            self.reference = min(reference, free)
            return free - reference >= MemoryTrimmer.worthwhileBytes
                && abs(free - last) < MemoryTrimmer.noiseBytes
        }

        mutating func trimmed(free: Int) { reference = free }
    }
}
