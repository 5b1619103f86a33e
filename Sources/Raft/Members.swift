import RaftModel

/// Who takes part, in ascending order of ids. A handful, so a scan beats a dictionary.
struct Members: Sendable {
    private(set) var voterCount = 0
    var all: [Progress] = []

    /// How many voters decide; of no voters, one that does not exist.
    var quorum: Int { voterCount / 2 + 1 }
    var ids: [MemberID] { all.map(\.id) }

    init(_ ids: [MemberID], next: UInt64) {
        for id in ids where id != .none { add(id, isVoter: true, next: next) }
    }

    func position(of id: MemberID) -> Int? {
        for i in all.indices where all[i].id == id { return i }
        return nil
    }

    func isVoter(_ id: MemberID) -> Bool { position(of: id).map { all[$0].isVoter } ?? false }

    /// Adds a member, or makes one that did not vote a voter.
    mutating func add(_ id: MemberID, isVoter: Bool, next: UInt64) {
        if let known = position(of: id) {
            guard isVoter, !all[known].isVoter else { return }
            all[known].isVoter = true
        } else {
            var progress = Progress(id: id, isVoter: isVoter)
            progress.next = next
            // Else the next check of the quorum would count it as dead before it had a chance.
            progress.isRecentlyActive = true
            all.insert(progress, at: all.firstIndex { $0.id > id } ?? all.endIndex)
        }
        voterCount += isVoter ? 1 : 0
        assert(voterCount == all.count { $0.isVoter })
    }

    mutating func remove(_ id: MemberID) {
        guard let position = position(of: id) else { return }
        voterCount -= all[position].isVoter ? 1 : 0
        all.remove(at: position)
        assert(voterCount == all.count { $0.isVoter })
    }

    /// The greatest value that a quorum of voters has reached; 0 without voters.
    ///
    /// Quadratic in the number of members and free of allocation: for the few there are, faster
    /// than a sort.
    func quorumValue(of value: (borrowing Progress) -> UInt64) -> UInt64 {
        var best: UInt64 = 0
        for i in all.indices where all[i].isVoter {
            let candidate = value(all[i])
            guard candidate > best else { continue }
            var reached = 0
            for j in all.indices where all[j].isVoter && value(all[j]) >= candidate { reached += 1 }
            if reached >= quorum { best = candidate }
        }
        return best
    }

    func votes(_ vote: Progress.Vote) -> Int {
        var count = 0
        for i in all.indices where all[i].isVoter && all[i].vote == vote { count += 1 }
        return count
    }

    mutating func clearVotes() {
        for i in all.indices { all[i].vote = .none }
    }

    /// Whether a quorum of voters, `id` always among them, answered since the last call.
    mutating func takeQuorumActivity(of id: MemberID) -> Bool {
        var active = 0
        for i in all.indices {
            if all[i].isVoter, all[i].isRecentlyActive || all[i].id == id { active += 1 }
            all[i].isRecentlyActive = false
        }
        return active >= quorum
    }
}
