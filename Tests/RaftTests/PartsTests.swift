import RaftModel
import Testing

@testable import Raft

/// The parts below `Raft`, and what files of commands cannot say.
@Suite struct PartsTests {
    // MARK: Members

    /// The commit rule, against sorting.
    @Test func quorumValueIsTheMedian() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<2000 {
            let voters = 1 + random.below(9)
            let learners = random.below(3)
            var members = Members([], next: 1)
            for id in 1...UInt64(voters + learners) {
                members.add(MemberID(id), isVoter: id <= voters, next: 1)
                members.all[Int(id) - 1].match = UInt64(random.below(6))
            }
            let sorted = members.all[..<voters].map(\.match).sorted(by: >)
            #expect(members.quorumValue { $0.match } == sorted[voters / 2])
        }
    }

    @Test func membersAreInOrderAndOnce() {
        var members = Members([5, 1, 3, 1, .none], next: 1)
        members.add(4, isVoter: false, next: 7)
        members.add(4, isVoter: false, next: 9)
        #expect(members.ids == [1, 3, 4, 5] && members.voterCount == 3)
        members.remove(3)
        members.remove(3)
        #expect(members.ids == [1, 4, 5] && members.voterCount == 2)
        #expect(members.all[1].next == 7 && members.position(of: 9) == nil)
    }

    // MARK: The log

    @Test func slicesAreBoundedAndNeverEmpty() {
        let entries = (1...10).map {
            Entry(term: 1, index: $0, data: Array(repeating: 0, count: 68))
        }
        var log = RaftLog(offset: 0, term: 0, entries: entries)
        #expect(log.slice(from: 1, through: 10, bytesMax: 1).entries.map(\.index) == [1])
        #expect(log.slice(from: 3, through: 10, bytesMax: 300).entries.map(\.index) == [3, 4, 5])
        #expect(log.slice(from: 3, through: 10, bytesMax: 299).entries.map(\.index) == [3, 4])
        #expect(log.slice(from: 9, through: 9, bytesMax: .max).entries.map(\.index) == [9])
        #expect(log.slice(from: 11, through: 10, bytesMax: .max).entries.isEmpty)
        #expect(log.slice(from: 2, through: 10, bytesMax: .max) == (Array(entries[1...]), 900))
    }

    /// The remembered slice must not outlive what it was cut from.
    @Test func slicesFollowTheLog() {
        var log = RaftLog(offset: 0, term: 0, entries: [])
        log.append((1...4).map { Entry(term: 1, index: $0) })
        #expect(log.takeUnemitted().count == 4)
        log.truncate(from: 3)
        #expect(log.emitted == 2 && log.lastIndex == 2)
        log.append([Entry(term: 2, index: 3), Entry(term: 2, index: 4)])
        #expect(log.slice(from: 1, through: 4, bytesMax: .max).entries.map(\.term) == [1, 1, 2, 2])
        #expect(log.takeUnemitted().map(\.term) == [2, 2])
        log.compact(through: 3)
        #expect(log.term(at: 3) == 2 && log.term(at: 2) == nil && log.firstIndex == 4)
        #expect(log.slice(from: 4, through: 4, bytesMax: .max).entries.map(\.index) == [4])
        log.restart(after: SnapshotMetadata(index: 9, term: 3))
        #expect(log.lastIndex == 9 && log.lastTerm == 3 && log.takeUnemitted().isEmpty)
    }

    /// Only whole pieces of what was applied and is out; reading shows no difference.
    @Test func appliedEntriesArePacked() {
        let size = UInt64(EntryChunks.chunkEntries)
        let entries = (1...size * 4).map { Entry(term: $0 / 700, index: $0, data: [1, 2, 3]) }
        var log = RaftLog(offset: 0, term: 0, entries: [])
        log.append(entries)
        log.tick(applied: size * 4)
        #expect(log.packedIndex == 0)
        _ = log.takeUnemitted()
        log.applied(through: size - 1)
        #expect(log.packedIndex == 0)
        log.applied(through: size * 3 + 1)
        #expect(log.packedIndex == size)
        log.tick(applied: size * 3 + 1)
        #expect(log.packedIndex == size * 3)
        #expect(log.slice(from: 1, through: size * 4, bytesMax: .max).entries == entries)
        #expect(log.slice(from: 2, through: size * 4, bytesMax: 100).entries.count == 2)
        log.compact(through: size + 5)
        #expect(log.packedIndex == size * 3 && log.term(at: size + 6) == (size + 6) / 700)
        log.truncate(from: size * 3 + 1)
        #expect(log.lastIndex == size * 3 && log.lastTerm == size * 3 / 700)
    }

    /// The place to probe next, against looking at every entry.
    @Test func backtrackingFindsTheBorder() {
        var random = SplitMix64(seed: 6)
        for _ in 0..<500 {
            let offset = UInt64(random.below(4))
            var (terms, entries) = ([UInt64(random.below(2))], [Entry]())
            for index in 0..<UInt64(random.below(8)) {
                terms.append((terms.last ?? 0) + UInt64(random.below(2)))
                entries.append(Entry(term: terms.last ?? 0, index: offset + index + 1))
            }
            let log = RaftLog(offset: offset, term: terms[0], entries: entries)
            for term in 0...6 as ClosedRange<UInt64> {
                for index in 0...12 as ClosedRange<UInt64> {
                    let last = min(index, log.lastIndex)
                    let expected =
                        last < offset
                        ? nil
                        : (offset...last).last { terms[Int($0 - offset)] <= term }
                    #expect(
                        log.lastIndex(ofTermUpTo: term, atOrBefore: index) == expected ?? offset)
                }
            }
        }
    }

    // MARK: Limits

    /// Nothing a peer can send makes a member trap, in any role.
    @Test(arguments: [Raft.Role.follower, .candidate, .leader])
    func hostileMessagesNeverTrap(_ role: Raft.Role) {
        var random = SplitMix64(seed: 7)
        let numbers: [UInt64] = [0, 1, 2, 3, 4, .max - 1, .max]
        for round in 0..<400 {
            var raft = Raft.of(3, as: role)
            if round % 2 == 0 { raft.setFeatures(.kvd) }
            for _ in 0..<30 {
                var message = Message(random.pick(Message.Kind.allCases))
                (message.to, message.from) = (
                    random.pick([0, 1, 1, 1, 2]), random.pick([0, 1, 2, 2, 3, 9])
                )
                message.term = random.pick([0, 1, 1, 1, 2, 3, .max])
                (message.logTerm, message.index) = (random.pick(numbers), random.pick(numbers))
                (message.commit, message.rejectHint) = (random.pick(numbers), random.pick(numbers))
                message.reject = random.chance(percent: 30)
                if random.chance(percent: 50) {
                    message.context = Raft.bytes(of: random.pick(numbers))
                }
                for offset in 0..<UInt64(random.below(4)) {
                    let isGood = random.chance(percent: 80)
                    message.entries.append(
                        Entry(
                            kind: random.pick([.normal, .confChange]),
                            term: random.pick([1, 1, 2, .max]),
                            index: isGood ? message.index &+ 1 &+ offset : random.pick(numbers)))
                }
                if random.chance(percent: 30) {
                    message.snapshot = Snapshot(
                        metadata: SnapshotMetadata(
                            confState: ConfState(members: [0, 1, 1, 9]),
                            index: random.pick(numbers), term: random.pick(numbers)))
                }
                raft.step(message)
                raft.settle()
                raft.tick()
            }
        }
    }

    /// A message for another member is none of this one's business.
    @Test func misdirectedMessagesAreDropped() {
        var raft = Raft.of(3, as: .follower)
        raft.step(Message(.heartbeat, to: 2, from: 3, term: 9))
        #expect(raft.term == 0 && raft.takeReady()?.messages == [])
    }

    @Test func aLeaderAsksForNothingWhenIdle() {
        var raft = Raft.of(3, as: .leader)
        #expect(raft.takeReady() == nil)
        raft.step(Message(.heartbeatResponse, to: 1, from: 2, term: 1))
        #expect(raft.takeReady() == nil)
    }

    @Test func theFirstElectionMayBeFastForwarded() {
        var raft = Raft.of(1, log: []) { $0.fastForwardsFirstElection = true }
        for _ in 0..<11 { raft.tick() }
        raft.settle()
        #expect(raft.isLeader)
    }

    @Test func committedEntriesComeInBoundedPortions() {
        var raft = Raft.of(1, as: .leader) { $0.committedBytesMax = 100 }
        try? raft.propose((0..<7).map { Entry(data: [UInt8($0)]) })
        let batch = raft.takeReady()?.persist
        raft.persisted(through: batch?.sequence ?? 0)
        var portions: [Int] = []
        while let ready = raft.takeReady() { portions.append(ready.committed.count) }
        #expect(portions == [3, 3, 1])
    }

    @Test func everyRefusalSaysWhatToDo() {
        let proposals: [ProposalError] = [
            .noLeader(term: 3), .transferring(to: 2), .tooMuchUncommitted(bytes: 9, limit: 8),
        ]
        #expect(proposals.allSatisfy { "\($0)".contains(". Propose again") })
        let transfers: [TransferError] = [
            .notLeader(leader: .none), .notLeader(leader: 2), .notAVoter(9), .alreadyLeader,
            .unsupported,
        ]
        #expect(transfers.allSatisfy { "\($0)".contains(". ") })
    }
}
