import CKvd
import Glibc

/// Clocks of the machine that no setting of the wall clock moves.
public enum MachineClock {
    /// Time since the machine started, its sleep included (CLOCK_BOOTTIME).
    public static var sinceBoot: Duration { .nanoseconds(kvd_boottime_nanoseconds()) }

    /// Lets the calling thread rest.
    package static func sleep(nanoseconds: Int64) {
        var rest = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        var left = timespec()
        while nanosleep(&rest, &left) != 0, errno == EINTR { rest = left }
    }

    /// Nanoseconds since some moment, for measuring (CLOCK_MONOTONIC).
    public static var monotonicNanoseconds: Int64 { kvd_monotonic_nanoseconds() }
}
