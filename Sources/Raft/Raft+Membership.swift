public import RaftModel

/// Who takes part. One change at a time; it takes effect on each member when it is applied there.
extension Raft {
    /// The members as of the last applied conf change, in ascending order: those that vote.
    public var confState: ConfState {
        ConfState(members: members.all.filter(\.isVoter).map(\.id))
    }

    public func isMember(_ id: MemberID) -> Bool { members.position(of: id) != nil }

    /// Applies a committed conf change, before `applied(through:)` its entry. Nil: the state machine
    /// found it invalid, and nothing changes.
    public mutating func applyConfChange(_ change: ConfChange?) {
        guard let change, change.member != .none else { return }
        switch change.kind {
        case .add: addMember(change.member, isVoter: true)
        case .remove: removeMember(change.member)
        case .update: break  // its addresses are no matter of consensus
        }
    }

    /// Adds a member that gets the log but does not vote, if `isVoter` is false.
    mutating func addMember(_ member: MemberID, isVoter: Bool) {
        members.add(member, isVoter: isVoter, next: log.lastIndex + 1)
    }

    /// Says who else gets the log, and counts for nothing: members that are on their way to become
    /// some. Those that vote are passed over; whoever got the log so far and is not named gets it no
    /// more.
    ///
    /// This is no conf change: no majority depends on it, so members may differ in it, and only a
    /// leader's list has any effect. A conf change makes a voter of one of them. A snapshot's members
    /// take the place of all, so that it has to be said again then.
    public mutating func setNonVoters(_ ids: [MemberID]) {
        for known in members.all where !known.isVoter && !ids.contains(known.id) {
            members.remove(known.id)
            snapshotsWanted.removeAll { $0.member == known.id }
        }
        for id in ids where id != .none { addMember(id, isVoter: false) }
    }

    private mutating func removeMember(_ member: MemberID) {
        guard isMember(member) else { return }
        members.remove(member)
        snapshotsWanted.removeAll { $0.member == member }
        if member == transferTarget { abortTransfer() }
        if member == id { return leave() }
        guard role == .leader, members.voterCount > 0 else { return }
        // Fewer members need fewer answers.
        advanceCommit()
        answerConfirmedRounds()
    }

    /// This member is none any more. If it leads, it goes on for up to an election timeout without
    /// counting itself, so that the others learn that its removal is committed: until then they
    /// count it as one whose vote they may need. It hands over, where members know how.
    private mutating func leave() {
        switch role {
        case .follower: break
        case .preCandidate, .candidate: becomeFollower(term: term, leader: .none)
        case .leader:
            guard let heir = members.all.filter(\.isVoter).max(by: { $0.match < $1.match }) else {
                return becomeFollower(term: term, leader: .none)
            }
            electionElapsedTicks = 0
            if features.leaderTransfer { startTransfer(to: heir.id) }
            advanceCommit()
        }
    }
}
