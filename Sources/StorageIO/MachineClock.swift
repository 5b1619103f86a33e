import CKvd

/// Clocks of the machine that no setting of the wall clock moves.
public enum MachineClock {
    /// Time since the machine started, its sleep included (CLOCK_BOOTTIME).
    public static var sinceBoot: Duration { .nanoseconds(kvd_boottime_nanoseconds()) }

    /// Nanoseconds since some moment, for measuring (CLOCK_MONOTONIC).
    public static var monotonicNanoseconds: Int64 { kvd_monotonic_nanoseconds() }
}
