package import Raft
package import RaftModel

/// Where this member's Raft stands.
package struct RaftStatus: Equatable, Sendable {
    package var id: MemberID
    package var term: UInt64
    package var vote: MemberID
    package var commit: UInt64
    package var leader: MemberID
    package var role: Raft.Role
    /// Only a leader knows any.
    package var progress: [Raft.MemberStatus]
}
