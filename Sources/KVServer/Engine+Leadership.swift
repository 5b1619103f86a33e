import Logging
import Raft
package import RaftModel
import State

/// Who leads: followed for requests that wait, for statistics, and in the log.
extension Engine {
    package var leader: MemberID { raft.leader }
    package var isLeader: Bool { raft.isLeader }
    package var term: UInt64 { raft.term }
    package var clusterID: ClusterID { configuration.cluster }
    package var memberID: MemberID { configuration.member }
    package var commitIndex: UInt64 { raft.commitIndex }

    /// What Raft says of itself, for `/debug/vars`.
    package var raftStatus: RaftStatus {
        RaftStatus(
            id: configuration.member, term: raft.term, vote: raft.vote, commit: raft.commitIndex,
            leader: raft.leader, role: raft.role,
            progress: raft.isLeader ? raft.memberStatuses : [])
    }

    /// Whether writes can be taken as far as this member knows: there is a leader, and what it
    /// has committed gets here.
    package var isHealthy: Bool { raft.leader != .none && stopReason == nil }

    /// Whether this member leads and is handing leadership to another.
    package var isHandingOver: Bool { raft.isTransferring }

    /// Whether nobody waits for an answer to a write or a linearizable read.
    package var isIdle: Bool { pending.count == 0 && reads.count == 0 }

    /// What the last SYNC said, and when, for the mark that a restart reads.
    package var lastSyncTime: Int64? { state.clock.synced }

    /// What etcd 2.3 members would not understand is used only while there are none.
    package func setAllMembersAreKvd(_ areKvd: Bool) {
        let features: Raft.Features = areKvd ? .kvd : .etcd23
        guard raft.features != features else { return }
        raft.setFeatures(features)
        raftLog.info(
            areKvd
                ? "all members are kvds: pre-votes, quorum checks and read rounds are on"
                : "not all members are known to be kvds: saying only what etcd 2.3 knows")
    }

    /// Whether what only kvds understand is in use.
    package var allMembersAreKvd: Bool { raft.features == .kvd }

    /// What one member is, whatever the others are.
    package func setIsKvd(_ member: MemberID, _ isKvd: Bool) { raft.setIsKvd(member, isKvd) }

    /// Messages to this member are being lost.
    package func reportUnreachable(_ member: MemberID) {
        raft.unreachable(member)
        if member == raft.leader { silentLeader = member }
    }

    /// What came of a snapshot on its way to a member.
    package func reportSnapshot(_ member: MemberID, succeeded: Bool) {
        raft.snapshotReported(for: member, succeeded: succeeded)
    }

    func leadershipChanged(_ state: Raft.SoftState) {
        let role: Leadership.Role =
            switch state.role {
            case .leader: .leader
            case .follower: .follower
            case .candidate, .preCandidate: .candidate
            }
        if leadership.leader != .none, state.leader != leadership.leader {
            // Whatever went to the old leader may be lost with it.
            leaderLostAt = now
            isPublishing = false
            isVersionProposed = false
        }
        if role != leadership.role || state.leader != leadership.leader {
            (leadership.role, leadership.leader) = (role, state.leader)
            (leadership.since, leadership.sinceWall) = (now, wallNow)
        }
        if state.leader != .none { askNewLeader() }
    }

    /// Writes what happened in the words of etcd's raft, which tools wait for.
    func note(_ fact: Raft.Fact) {
        if case .rejoined = fact { effects.hasRejoined = true }
        onFact?(fact)
        guard let (level, line) = wording(of: fact) else { return }
        raftLog.log(level: level, "\(line)")
    }

    private func wording(of fact: Raft.Fact) -> (Logger.Level, String)? {
        let id = configuration.member
        switch fact {
        case .becameFollower(let term): return (.info, "\(id) became follower at term \(term)")
        case .becamePreCandidate(let term):
            return (.info, "\(id) became pre-candidate at term \(term)")
        case .becameCandidate(let term): return (.info, "\(id) became candidate at term \(term)")
        case .becameLeader(let term): return (.info, "\(id) became leader at term \(term)")
        case .electionStarted(let term, _):
            return (.info, "\(id) is starting a new election at term \(term)")
        case .electionPutOff(let term):
            return (.info, "\(id) cannot campaign at term \(term): conf changes are to be applied")
        case .voteReceived(let from, _, let term, let granted):
            let verb = granted ? "received vote" : "received vote rejection"
            return (.info, "\(id) \(verb) from \(from) at term \(term)")
        case .leaderChanged(let old, let new, let term):
            return (.info, leaderLine(old, new, term))
        case .quorumLost(let term):
            return (.warning, "\(id) stepped down at term \(term): no quorum answered it")
        case .voteCast(let candidate, _, let term, _, _, let granted):
            let verb = granted ? "cast vote for" : "rejected vote from"
            return (.info, "\(id) \(verb) \(candidate) at term \(term)")
        default: return wordingOfTrouble(fact)
        }
    }

    private func leaderLine(_ old: MemberID, _ new: MemberID, _ term: UInt64) -> String {
        let node = "raft.node: \(configuration.member)"
        if new == .none { return "\(node) lost leader \(old) at term \(term)" }
        if old == .none { return "\(node) elected leader \(new) at term \(term)" }
        return "\(node) changed leader from \(old) to \(new) at term \(term)"
    }

    private func wordingOfTrouble(_ fact: Raft.Fact) -> (Logger.Level, String)? {
        switch fact {
        case .conflictWithCommitted(let index, let from):
            let line =
                "leader \(from) has another entry \(index) than the committed one here: one of the "
                + "two logs lost data. Compare them with kvd-dump wal"
            return (.critical, line)
        case .commitBeyondLog(let commit, let lastIndex, let from):
            let line =
                "leader \(from) says that \(commit) is committed, but the log here ends at "
                + "\(lastIndex): this member lost data. Replace it with an empty one"
            return (.critical, line)
        case .malformed(let kind, let from):
            return (.warning, "dropped a malformed message of kind \(kind) from \(from)")
        case .proposalsDropped(let count, let from, let reason):
            return (.debug, "dropped \(count) proposals from \(from): \(reason)")
        case .confChangeRefused(let index):
            return (.warning, "refused a conf change: the one at index \(index) is not applied yet")
        case .removalPutOff(let rejoining):
            let line =
                "put off the removal of a member: without it too few could vote until \(rejoining), "
                + "which rejoins, has got back what its log lost"
            return (.warning, line)
        case .transferStarted(let to, let term):
            return (.info, "handing leadership to \(to) at term \(term)")
        case .transferAborted(let to, let term):
            return (.warning, "\(to) did not take over at term \(term)")
        case .snapshotNeeded(let member, let next, let first):
            return (.info, "\(member) needs entry \(next), but the log begins at \(first)")
        case .rejoined(let index):
            return (.notice, "this member has everything up to index \(index) again, and votes")
        case .acknowledgementsForgotten(let member, let old, let new):
            let line =
                "\(member) lost a part of its log: what it acknowledged from \(new) to \(old) counts "
                + "no more"
            return (.warning, line)
        case .snapshotInstalled(let index, let term, let from):
            return (.info, "took a snapshot at index \(index), term \(term), from \(from)")
        // Made by reflection: not for nothing.
        default: return raftLog.logLevel <= .debug ? (.debug, "\(fact)") : nil
        }
    }
}
