import Cluster
import KVServer
import KeyStore
import Raft
import RaftModel
import State

/// What must hold whatever happens (Raft paper, figure 3, and what kvd promises beside it).
///
/// It sees what members write, send, commit and show, and knows nothing of how they came to it.
struct Judge {
    private struct Identity: Hashable {
        var index: UInt64
        var term: UInt64
    }

    private struct Content: Equatable {
        var previousTerm: UInt64
        var digest: UInt64
    }

    private struct Promise: Hashable {
        var member: MemberID
        var term: UInt64
    }

    private struct Committed {
        var term: UInt64
        /// Of the leader that committed it.
        var leaderTerm: UInt64
    }

    let oracle: Oracle
    private var leaders: [UInt64: MemberID] = [:]
    private var votes: [Promise: MemberID] = [:]
    private var contents: [Identity: Content] = [:]
    /// Entries written and not committed yet, by what names them.
    private var waiting: [Identity: Entry] = [:]
    private var committed: [Committed] = []
    /// The highest entry that any client was told of.
    private(set) var acknowledgedIndex: UInt64 = 0

    init(historyEventsMax: Int) { oracle = Oracle(historyEventsMax: historyEventsMax) }

    var committedCount: UInt64 { UInt64(committed.count) }

    func committedTerm(at index: UInt64) -> UInt64? {
        guard index > 0, index <= committedCount else { return nil }
        return committed[Int(index) - 1].term
    }

    // MARK: What is written

    /// Log matching: an index and a term name one entry, and one history before it.
    mutating func writes(
        _ entries: [Entry], previousTerm: UInt64, by member: MemberID
    ) throws(Violation) {
        var previousTerm = previousTerm
        for entry in entries {
            let identity = Identity(index: entry.index, term: entry.term)
            var digest = Digest()
            digest.add(UInt64(entry.kind.rawValue))
            entry.data.withUnsafeBytes { digest.add($0) }
            let content = Content(previousTerm: previousTerm, digest: digest.value)
            if let known = contents[identity] {
                guard known == content else {
                    throw Violation(
                        "log matching",
                        "\(member) has another entry \(entry.index) of term \(entry.term)")
                }
            } else {
                contents[identity] = content
                waiting[identity] = entry
            }
            previousTerm = entry.term
        }
    }

    // MARK: What is said

    /// One vote a term; and nothing is promised that is not durable.
    mutating func sends(_ message: Message, durable: LogMirror) throws(Violation) {
        switch message.kind {
        case .vote:
            try votes(for: message.from, by: message.from, term: message.term)
            try hasDurableVote(message.from, term: message.term, durable, by: message.from)
        case .voteResponse where !message.reject:
            try votes(for: message.to, by: message.from, term: message.term)
            try hasDurableVote(message.to, term: message.term, durable, by: message.from)
        case .appendResponse where !message.reject && message.index > durable.lastIndex:
            throw Violation(
                "durable before acknowledged",
                "\(message.from) acknowledges entry \(message.index), but only "
                    + "\(durable.lastIndex) is durable there")
        default: break
        }
    }

    private mutating func votes(
        for candidate: MemberID, by member: MemberID, term: UInt64
    ) throws(Violation) {
        let known = votes.updateValue(candidate, forKey: Promise(member: member, term: term))
        guard let known, known != candidate else { return }
        throw Violation(
            "one vote a term", "\(member) votes for \(known) and for \(candidate) in term \(term)")
    }

    private func hasDurableVote(
        _ candidate: MemberID, term: UInt64, _ durable: LogMirror, by member: MemberID
    ) throws(Violation) {
        if durable.term > term || (durable.term == term && durable.vote == candidate) { return }
        throw Violation(
            "durable before voted",
            "\(member) votes for \(candidate) in term \(term), but its disk says \(durable.vote) in "
                + "term \(durable.term)")
    }

    // MARK: Who leads

    /// Election safety, and leader completeness: a new leader has all that was committed before.
    mutating func leads(
        _ member: MemberID, term: UInt64, log: LogMirror
    ) throws(Violation) {
        if let known = leaders[term] {
            guard known == member else {
                throw Violation("election safety", "\(known) and \(member) lead term \(term)")
            }
            return
        }
        leaders[term] = member
        for (offset, entry) in committed.enumerated().reversed() {
            let index = UInt64(offset) + 1
            if index < log.baseIndex { break }
            guard entry.leaderTerm < term, !log.holds(index, entry.term) else { continue }
            throw Violation(
                "leader completeness", "\(member) leads term \(term) without entry \(index)")
        }
    }

    // MARK: What is committed

    /// A member knows its log to be committed up to `commit`, formerly up to `known`.
    ///
    /// - Parameter hasQuorum: whether a majority has an entry durably, given the members as of the
    ///   entry before it.
    mutating func commits(
        _ commit: UInt64, known: UInt64, by engine: Engine, log: LogMirror,
        hasQuorum: (UInt64, UInt64, Membership) -> Bool
    ) throws(Violation) {
        let member = engine.memberID
        if commit > committedCount, engine.isLeader {
            let term = log.term(at: commit) ?? 0
            guard term == engine.term else {
                throw Violation(
                    "commit by counting",
                    "\(member) leads term \(engine.term) and commits entry \(commit), which is of "
                        + "term \(term)")
            }
        }
        var index = max(known, log.baseIndex)
        while index < commit {
            index += 1
            guard let term = log.term(at: index) else {
                throw Violation(
                    "commit within the log",
                    "\(member) commits entry \(index), but its log ends at \(log.lastIndex)")
            }
            if index <= committedCount {
                try agrees(member, index, term)
            } else {
                try take(index, term, leaderTerm: engine.term, member, hasQuorum)
            }
        }
    }

    private func agrees(_ member: MemberID, _ index: UInt64, _ term: UInt64) throws(Violation) {
        let known = committed[Int(index) - 1].term
        guard known == term else {
            throw Violation(
                "state machine safety",
                "\(member) commits entry \(index) of term \(term), others of term \(known)")
        }
    }

    private mutating func take(
        _ index: UInt64, _ term: UInt64, leaderTerm: UInt64, _ member: MemberID,
        _ hasQuorum: (UInt64, UInt64, Membership) -> Bool
    ) throws(Violation) {
        guard hasQuorum(index, term, oracle.membership) else {
            throw Violation(
                "durable on a majority before committed",
                "\(member) commits entry \(index) of term \(term), which no majority has durably")
        }
        guard let entry = waiting[Identity(index: index, term: term)] else {
            throw Violation("commit within the log", "nobody wrote entry \(index) of term \(term)")
        }
        committed.append(Committed(term: term, leaderTerm: leaderTerm))
        oracle.apply(entry)
        waiting[Identity(index: index, term: term)] = nil
    }

    /// What all members of a new cluster begin with.
    mutating func begins(with entries: [Entry]) {
        for entry in entries {
            let identity = Identity(index: entry.index, term: entry.term)
            var digest = Digest()
            digest.add(UInt64(entry.kind.rawValue))
            entry.data.withUnsafeBytes { digest.add($0) }
            contents[identity] = Content(
                previousTerm: entry.index == 1 ? 0 : entry.term, digest: digest.value)
            committed.append(Committed(term: entry.term, leaderTerm: 0))
            oracle.apply(entry)
        }
    }

    // MARK: What is shown

    /// State machine safety: at the same index all have the same store, and the same members.
    func hasState(_ engine: Engine) throws(Violation) {
        let index = engine.appliedIndex
        guard index <= committedCount else {
            throw Violation(
                "commit before apply",
                "\(engine.memberID) has applied entry \(index), which nobody committed")
        }
        guard engine.state.contentHash == oracle.hashes[Int(index)] else {
            throw Violation(
                "equal stores", "\(engine.memberID) has another store after entry \(index)")
        }
        guard engine.state.appliedTerm == (committedTerm(at: index) ?? 0) else {
            throw Violation(
                "equal stores", "\(engine.memberID) takes entry \(index) for one of another term")
        }
    }

    func hasMembers(_ engine: Engine) throws(Violation) {
        let index = engine.appliedIndex
        guard let membership = oracle.membership(at: index) else { return }
        guard engine.membership.ids == membership.ids,
            engine.membership.removed == membership.removed,
            engine.membership.newcomers == membership.newcomers
        else {
            throw Violation(
                "equal members", "\(engine.memberID) has other members after entry \(index)")
        }
    }

    /// A client is told that its command is applied.
    mutating func acknowledges(
        _ index: UInt64, _ term: UInt64, by member: MemberID
    ) throws(Violation) {
        guard committedTerm(at: index) == term else {
            throw Violation(
                "commit before answer",
                "\(member) answers for entry \(index) of term \(term), which is not committed")
        }
        acknowledgedIndex = max(acknowledgedIndex, index)
    }
}
