/// The time by which keys expire: the cluster's, not this machine's.
///
/// It is the time in the last SYNC command that was applied, plus the monotonic time that has
/// passed here since. All members follow the leader's SYNCs, and a new leader goes on from the
/// last one, so a wall clock that is set a day forth or back expires nothing early, and a change
/// of leader never shortens a TTL. The wall clock counts only until the first SYNC there ever is.
package struct ClusterClock: Sendable {
    /// Unix nanoseconds of the last SYNC applied; nil before the first.
    package private(set) var synced: Int64?
    /// The monotonic clock when it was applied here.
    private var syncedAtMonotonic: Int64 = 0

    package init() {}

    /// The cluster's time in Unix nanoseconds, given this machine's clocks in nanoseconds.
    package func now(monotonic: Int64, wall: Int64) -> Int64 {
        guard let synced else { return wall }
        return synced &+ max(0, monotonic - syncedAtMonotonic)
    }

    /// A SYNC of `time` was applied. One from before the last is of a leader that lagged: the
    /// cluster's time never runs backwards.
    package mutating func applied(syncTime time: Int64, monotonic: Int64) {
        if let synced, time <= synced { return }
        synced = time
        syncedAtMonotonic = monotonic
    }
}
