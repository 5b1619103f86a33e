import RaftModel

/// What members said their stores hash to, at which entry, and what follows from it.
///
/// Every `interval` entries each kvd member notes the hash of its store and reports it through the
/// log, so that all members see all reports, in one order. Two members that applied the same
/// entries have the same store; if one differs from what a majority says, its memory or its disk
/// changed something behind its back (or it has a bug that they have not).
struct ContentHashes: Sendable {
    enum Verdict: Equatable, Sendable {
        /// A majority agrees, and this member with it; or nothing can be said yet.
        case fine
        /// A majority has another store than this member at this index.
        case differs(index: UInt64, own: UInt64, theirs: UInt64)
        /// All have reported, and no majority agrees.
        case noMajority(index: UInt64)
    }

    private struct Round: Sendable {
        var own: UInt64?
        var reports: [MemberID: UInt64] = [:]
        var isSettled = false
    }

    /// Rounds kept; reports of older ones come too late to be of use.
    private static let roundsMax = 8
    private var rounds: [(index: UInt64, round: Round)] = []

    /// This member's store hashed to `hash` after entry `index`.
    mutating func note(_ hash: UInt64, at index: UInt64) {
        withRound(at: index) { $0.own = hash }
    }

    mutating func removeAll() { rounds.removeAll() }

    /// `member` reported; `voters` are the members that count now.
    mutating func report(
        _ hash: UInt64, at index: UInt64, by member: MemberID, voters: [MemberID]
    ) -> Verdict {
        withRound(at: index) { round in
            round.reports[member] = hash
            guard !round.isSettled, let own = round.own else { return .fine }
            let counted = round.reports.filter { voters.contains($0.key) }
            var votes: [UInt64: Int] = [:]
            for hash in counted.values { votes[hash, default: 0] += 1 }
            if let agreed = votes.first(where: { $0.value > voters.count / 2 })?.key {
                round.isSettled = true
                guard agreed != own else { return .fine }
                return .differs(index: index, own: own, theirs: agreed)
            }
            guard counted.count == voters.count, voters.count > 1 else { return .fine }
            round.isSettled = true
            return .noMajority(index: index)
        } ?? .fine
    }

    @discardableResult
    private mutating func withRound<Result>(
        at index: UInt64, _ body: (inout Round) -> Result
    ) -> Result? {
        if let position = rounds.firstIndex(where: { $0.index == index }) {
            return body(&rounds[position].round)
        }
        if let oldest = rounds.first, rounds.count == Self.roundsMax {
            guard index > oldest.index else { return nil }
            rounds.removeFirst()
        }
        var round = Round()
        let result = body(&round)
        let place = rounds.firstIndex { $0.index > index } ?? rounds.count
        rounds.insert((index, round), at: place)
        return result
    }
}
