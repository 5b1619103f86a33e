/// The time by which keys expire: the cluster's, not this machine's.
///
/// It is the time in a SYNC command that was applied, plus the monotonic time that has passed here
/// since. All members follow the leader's SYNCs, and a new leader goes on from the last one, so a
/// wall clock that is set a day forth or back expires nothing early, and a change of leader never
/// shortens a TTL. The wall clock counts only until the first SYNC there ever is.
package struct ClusterClock: Sendable {
    /// Unix nanoseconds of the last SYNC applied; nil before the first.
    package private(set) var synced: Int64?
    /// The time counts from here: the cluster's at a moment of the monotonic clock.
    private var base: (time: Int64, monotonic: Int64) = (.min, 0)

    package init() {}

    /// The cluster's time in Unix nanoseconds, given this machine's clocks in nanoseconds.
    package func now(monotonic: Int64, wall: Int64) -> Int64 {
        synced == nil ? wall : running(monotonic: monotonic)
    }

    private func running(monotonic: Int64) -> Int64 {
        base.time &+ max(0, monotonic - base.monotonic)
    }

    /// A SYNC of `time` was applied. One from before the last is of a leader that lagged: the
    /// cluster's time never runs backwards.
    ///
    /// Nor does it when a SYNC says no more than the clock does. The leader's own are of that kind:
    /// it was `time` when it proposed this one, and is later now. To go back to `time` each time
    /// would make every SYNC cost what the log takes to sync.
    ///
    /// - Parameter wall: this machine's clock, which counted until now if this is the first SYNC. A
    ///   moment before it, the SYNC's leader looked at its own, which may be this one: not back to that.
    package mutating func applied(
        syncTime time: Int64, monotonic: Int64, wall: Int64 = .min
    ) {
        if let synced, time <= synced { return }
        if synced == nil {
            let (ago, overflows) = wall.subtractingReportingOverflow(time)
            let isMomentAgo = !overflows && ago > 0 && ago < 1_000_000_000
            base = (isMomentAgo ? wall : time, monotonic)
        } else if time > running(monotonic: monotonic) {
            base = (time, monotonic)
        }
        synced = time
    }
}
