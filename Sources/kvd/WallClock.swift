import Glibc

/// This machine's idea of the time of day. It may be set at any moment: only the cluster's very
/// first SYNC, and what is shown to people, may depend on it.
enum WallClock {
    static var unixNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
