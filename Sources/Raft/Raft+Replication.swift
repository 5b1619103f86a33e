public import RaftModel

/// The leader's side of the log (Raft paper, sections 5.3 and 5.4.2).
extension Raft {
    private var windowLimits: FlightWindow.Limits {
        FlightWindow.Limits(
            messages: configuration.inFlightMessagesMax, bytes: configuration.inFlightBytesMax)
    }

    // MARK: Sending

    mutating func sendAppends() {
        let limits = windowLimits
        for i in members.all.indices where members.all[i].id != id {
            while members.all[i].wantsAppend(
                lastIndex: log.lastIndex, commit: commitIndex, limits: limits)
            {
                guard sendAppend(toMemberAt: i) else { break }
            }
        }
    }

    /// Sends what comes next for a member, or asks for a snapshot. Returns whether it sent.
    private mutating func sendAppend(toMemberAt i: Int) -> Bool {
        let next = members.all[i].next
        precondition(next > 0 && next <= log.lastIndex + 1, "next \(next) is beyond the log")
        guard let previousTerm = log.term(at: next - 1) else {
            wantSnapshot(forMemberAt: i)
            return false
        }
        let (entries, bytes) = log.slice(
            from: next, through: log.lastIndex, bytesMax: configuration.messageBytesMax)
        members.all[i].sent(count: entries.count, bytes: bytes, commit: commitIndex)
        outbox.append(
            Message(
                .append, to: members.all[i].id, from: id, term: term, logTerm: previousTerm,
                index: next - 1, entries: entries, commit: commitIndex))
        return true
    }

    /// Heartbeats carry the last round of reads, so that one that was lost is made up for.
    mutating func sendHeartbeats() {
        openReadRound(atMost: ReadRounds.openMax, sending: false)
        let hasRounds = features.readIndex && reads.lastOpened > 0
        let context = hasRounds ? Self.bytes(of: reads.lastOpened) : []
        for i in members.all.indices where members.all[i].id != id {
            // Never beyond what the member has: it would take another entry for a committed one.
            let commit = min(members.all[i].match, commitIndex)
            outbox.append(
                Message(
                    .heartbeat, to: members.all[i].id, from: id, term: term, commit: commit,
                    context: context))
        }
    }

    // MARK: Answers

    mutating func receiveAppendResponse(_ message: Message) {
        guard role == .leader, let i = members.position(of: message.from) else { return }
        members.all[i].isRecentlyActive = true
        guard !message.reject else { return receiveRefusal(message, ofMemberAt: i) }
        guard message.index <= log.lastIndex else { return malformed(message) }
        let isNews = members.all[i].acknowledged(message.index)
        switch members.all[i].state {
        case .probe:
            if message.index >= members.all[i].match { members.all[i].becomeReplicate() }
        case .snapshot:
            // Whatever it got there by, the log can take it from here.
            if members.all[i].match >= log.offset {
                members.all[i].becomeReplicate()
            }
        case .replicate:
            members.all[i].inFlight.free(through: message.index)
        }
        if isNews { advanceCommit() }
        handOverIfCaughtUp(memberAt: i)
    }

    /// The member lacks the entry before those that were sent, or has another there.
    private mutating func receiveRefusal(_ message: Message, ofMemberAt i: Int) {
        guard message.index <= log.lastIndex else { return malformed(message) }
        var hint = min(message.rejectHint, message.index)
        if message.logTerm > 0 {
            // A kvd says the term at its hint: skip all of this log that cannot agree with it.
            hint = log.lastIndex(ofTermUpTo: message.logTerm, atOrBefore: hint)
        }
        _ = members.all[i].refused(rejected: message.index, hint: hint)
    }

    mutating func receiveHeartbeatResponse(_ message: Message) {
        guard role == .leader, let i = members.position(of: message.from) else { return }
        members.all[i].isRecentlyActive = true
        members.all[i].isPaused = false
        if members.all[i].state == .replicate, members.all[i].inFlight.isFull(windowLimits) {
            members.all[i].inFlight.freeFirst()
        }
        if members.all[i].match < log.lastIndex { members.all[i].isAppendDue = true }
        confirmReads(message, byMemberAt: i)
    }

    /// A member could not be reached, so appends to it may be lost.
    public mutating func unreachable(_ member: MemberID) {
        guard role == .leader, let i = members.position(of: member), member != id else { return }
        if members.all[i].state == .replicate { members.all[i].becomeProbe() }
    }

    // MARK: Commitment

    /// Commits what a quorum has, if it is of this leader's term: an earlier leader's entry may
    /// still be overwritten although a majority has it (Raft paper, figure 8).
    mutating func advanceCommit() {
        precondition(role == .leader)
        let index = members.quorumValue { $0.match }
        guard index > commitIndex, log.term(at: index) == term else { return }
        precondition(index <= log.lastIndex, "a quorum has more than the leader")
        uncommittedBytes -= log.bytes(from: commitIndex + 1, through: index)
        assert(uncommittedBytes >= 0)
        commitIndex = index
    }
}

extension Raft {
    /// What a leader knows of a member, for its statistics.
    public struct MemberStatus: Equatable, Sendable {
        public enum Mode: Sendable {
            case probe
            case replicate
            case snapshot
        }

        public var id: MemberID
        public var isVoter: Bool
        public var match: UInt64
        public var next: UInt64
        public var mode: Mode
        /// Appends on their way.
        public var inFlightCount: Int
        public var isRecentlyActive: Bool
    }

    /// In ascending order of ids. Only a leader's says more than who is a member.
    public var memberStatuses: [MemberStatus] {
        members.all.map { member in
            let mode: MemberStatus.Mode =
                switch member.state {
                case .probe: .probe
                case .replicate: .replicate
                case .snapshot: .snapshot
                }
            return MemberStatus(
                id: member.id, isVoter: member.isVoter, match: member.match, next: member.next,
                mode: mode, inFlightCount: member.inFlight.count,
                isRecentlyActive: member.isRecentlyActive)
        }
    }
}
