import RaftModel

/// The follower's side of the log (Raft paper, section 5.3).
extension Raft {
    mutating func receiveFromLeader(_ message: Message) {
        guard role != .leader else { return malformed(message) }  // it would be a second one
        if role != .follower { becomeFollower(term: term, leader: message.from) }
        leader = message.from
        electionElapsedTicks = 0
        switch message.kind {
        case .append: receiveAppend(message)
        case .heartbeat: receiveHeartbeat(message)
        default: receiveSnapshot(message)
        }
    }

    private mutating func receiveHeartbeat(_ message: Message) {
        learnCommit(message.commit, from: message.from)
        // It promises nothing but that this member has not turned to a later leader.
        outbox.append(
            Message(
                .heartbeatResponse, to: message.from, from: id, term: term,
                context: message.context))
    }

    private func isWellFormed(_ message: Message) -> Bool {
        let (last, overflow) = message.index.addingReportingOverflow(UInt64(message.entries.count))
        guard !overflow, last < .max, message.logTerm <= term else { return false }
        var (index, entryTerm) = (message.index, message.logTerm)
        for entry in message.entries {
            index += 1
            guard entry.index == index, entry.term >= entryTerm, entry.term <= term else {
                return false
            }
            entryTerm = entry.term
        }
        return true
    }

    private mutating func receiveAppend(_ message: Message) {
        guard isWellFormed(message) else { return malformed(message) }
        if message.index <= commitIndex, let known = log.term(at: message.index),
            known != message.logTerm
        {
            facts.append(.conflictWithCommitted(index: message.index, from: message.from))
            return
        }
        if message.index < commitIndex {
            return acknowledge(commitIndex, to: message.from)  // an old append, overtaken
        }
        guard log.term(at: message.index) == message.logTerm else { return refuse(message) }
        take(message.entries)
        let last = message.index + UInt64(message.entries.count)
        // Beyond the last new entry, this log may differ from the leader's.
        learnCommit(min(message.commit, last), from: message.from)
        acknowledge(last, to: message.from)
    }

    /// Puts a leader's entries into the log where it differs.
    private mutating func take(_ entries: [Entry]) {
        guard let new = entries.firstIndex(where: { log.term(at: $0.index) != $0.term }) else {
            return
        }
        let first = entries[new].index
        precondition(first > commitIndex, "committed entries are never overwritten")
        if first <= log.lastIndex {
            log.truncate(from: first)
            durability.truncated(from: first)
        }
        log.append(new == 0 ? entries : Array(entries[new...]))
    }

    mutating func learnCommit(_ index: UInt64, from sender: MemberID) {
        guard index > commitIndex else { return }
        guard index <= log.lastIndex else {
            facts.append(
                .commitBeyondLog(commit: index, lastIndex: log.lastIndex, from: sender))
            return
        }
        commitIndex = index
    }

    mutating func acknowledge(_ index: UInt64, to sender: MemberID) {
        assert(index <= log.lastIndex)
        sendWhenDurable(
            Message(.appendResponse, to: sender, from: id, term: term, index: index))
    }

    /// Says where this log ends, or rather how far it may agree with one that has `logTerm` at the
    /// refused index, and what term it has there. etcd 2.x leaders do not read the latter.
    private mutating func refuse(_ message: Message) {
        let hint = log.lastIndex(ofTermUpTo: message.logTerm, atOrBefore: message.index)
        outbox.append(
            Message(
                .appendResponse, to: message.from, from: id, term: term,
                logTerm: log.term(at: hint) ?? 0, index: message.index, reject: true,
                rejectHint: hint))
    }
}
