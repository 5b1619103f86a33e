public import RaftModel

/// Why a proposal was not taken. Nothing of it is in any log.
public enum ProposalError: Error, Equatable, Sendable, CustomStringConvertible {
    case noLeader(term: UInt64)
    /// Leadership is being handed over.
    case transferring(to: MemberID)
    /// The followers, or this leader's disk, do not keep up.
    case tooMuchUncommitted(bytes: Int, limit: Int)

    public var description: String {
        switch self {
        case .noLeader(let term):
            "no leader at term \(term). Propose again when one is elected"
        case .transferring(let target):
            "leadership is being handed to \(target). Propose again when that is over"
        case .tooMuchUncommitted(let bytes, let limit):
            """
            \(bytes) bytes of the log wait to be committed, of \(limit) allowed. Propose again \
            when some are; if it stays so, check the members' disks and network
            """
        }
    }
}

/// Why leadership is not handed over.
public enum TransferError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Only the leader can hand over; others may only ask for it themselves.
    case notLeader(leader: MemberID)
    case notAVoter(MemberID)
    case alreadyLeader
    /// Some member does not know how.
    case unsupported

    public var description: String {
        switch self {
        case .notLeader(.none):
            "there is no leader to hand over. Wait until one is elected"
        case .notLeader(let leader):
            "member \(leader) leads, not this one. Ask it to hand over"
        case .notAVoter(let member):
            "\(member) is no voting member of the cluster. Choose one from the member list"
        case .alreadyLeader:
            "the member leads already. Choose another"
        case .unsupported:
            "some members run etcd 2.x, which cannot hand over. Upgrade them, or stop the leader"
        }
    }
}
