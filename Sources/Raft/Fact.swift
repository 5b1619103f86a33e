public import RaftModel

extension Raft {
    /// Something that happened, for the log. Values only: the owner words them.
    public enum Fact: Equatable, Sendable {
        case becameFollower(term: UInt64)
        case becamePreCandidate(term: UInt64)
        case becameCandidate(term: UInt64)
        case becameLeader(term: UInt64)
        /// It would have campaigned, but has conf changes to apply first.
        case electionPutOff(term: UInt64)
        case electionStarted(term: UInt64, isTransfer: Bool)
        case voteRequested(of: MemberID, kind: Message.Kind, term: UInt64, last: LogPosition)
        /// An answer came: `kind` is `.voteResponse` or `.preVoteResponse`.
        case voteReceived(from: MemberID, kind: Message.Kind, term: UInt64, granted: Bool)
        case votesCounted(quorum: Int, granted: Int, rejected: Int)
        /// This member answered a candidate: `kind` is `.vote` or `.preVote`.
        case voteCast(
            candidate: MemberID, kind: Message.Kind, term: UInt64, theirs: LogPosition,
            mine: LogPosition, granted: Bool)
        /// A candidate was not answered, because the leader is alive.
        case voteIgnored(candidate: MemberID, kind: Message.Kind, term: UInt64)
        case leaderChanged(from: MemberID, to: MemberID, term: UInt64)
        case higherTermSeen(Message.Kind, from: MemberID, term: UInt64)
        case lowerTermIgnored(Message.Kind, from: MemberID, term: UInt64)
        /// Not something that a member may say: it was dropped.
        case malformed(Message.Kind, from: MemberID)
        /// A leader's entry differs from a committed one: one of the two logs lost data.
        case conflictWithCommitted(index: UInt64, from: MemberID)
        /// A leader knows of entries here that are not: this log lost data.
        case commitBeyondLog(commit: UInt64, lastIndex: UInt64, from: MemberID)
        /// Forwarded proposals that could not be taken, by whoever sent them; by this member: those
        /// that it had held.
        case proposalsDropped(count: Int, from: MemberID, reason: ProposalError)
        case confChangeRefused(pendingIndex: UInt64)
        /// A removal after which there is no quorum without the vote of a member that rejoins.
        case removalPutOff(rejoining: MemberID)
        case quorumLost(term: UInt64)
        case transferStarted(to: MemberID, term: UInt64)
        /// The target did not take over within an election timeout, or is gone.
        case transferAborted(to: MemberID, term: UInt64)
        case snapshotNeeded(by: MemberID, next: UInt64, firstIndex: UInt64)
        case snapshotSent(to: MemberID, index: UInt64)
        case snapshotReported(for: MemberID, succeeded: Bool)
        case snapshotIgnored(index: UInt64, commit: UInt64, from: MemberID)
        case snapshotInstalled(index: UInt64, term: UInt64, from: MemberID)
        /// A member that rejoins has everything again, and votes from now on.
        case rejoined(index: UInt64)
        /// A member lost a part of its log that it had acknowledged to this leader.
        case acknowledgementsForgotten(of: MemberID, from: UInt64, to: UInt64)
    }

    /// An entry's place in a log.
    public struct LogPosition: Equatable, Sendable {
        public var index: UInt64
        public var term: UInt64

        public init(index: UInt64, term: UInt64) {
            self.index = index
            self.term = term
        }

        /// Whether a log that ends here holds at least as much as one that ends at `other`: the
        /// later term wins, then the longer log (Raft paper, section 5.4.1).
        func isUpToDate(with other: LogPosition) -> Bool {
            term > other.term || (term == other.term && index >= other.index)
        }
    }
}
