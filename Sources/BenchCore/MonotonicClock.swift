internal import Glibc

/// A point on the monotonic clock, or a distance between two, in nanoseconds.
package typealias Nanoseconds = UInt64

/// The clocks of this machine.
package enum MonotonicClock {
    package static func now() -> Nanoseconds { read(CLOCK_MONOTONIC) }

    /// CPU time used by the calling thread.
    package static func threadCPU() -> Nanoseconds { read(CLOCK_THREAD_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Nanoseconds {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "clock_gettime fails only for a clock that does not exist")
        return Nanoseconds(time.tv_sec) * 1_000_000_000 + Nanoseconds(time.tv_nsec)
    }
}

extension Duration {
    /// Whole nanoseconds; a negative duration counts as none.
    package var nanosecondsClamped: Nanoseconds {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return Nanoseconds(seconds) * 1_000_000_000 + Nanoseconds(attoseconds / 1_000_000_000)
    }

    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
