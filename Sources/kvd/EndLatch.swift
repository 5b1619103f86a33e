import Dispatch
import Synchronization

/// Holds the first reason to end that anybody gives, and lets one thread wait for it.
final class EndLatch: Sendable {
    private let end = Mutex<Server.End?>(nil)
    private let given = DispatchSemaphore(value: 0)

    /// Any thread. Later reasons are dropped.
    func set(_ reason: Server.End) {
        let isFirst = end.withLock { end -> Bool in
            guard end == nil else { return false }
            end = reason
            return true
        }
        if isFirst { given.signal() }
    }

    /// Waits on this thread; to be called once.
    func wait() -> Server.End {
        given.wait()
        guard let reason = end.withLock({ $0 }) else {
            preconditionFailure("signalled before it was set")
        }
        return reason
    }
}
