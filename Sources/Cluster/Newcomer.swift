package import RaftModel

/// A member that was added and does not vote yet: it gets the log, and the leader makes it a member
/// when it has it. The quorum does not change for one that was never seen.
///
///     POST /v2/members ─▶ newcomer ──has the log──▶ conf change ─▶ member
///                             └──── DELETE, or no conf change allowed ──▶ removed
///
/// That it is one is a key of the store, `/0/kvd/newcomers/ID`, written by ordinary commands: in
/// logs and snapshots they are what any etcd can read, and nothing to it. Once the id is a member's
/// or was removed by a conf change, the key says nothing more.
///
///     value = the context of the conf change to come, {"id":…,"peerURLs":[…]}
///           | removed
package enum Newcomer: Equatable, Sendable {
    case waiting(Member)
    case removed

    package static let removedValue = Array("removed".utf8)

    /// Nil: not what a kvd writes there.
    package init?(_ id: MemberID, value: [UInt8]) {
        if value == Self.removedValue {
            self = .removed
        } else if let member = try? MemberJSON.member(fromContext: value), member.id == id {
            self = .waiting(member)
        } else {
            return nil
        }
    }
}
