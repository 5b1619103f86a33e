package import Cluster
package import KeyStore
package import RaftModel

/// What came of one committed entry.
package enum Applied {
    /// A new leader's first entry.
    case nothing
    case command(Outcome)
    /// `change` is what Raft is to be told: nil if it was not allowed any more, and did nothing.
    case confChange(ConfChange?, Result<Membership.Effect, MembershipError>)
    /// The entry is not of the v2 API: the state must not go on, or it would differ from others'.
    case unknown(problem: String)

    package struct Outcome {
        /// Of the command: who waits for it is found by it.
        package var id: UInt64
        package var result: CommandResult
        /// What else it said to members.
        package var note: ClusterNote?
    }

    package enum CommandResult {
        case event(Event)
        case failed(StoreError)
        /// A read that went through the log, or a SYNC.
        case done
    }

    /// What a command told about the cluster, beside changing the store.
    package enum ClusterNote {
        case versionSet(SemanticVersion, old: SemanticVersion?)
        /// The cluster's version is above what this program speaks.
        case versionTooHigh(String, fault: String)
        case versionUnreadable(String)
        case attributesUnreadable(MemberID)
        case hashReported(HashReport)
        case newcomer(MemberID, Result<Membership.Effect, MembershipError>)
    }
}
