import RaftModel

/// Elections (Raft paper, section 5.2 and 5.4.1; pre-vote: Ongaro's thesis, section 9.6).
///
/// A candidate's own vote counts, and its requests leave, only once term and vote are durable: its
/// vote travels to itself as a message that is held like the others.
extension Raft {
    /// What a candidate's request carries when the leader asked it to take over.
    static let transferContext = Array("take over".utf8)

    // MARK: Roles

    mutating func becomeFollower(term newTerm: UInt64, leader newLeader: MemberID) {
        precondition(newTerm >= term, "terms never go back")
        enter(newTerm)
        role = .follower
        leader = newLeader
        facts.append(.becameFollower(term: term))
    }

    /// Leaves whatever role there was, for a role in `newTerm`.
    private mutating func enter(_ newTerm: UInt64) {
        if newTerm > term {
            term = newTerm
            vote = .none
            durability.dropHeld()
        }
        leader = .none
        restartElectionTimer()
        heartbeatElapsedTicks = 0
        members.clearVotes()
        transferTarget = .none
        uncommittedBytes = 0
        snapshotsWanted.removeAll()
        reads.removeAll()
    }

    private mutating func becomeLeader() {
        precondition(role == .candidate, "only a candidate wins")
        enter(term)
        role = .leader
        leader = id
        for i in members.all.indices { members.all[i].reset(next: log.lastIndex + 1) }
        if let own = members.position(of: id) { members.all[own].match = durability.lastIndex }
        uncommittedBytes = log.bytes(from: commitIndex + 1, through: log.lastIndex)
        facts.append(.becameLeader(term: term))
        termStartIndex = log.lastIndex + 1
        // What earlier leaders left behind may hold a conf change; wait for all of it.
        pendingConfIndex = termStartIndex
        append([Entry()])
    }

    // MARK: Campaigning

    /// Stands for election now, as if no leader had been heard of for long.
    public mutating func campaign() {
        guard role != .leader, members.isVoter(id) else { return }
        startCampaign(isTransfer: false)
    }

    mutating func startCampaign(isTransfer: Bool) {
        assert(role != .leader && members.isVoter(id))
        restartElectionTimer()
        guard isEligible else { return }
        // A higher term than this would trap further on; no cluster gets here by itself.
        guard term < .max else { return }
        guard !mustApplyConfChangeFirst() else {
            facts.append(.electionPutOff(term: term))
            return
        }
        facts.append(.electionStarted(term: term, isTransfer: isTransfer))
        if features.preVote, !isTransfer {
            becomePreCandidate()
        } else {
            becomeCandidate(isTransfer: isTransfer)
        }
    }

    /// Conf changes take effect when applied. One that is committed and not applied would have this
    /// member count by members that may be two changes behind the cluster's; their majorities need
    /// not meet.
    ///
    /// No leader appends a conf change before the one before it is committed. So of two in the log
    /// the first *is* committed, even if a crash lost that news.
    private mutating func mustApplyConfChangeFirst() -> Bool {
        let waiting = log.confChanges(after: appliedIndex)
        if waiting.count > 1 { commitIndex = max(commitIndex, waiting[waiting.count - 2]) }
        return waiting.first.map { $0 <= commitIndex } ?? false
    }

    private mutating func becomePreCandidate() {
        enter(term)
        role = .preCandidate
        facts.append(.becamePreCandidate(term: term))
        requestVotes(.preVote, term: term + 1, context: [])
        record(vote: .granted, of: id)
        settleElection()
    }

    private mutating func becomeCandidate(isTransfer: Bool) {
        enter(term + 1)
        role = .candidate
        vote = id
        facts.append(.becameCandidate(term: term))
        requestVotes(.vote, term: term, context: isTransfer ? Self.transferContext : [])
        sendWhenDurable(Message(.voteResponse, to: id, from: id, term: term))
    }

    private mutating func requestVotes(_ kind: Message.Kind, term: UInt64, context: [UInt8]) {
        for voter in members.all where voter.isVoter && voter.id != id {
            facts.append(.voteRequested(of: voter.id, kind: kind, term: term, last: log.last))
            let request = Message(
                kind, to: voter.id, from: id, term: term, logTerm: log.lastTerm,
                index: log.lastIndex, context: context)
            // Asking whether one could win promises nothing.
            if kind == .preVote { outbox.append(request) } else { sendWhenDurable(request) }
        }
    }

    // MARK: Answers to this candidate

    mutating func receiveVoteResponse(_ message: Message) {
        guard members.position(of: message.from) != nil else { return }
        switch (role, message.kind) {
        case (.candidate, .voteResponse): break
        case (.preCandidate, .preVoteResponse):
            // A grant repeats the term asked for; a refusal says the refuser's.
            guard message.reject || message.term == term + 1 else { return }
        default: return
        }
        if message.from != id {
            facts.append(
                .voteReceived(
                    from: message.from, kind: message.kind, term: message.term,
                    granted: !message.reject))
        }
        record(vote: message.reject ? .rejected : .granted, of: message.from)
        settleElection()
    }

    /// A member's first answer counts.
    private mutating func record(vote: Progress.Vote, of voter: MemberID) {
        guard let i = members.position(of: voter), members.all[i].vote == .none else { return }
        members.all[i].vote = vote
    }

    private mutating func settleElection() {
        let (granted, rejected) = (members.votes(.granted), members.votes(.rejected))
        facts.append(.votesCounted(quorum: members.quorum, granted: granted, rejected: rejected))
        if granted >= members.quorum {
            if role == .preCandidate { becomeCandidate(isTransfer: false) } else { becomeLeader() }
        } else if rejected >= members.quorum {
            becomeFollower(term: term, leader: .none)
        }
    }

    // MARK: Other candidates

    /// Whether a candidate is to be ignored, as this member hears its leader (thesis, section
    /// 4.2.3). Without this, a member that was cut off or removed could depose a good leader.
    func isLeaderAlive(whenAskedBy message: Message) -> Bool {
        features.checkQuorum && leader != .none && message.term > term
            && electionElapsedTicks < configuration.electionTicks
            && message.context != Self.transferContext
    }

    mutating func receiveVoteRequest(_ message: Message) {
        let theirs = LogPosition(index: message.index, term: message.logTerm)
        let isFree: Bool
        switch message.kind {
        case .preVote: isFree = message.term > term
        default: isFree = vote == .none || vote == message.from  // a candidate has voted
        }
        let granted = isFree && theirs.isUpToDate(with: log.last) && !isRejoining
        facts.append(
            .voteCast(
                candidate: message.from, kind: message.kind, term: message.term, theirs: theirs,
                mine: log.last, granted: granted))
        if granted, message.kind == .vote {
            if role != .follower { becomeFollower(term: term, leader: .none) }
            vote = message.from
            electionElapsedTicks = 0
        }
        answer(message, granted: granted)
    }

    /// A vote leaves when it is durable; everything else says what may be forgotten.
    mutating func answer(_ request: Message, granted: Bool) {
        if request.kind == .preVote {
            outbox.append(
                Message(
                    .preVoteResponse, to: request.from, from: id,
                    term: granted ? request.term : term, reject: !granted))
            return
        }
        assert(request.kind == .vote && request.term == term)
        let answer = Message(
            .voteResponse, to: request.from, from: id, term: term, reject: !granted)
        if granted { sendWhenDurable(answer) } else { outbox.append(answer) }
    }
}
