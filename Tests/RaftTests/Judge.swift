import Raft
import RaftModel

/// What must hold in a simulated world, whatever happens (Raft paper, figure 3). It sees all that
/// members write, commit and apply, and knows nothing of how they came to it.
struct Judge {
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    private struct Identity: Hashable {
        var index: UInt64
        var term: UInt64
    }

    private struct Content: Equatable {
        var previousTerm: UInt64
        var kind: Entry.Kind
        var data: [UInt8]
    }

    private var leaders: [UInt64: MemberID] = [:]
    private var contents: [Identity: Content] = [:]
    /// For each committed index, its entry's term, and that of the leader that committed it.
    private var committed: [(term: UInt64, leaderTerm: UInt64)] = []
    /// The state after each applied index.
    private var states: [UInt64] = [0]

    var committedCount: UInt64 { UInt64(committed.count) }

    /// Every member starts with these, committed.
    mutating func begins(with entries: [Entry]) {
        for entry in entries {
            contents[Identity(index: entry.index, term: entry.term)] = Content(
                previousTerm: entry.index == 1 ? 0 : entry.term, kind: entry.kind,
                data: entry.data)
            committed.append((entry.term, 0))
        }
    }

    /// Election safety, and leader completeness: a new leader has all that was committed in
    /// earlier terms.
    mutating func leads(_ raft: Raft) throws(Violation) {
        if let known = leaders[raft.term] {
            guard known == raft.id else {
                throw Violation(
                    description: "\(known) and \(raft.id) lead in term \(raft.term)")
            }
            return
        }
        leaders[raft.term] = raft.id
        for (offset, entry) in committed.enumerated() where entry.leaderTerm < raft.term {
            let index = UInt64(offset) + 1
            guard index >= raft.firstIndex else { continue }
            guard raft.term(at: index) == entry.term else {
                throw Violation(
                    description: "\(raft.id) leads term \(raft.term) without entry \(index)")
            }
        }
    }

    /// Log matching: an index and a term name one entry, and one history before it.
    mutating func writes(
        _ entries: [Entry], previousTerm: UInt64, by member: MemberID
    ) throws(Violation) {
        var previousTerm = previousTerm
        for entry in entries {
            let identity = Identity(index: entry.index, term: entry.term)
            let content = Content(
                previousTerm: previousTerm, kind: entry.kind, data: entry.data)
            guard contents[identity, default: content] == content else {
                throw Violation(
                    description: "\(member) has another entry \(entry.index)/\(entry.term)")
            }
            contents[identity] = content
            previousTerm = entry.term
        }
    }

    /// A member knows its log to be committed up to `raft.commitIndex`, formerly `known`.
    ///
    /// What nobody knew before is durable on a majority: `disks` are those of members 1, 2, …, and
    /// `lost` what they had before they lost some of it.
    mutating func commits(
        _ raft: Raft, known: UInt64, disks: [TestDisk], lost: [TestDisk?]
    ) throws(Violation) {
        let first = max(known + 1, raft.firstIndex)
        guard first <= raft.commitIndex else { return }
        for index in first...raft.commitIndex {
            let term = raft.term(at: index) ?? 0
            if index <= committedCount {
                guard committed[Int(index) - 1].term == term else {
                    throw Violation(
                        description: "\(raft.id) commits entry \(index) as of term \(term)")
                }
                continue
            }
            let voters = raft.confState.members
            let holders = voters.count { voter in
                let position = Int(voter.rawValue) - 1
                return disks[position].holds(index, term)
                    || lost[position]?.holds(index, term) ?? false
            }
            guard raft.isLeader, holders > voters.count / 2 else {
                throw Violation(
                    description: """
                        \(raft.id) commits entry \(index)/\(term) of term \(raft.term), which \
                        \(holders) of \(voters.count) have
                        """)
            }
            committed.append((term, raft.term))
        }
    }

    /// State machine safety: all members go through the same states.
    mutating func isInState(
        _ state: UInt64, after index: UInt64, member: MemberID
    ) throws(Violation) {
        guard index <= committedCount else {
            throw Violation(description: "\(member) applies entry \(index), which nobody committed")
        }
        if index < states.count {
            guard states[Int(index)] == state else {
                throw Violation(description: "\(member) is in another state after \(index)")
            }
        } else {
            guard index == states.count else {
                throw Violation(description: "\(member) skips to entry \(index)")
            }
            states.append(state)
        }
    }

    /// The state after an entry, as a chain of digests.
    static func state(after entry: Entry, from state: UInt64) -> UInt64 {
        var digest = (state ^ entry.index) &* 0x9e37_79b9_7f4a_7c15 ^ entry.term
        digest = digest &* 31 &+ UInt64(entry.kind.rawValue)
        for byte in entry.data { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return digest ^ (digest >> 29)
    }
}
