public import RaftModel

@testable import Raft

extension MemberID: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt64) { self.init(value) }
}

/// What came out of a member whose disk is always done at once.
struct Settled {
    var messages: [Message] = []
    var persisted: [Entry] = []
    var committed: [Entry] = []
    var readStates: [Raft.ReadState] = []
}

extension Raft {
    /// Member 1 of so many voters, in a role of term 1, without pre-vote and leases.
    ///
    /// A leader has its first entry on a majority.
    static func of(
        _ voters: Int, as role: Role, configure: (inout Configuration) -> Void = { _ in }
    ) -> Raft {
        var raft = Raft.of(voters, log: [], configure: configure)
        guard role != .follower else { return raft }
        raft.campaign()
        guard role == .leader else { return raft }
        raft.settle()
        for voter in 2..<UInt64(voters) + 1 {
            raft.step(
                Message(.voteResponse, to: 1, from: MemberID(voter), term: raft.term))
        }
        raft.settle()
        for voter in 2..<UInt64(voters) + 1 {
            raft.step(
                Message(.appendResponse, to: 1, from: MemberID(voter), term: raft.term, index: 1))
        }
        raft.settle()
        precondition(raft.role == role && raft.commitIndex == 1)
        return raft
    }

    /// Member 1 of so many voters, restarted with entries of these terms.
    static func of(
        _ voters: Int, log: [UInt64], configure: (inout Configuration) -> Void = { _ in }
    ) -> Raft {
        var configuration = Configuration(id: 1, electionTicks: 10, seed: 1)
        configuration.features.preVote = false
        configuration.features.checkQuorum = false
        configure(&configuration)
        let members = (1...UInt64(voters)).map { MemberID($0) }
        let entries = log.enumerated().map { Entry(term: $1, index: UInt64($0) + 1) }
        return Raft(
            configuration,
            restored: RestoredState(
                hardState: HardState(term: log.last ?? 0),
                snapshot: SnapshotMetadata(confState: ConfState(members: members)),
                entries: entries))
    }

    /// Takes everything out, with a disk that is done at once.
    @discardableResult
    mutating func settle() -> Settled {
        var all = Settled()
        while let ready = takeReady() {
            all.messages += ready.messages
            all.committed += ready.committed
            all.readStates += ready.readStates
            if let last = ready.committed.last { applied(through: last.index) }
            guard let batch = ready.persist else { continue }
            all.persisted += batch.entries
            persisted(through: batch.sequence)
        }
        return all
    }
}
