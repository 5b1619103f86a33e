/// What a leader knows of another member.
public struct FollowerStatus: Equatable, Sendable {
    public enum State: String, Sendable {
        case probe, replicate, snapshot
    }

    public var id: MemberID
    public var isVoter: Bool
    /// Its log equals the leader's up to here, durably.
    public var match: UInt64
    /// The next entry to send.
    public var next: UInt64
    public var state: State
    /// It answered something since the last check of the quorum.
    public var isRecentlyActive: Bool

    public init(
        id: MemberID, isVoter: Bool, match: UInt64, next: UInt64, state: State,
        isRecentlyActive: Bool
    ) {
        (self.id, self.isVoter) = (id, isVoter)
        (self.match, self.next) = (match, next)
        (self.state, self.isRecentlyActive) = (state, isRecentlyActive)
    }
}
