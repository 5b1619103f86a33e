import RaftModel
import Testing

@testable import Raft

/// What the Raft paper says, section by section, on one member at a time (Ongaro, Ousterhout: "In
/// Search of an Understandable Consensus Algorithm", extended version).
@Suite struct PaperTests {
    // MARK: 5.1, terms

    @Test(arguments: [Raft.Role.follower, .candidate, .leader])
    func aHigherTermMakesAFollower(_ role: Raft.Role) {
        var raft = Raft.of(3, as: role)
        let term = raft.term
        raft.step(Message(.append, to: 1, from: 2, term: term + 3))
        #expect(raft.role == .follower && raft.term == term + 3 && raft.leader == 2)
    }

    @Test func aStaleRequestIsRejected() {
        var raft = Raft.of(3, as: .follower)
        raft.step(Message(.append, to: 1, from: 2, term: 5))
        raft.settle()
        raft.step(
            Message(.append, to: 1, from: 3, term: 4, entries: [Entry(term: 4, index: 1)]))
        #expect(raft.lastIndex == 0 && raft.leader == 2)
    }

    // MARK: 5.2, leader election

    @Test func membersStartAsFollowers() {
        let raft = Raft.of(3, as: .follower)
        #expect(raft.role == .follower && raft.leader == .none)
    }

    @Test func aLeaderSendsHeartbeatsAtItsInterval() {
        var raft = Raft.of(3, as: .leader) { $0.heartbeatTicks = 2 }
        raft.tick()
        #expect(raft.settle().messages.isEmpty)
        raft.tick()
        #expect(raft.settle().messages.map(\.kind) == [.heartbeat, .heartbeat])
    }

    @Test(arguments: [Raft.Role.follower, .candidate])
    func withoutALeaderItStandsForElection(_ role: Raft.Role) {
        var raft = Raft.of(3, as: role)
        let term = raft.term
        for _ in 0..<20 { raft.tick() }
        #expect(raft.role == .candidate && raft.term == term + 1 && raft.vote == 1)
        let requests = raft.settle().messages
        #expect(requests.map(\.kind) == [.vote, .vote] && requests.map(\.to) == [2, 3])
    }

    /// Of `voters`, so many grant and so many refuse.
    @Test(arguments: [
        (1, 0, 0, Raft.Role.leader), (3, 1, 0, .leader), (3, 0, 1, .candidate),
        (3, 0, 2, .follower), (3, 0, 0, .candidate), (5, 2, 0, .leader), (5, 4, 0, .leader),
        (5, 1, 2, .candidate), (5, 1, 3, .follower), (4, 1, 1, .candidate), (4, 2, 1, .leader),
    ])
    func aMajorityDecides(_ voters: Int, _ grants: Int, _ refusals: Int, _ role: Raft.Role) {
        var raft = Raft.of(voters, as: .follower)
        raft.campaign()
        raft.settle()
        for voter in 2..<UInt64(grants + refusals + 2) {
            raft.step(
                Message(
                    .voteResponse, to: 1, from: MemberID(voter), term: 1,
                    reject: voter >= UInt64(grants + 2)))
        }
        #expect(raft.role == role && raft.term == 1)
    }

    @Test func timeoutsAreSpread() {
        var counts: [Int: Int] = [:]
        for seed in 0..<1000 as Range<UInt64> {
            var jitter = ElectionJitter(seed: seed)
            counts[jitter.draw(electionTicks: 10), default: 0] += 1
        }
        #expect(counts.keys.sorted() == Array(11...20))
        #expect(counts.values.allSatisfy { (60...150).contains($0) })
    }

    // MARK: 5.3, log replication

    @Test func aLeaderAppendsAndSendsInParallel() throws {
        var raft = Raft.of(3, as: .leader)
        let last = raft.lastIndex
        try raft.propose(Array("a".utf8))
        let taken = raft.takeReady()
        let ready = try #require(taken)
        let entry = Entry(term: 1, index: last + 1, data: Array("a".utf8))
        #expect(ready.persist?.entries == [entry])
        #expect(ready.messages.map(\.kind) == [.append, .append])
        #expect(ready.messages.allSatisfy { $0.entries == [entry] && $0.index == last })
    }

    /// Of five, so many followers acknowledge.
    @Test(arguments: [(0, false), (1, false), (2, true), (3, true), (4, true)])
    func aMajorityCommits(_ acknowledgements: UInt64, _ isCommitted: Bool) throws {
        var raft = Raft.of(5, as: .leader)
        try raft.propose(Array("a".utf8))
        raft.settle()
        let index = raft.lastIndex
        for follower in 2..<acknowledgements + 2 {
            raft.step(
                Message(
                    .appendResponse, to: 1, from: MemberID(follower), term: raft.term,
                    index: index))
        }
        #expect((raft.commitIndex == index) == isCommitted)
        #expect(raft.settle().committed.map(\.index) == (isCommitted ? [index] : []))
    }

    @Test func aFollowerAppliesInOrderWhatTheLeaderCommitted() {
        var raft = Raft.of(3, as: .follower)
        let entries = (1...4).map { Entry(term: 1, index: $0, data: [UInt8($0)]) }
        raft.step(
            Message(.append, to: 1, from: 2, term: 1, entries: entries, commit: 2))
        #expect(raft.settle().committed == Array(entries[..<2]))
        raft.step(Message(.heartbeat, to: 1, from: 2, term: 1, commit: 4))
        #expect(raft.settle().committed == Array(entries[2...]))
    }

    /// The consistency check, on a follower with entries 1/1, 2/2.
    @Test(arguments: [
        (0, 0, true), (1, 1, true), (2, 2, true), (1, 2, false), (2, 1, false), (3, 3, false),
    ])
    func theEntryBeforeMustMatch(_ index: UInt64, _ logTerm: UInt64, _ matches: Bool) {
        var raft = Raft.of(3, log: [1, 2])
        raft.step(
            Message(.append, to: 1, from: 2, term: 3, logTerm: logTerm, index: index))
        let answer = raft.settle().messages.last
        #expect(answer?.kind == .appendResponse && answer?.reject == !matches)
        #expect(answer?.index == index)
    }

    /// Conflicting entries and all that follow are deleted, others stay.
    @Test(arguments: [
        (2, 2, [3], [1, 2, 3]), (1, 1, [3, 4], [1, 3, 4]), (0, 0, [1], [1, 2]),
        (0, 0, [3], [3]), (0, 0, [1, 2], [1, 2]), (1, 1, [3], [1, 3]),
    ])
    func conflictsAreOverwritten(
        _ index: UInt64, _ logTerm: UInt64, _ terms: [UInt64], _ expected: [UInt64]
    ) {
        var raft = Raft.of(3, log: [1, 2])
        raft.step(
            Message(
                .append, to: 1, from: 2, term: 4, logTerm: logTerm, index: index,
                entries: terms.enumerated().map {
                    Entry(term: $1, index: index + UInt64($0) + 1)
                }))
        raft.settle()
        #expect((1...raft.lastIndex).map { raft.term(at: $0) } == expected)
    }

    // MARK: 5.4.1, election restriction

    /// A voter with entries of these terms, a candidate whose log ends so.
    @Test(arguments: [
        ([1], 1, 1, true), ([1], 2, 1, true), ([1, 1], 1, 1, false), ([1], 1, 2, true),
        ([1, 1], 1, 2, true), ([2], 1, 1, false), ([2], 2, 1, false), ([1, 1], 2, 1, true),
        ([], 0, 0, true),
    ])
    func aVoterRefusesALogThatIsBehind(
        _ log: [UInt64], _ index: UInt64, _ term: UInt64, _ granted: Bool
    ) {
        var raft = Raft.of(3, log: log)
        raft.step(
            Message(.vote, to: 1, from: 2, term: 5, logTerm: term, index: index))
        #expect(raft.settle().messages.map(\.reject) == [!granted])
        #expect(raft.vote == (granted ? 2 : .none))
    }

    // MARK: 5.4.2, entries of earlier terms

    @Test func onlyEntriesOfItsOwnTermAreCommittedByCounting() {
        var raft = Raft.of(3, log: [1, 2])
        raft.campaign()
        raft.settle()
        raft.step(Message(.voteResponse, to: 1, from: 2, term: raft.term))
        raft.settle()
        #expect(raft.role == .leader && raft.lastIndex == 3)
        raft.step(Message(.appendResponse, to: 1, from: 2, term: raft.term, index: 2))
        #expect(raft.commitIndex == 0)
        raft.step(Message(.appendResponse, to: 1, from: 2, term: raft.term, index: 3))
        #expect(raft.commitIndex == 3)
    }

    // MARK: 6, membership (one change at a time, as in Ongaro's thesis)

    @Test func majoritiesAreOfTheMembersApplied() {
        var raft = Raft.of(3, as: .leader)
        raft.applyConfChange(ConfChange(kind: .add, member: 4))
        raft.applyConfChange(ConfChange(kind: .add, member: 5))
        #expect(raft.confState.members == [1, 2, 3, 4, 5] && raft.members.quorum == 3)
        raft.applyConfChange(ConfChange(kind: .remove, member: 2))
        raft.applyConfChange(ConfChange(kind: .remove, member: 9))
        raft.applyConfChange(nil)
        #expect(raft.confState.members == [1, 3, 4, 5] && raft.members.quorum == 3)
        #expect(raft.isMember(4) && !raft.isMember(2))
    }

    /// A member that does not vote gets the log, and counts for nothing until it is a voter.
    @Test func learnersDoNotCount() throws {
        var raft = Raft.of(2, as: .leader)
        raft.addMember(7, isVoter: false)
        try raft.propose(Array("a".utf8))
        let messages = raft.settle().messages
        #expect(messages.filter { $0.to == 7 && $0.kind == .append }.count == 1)
        let index = raft.lastIndex
        raft.step(Message(.appendResponse, to: 1, from: 7, term: 1, index: index))
        #expect(raft.commitIndex < index && raft.members.quorum == 2)
        raft.applyConfChange(ConfChange(kind: .add, member: 7))
        #expect(raft.members.quorum == 2 && raft.members.isVoter(7))
        raft.step(Message(.heartbeatResponse, to: 1, from: 7, term: 1))
        raft.step(Message(.appendResponse, to: 1, from: 2, term: 1, index: index))
        #expect(raft.commitIndex == index)
    }

    // MARK: 7, log compaction

    @Test func aSnapshotReplacesTheLog() throws {
        var raft = Raft.of(3, log: [1, 1, 1])
        let metadata = SnapshotMetadata(
            confState: ConfState(members: [1, 2, 4]), index: 11, term: 2)
        let snapshot = Snapshot(data: [9], metadata: metadata)
        raft.step(Message(.snapshot, to: 1, from: 2, term: 3, snapshot: snapshot))
        let taken = raft.takeReady()
        let ready = try #require(taken)
        #expect(ready.persist?.snapshot == snapshot && ready.messages.isEmpty)
        #expect(raft.firstIndex == 12 && raft.lastIndex == 11 && raft.term(at: 11) == 2)
        #expect(raft.term(at: 3) == nil && raft.confState.members == [1, 2, 4])
        raft.persisted(through: try #require(ready.persist?.sequence))
        #expect(raft.appliedIndex == 11)
        #expect(raft.takeReady()?.messages.map(\.index) == [11])
    }

    // MARK: 8, clients

    @Test func aNewLeaderAppendsAnEmptyEntry() {
        var raft = Raft.of(3, as: .candidate)
        raft.settle()
        raft.step(Message(.voteResponse, to: 1, from: 3, term: raft.term))
        let entries = raft.settle().persisted
        #expect(entries == [Entry(term: raft.term, index: 1)])
    }

    @Test func aReadWaitsForAMajorityAndAnEntryOfTheTerm() {
        var raft = Raft.of(5, as: .leader)
        #expect(raft.readIndex(context: 77) == .asked)
        let round = raft.settle().messages
        #expect(round.map(\.kind) == [.heartbeat, .heartbeat, .heartbeat, .heartbeat])
        for follower in [MemberID(2), 2, 3] {
            #expect(raft.settle().readStates.isEmpty)
            raft.step(
                Message(
                    .heartbeatResponse, to: 1, from: follower, term: 1,
                    context: round[0].context))
        }
        #expect(raft.settle().readStates == [Raft.ReadState(context: 77, index: 1)])
    }
}
