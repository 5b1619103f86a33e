package import Cluster
package import KeyStore
package import RaftModel

/// Where the log stood when a command was applied: the `X-Raft-Index` and `X-Raft-Term` headers.
package struct AppliedAt: Equatable, Sendable {
    package var raftIndex: UInt64
    package var raftTerm: UInt64

    package init(raftIndex: UInt64, raftTerm: UInt64) {
        self.raftIndex = raftIndex
        self.raftTerm = raftTerm
    }
}

/// Why a request was given up without the store having answered it.
///
/// After `.timedOut` and `.stopped` the command may still be applied later: a client that cannot
/// have it twice has to read before it writes again.
package enum Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    case timedOut
    /// The leader that the request had been handed to went away.
    case timedOutLeaderLost
    /// The server is stopping.
    case stopped
    /// As many requests as may wait are waiting already. Nothing was written.
    case tooManyRequests(limit: Int)
    /// The member was removed from its cluster.
    case removed
    /// This member's disk is full. Nothing was written.
    case diskFull
    /// This member's store is not what the log says, and is being replaced.
    case stateIsVoid
    /// A read asked for a later index than this member came to while it waited.
    case behind(wanted: UInt64, at: UInt64)

    /// The `cause` of the error 300 that clients see; the texts of etcd where it has one.
    package var description: String {
        switch self {
        case .timedOut: "etcdserver: request timed out"
        case .timedOutLeaderLost:
            "etcdserver: request timed out, possibly due to previous leader failure"
        case .stopped: "etcdserver: server stopped"
        case .tooManyRequests(let limit):
            "etcdserver: too many requests (\(limit) are waiting already); retry with a pause"
        case .removed: "etcdserver: member was removed from the cluster"
        case .diskFull:
            "etcdserver: no space left on this member's disk; free some, or write to another member"
        case .stateIsVoid:
            "etcdserver: this member's store is damaged and being fetched from the leader; ask another member"
        case .behind(let wanted, let index):
            "etcdserver: request timed out: minIndex=\(wanted), and this member is at \(index); ask another member, or use quorum=true"
        }
    }
}

/// Why a member was not added, updated or removed.
package enum MemberChangeFault: Error, Equatable, Sendable {
    /// The cluster, as it was when the change's turn came, does not allow it.
    case membership(MembershipError)
    /// It was not applied, as far as this member knows.
    case refused(Refusal)
    /// `--strict-reconfig-check`: too few members are started to be a quorum after it.
    case tooFewStarted
    /// The same check: these are too many of those that would be left, and cannot be reached.
    case unreachable([Member], of: Int)
}

/// What came of a request that had to wait.
package enum Outcome {
    /// The command was applied and changed the store.
    case applied(Event, AppliedAt)
    /// The command was applied and the store refused it.
    case failed(StoreError)
    /// The command was not applied, as far as this member knows.
    case refused(Refusal)
    /// What came of a conf change.
    case memberChange(ConfChange.Kind, Result<Membership.Effect, MemberChangeFault>)
    /// A reader may now read the store as it is.
    case readable
}
