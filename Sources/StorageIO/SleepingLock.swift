import CKvd
import Glibc

/// State behind a lock, and one thread that may sleep until the state has something for it.
///
/// Waking costs a system call only if that thread sleeps.
package final class SleepingLock<State>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State
    private var isSleeping = false

    package init(_ state: sending State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // The wall clock may be set while somebody sleeps.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// As `withLock`, and wakes the sleeper.
    package func withLockAndWake<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        let result = body(&state)
        let mustWake = isSleeping
        isSleeping = false
        pthread_mutex_unlock(mutex)
        if mustWake { pthread_cond_signal(condition) }
        return result
    }

    /// Asks `body` until it gives a result, sleeping in between until `withLockAndWake`; gives
    /// `timedOut` if that takes longer than `limit`. One thread only.
    package func wait<Result>(
        upTo limit: Duration?, orElse timedOut: @autoclosure () -> Result,
        _ body: (inout State) -> Result?
    ) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var deadline = timespec()
        if let limit {
            let (seconds, attoseconds) = limit.components
            let now = kvd_monotonic_nanoseconds()
            let end = now + seconds * 1_000_000_000 + attoseconds / 1_000_000_000
            deadline = timespec(
                tv_sec: Int(end / 1_000_000_000), tv_nsec: Int(end % 1_000_000_000))
        }
        while true {
            if let result = body(&state) { return result }
            isSleeping = true
            if limit == nil {
                pthread_cond_wait(condition, mutex)
            } else if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                isSleeping = false
                return body(&state) ?? timedOut()
            }
            isSleeping = false
        }
    }
}
