import Synchronization

/// A thread that runs jobs one after the other.
package final class SerialWorker: Sendable {
    private struct Queue {
        var jobs: [@Sendable () -> Void] = []
        var isStopping = false
    }

    private enum Work {
        case job(@Sendable () -> Void)
        case stop
    }

    private let queue = SleepingLock(Queue())
    private let thread = Mutex<WorkerThread?>(nil)

    package init(named name: String, _ priority: WorkerThread.Priority) {
        let queue = queue
        let started = WorkerThread(named: name) {
            WorkerThread.take(priority)
            while case .job(let job) = Self.next(queue) { job() }
        }
        thread.withLock { $0 = started }
    }

    private static func next(_ queue: SleepingLock<Queue>) -> Work {
        queue.wait(upTo: nil, orElse: .stop) { queue in
            if queue.isStopping { return .stop }
            return queue.jobs.isEmpty ? nil : .job(queue.jobs.removeFirst())
        }
    }

    package func submit(_ job: @escaping @Sendable () -> Void) {
        queue.withLockAndWake { $0.jobs.append(job) }
    }

    /// Drops what waits, and returns when the job under way has ended.
    package func stop() {
        queue.withLockAndWake { queue in
            (queue.isStopping, queue.jobs) = (true, [])
        }
        let running = thread.withLock { thread -> WorkerThread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }
}
