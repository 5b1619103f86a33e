package import RaftModel

/// Who leads, and since when: what `/v2/stats/self` says about it.
package struct Leadership: Equatable, Sendable {
    package enum Role: Equatable, Sendable {
        case leader
        case follower
        case candidate
    }

    package var role = Role.follower
    package var leader = MemberID.none
    /// Monotonic nanoseconds, of the start of this role.
    package var since: Int64
    /// The same moment in Unix nanoseconds.
    package var sinceWall: Int64

    init(since: Int64, sinceWall: Int64) {
        self.since = since
        self.sinceWall = sinceWall
    }
}

/// Appends sent to and received from peers since the start.
package struct PeerCounters: Equatable, Sendable {
    package var appendsReceived: UInt64 = 0
    package var appendsSent: UInt64 = 0
}
