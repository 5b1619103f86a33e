import Cluster
import KVServer
import KeyStore
import RaftModel
import Testing

@Suite struct EngineTests {
    private func started(size: Int) throws -> (EngineCluster, leader: Int) {
        let cluster = EngineCluster(size: size)
        try #require(cluster.tick(until: { cluster.leader != nil }))
        try #require(
            cluster.tick(until: {
                cluster.members.indices.allSatisfy {
                    cluster[$0].clusterVersion != nil
                        && cluster[$0].membership.members.allSatisfy { !$0.clientURLs.isEmpty }
                }
            }))
        return (cluster, try #require(cluster.leader))
    }

    @Test(arguments: [1, 3, 5]) func aWriteOnAnyMemberReachesAll(size: Int) throws {
        let (cluster, _) = try started(size: size)
        for i in 0..<size {
            let ticket = cluster.put("/k\(i)", "v\(i)", on: i)
            cluster.settle()
            #expect(cluster.answer(ticket, on: i)?.isApplied == true)
        }
        cluster.tick()
        for i in 0..<size {
            for reader in 0..<size { #expect(cluster.value(of: "/k\(i)", on: reader) == "v\(i)") }
        }
    }

    @Test func aFreshClusterOfThreeStandsWhereEtcdsDoes() throws {
        let (cluster, leader) = try started(size: 3)
        // Member and published name each, and the version: the first user key gets 8.
        #expect(cluster[leader].store.currentIndex == 7)
        #expect(cluster[leader].clusterVersion == SemanticVersion(2, 3))
    }

    @Test func nothingIsAcknowledgedBeforeTheDiskHasIt() throws {
        let (cluster, leader) = try started(size: 1)
        cluster.stalledDisks = [0]
        let ticket = cluster.put("/k", "v", on: leader)
        cluster.settle()
        #expect(cluster.answer(ticket, on: 0) == nil)
        #expect(cluster.value(of: "/k", on: 0) == nil, "nor is it shown")
        cluster.stalledDisks = []
        cluster.settle()
        #expect(cluster.answer(ticket, on: 0)?.isApplied == true)
    }

    @Test func whatIsAskedAfterTheLeadersDeathIsDoneByTheNextOne() throws {
        let (cluster, leader) = try started(size: 3)
        cluster.crash(leader)
        let asked = (leader + 1) % 3
        // Its connections have ended; that it leads no more is known after an election timeout only.
        cluster[asked].reportUnreachable(cluster.ids[leader])
        let ticket = cluster.put("/k", "v", on: asked)
        cluster.settle()
        #expect(cluster[asked].leader == cluster.ids[leader])
        #expect(cluster.tick(until: { cluster.answer(ticket, on: asked)?.isApplied == true }))
    }

    /// Something was lost on the way to it, once; it leads on.
    @Test func aLeaderThatIsHeardAgainIsAskedAgain() throws {
        let (cluster, leader) = try started(size: 3)
        let asked = (leader + 1) % 3
        cluster[asked].reportUnreachable(cluster.ids[leader])
        let ticket = cluster.put("/k", "v", on: asked)
        cluster.settle()
        #expect(cluster.answer(ticket, on: asked) == nil)
        cluster.tick()
        #expect(cluster.answer(ticket, on: asked)?.isApplied == true)
        #expect(cluster.leader == leader)
    }

    @Test func twoFollowersCommitWhileTheLeadersDiskIsSlow() throws {
        let (cluster, leader) = try started(size: 3)
        cluster.stalledDisks = [leader]
        let ticket = cluster.put("/k", "v", on: leader)
        cluster.settle()
        #expect(cluster[leader].commitIndex > cluster[leader].appliedIndex)
        #expect(cluster.answer(ticket, on: leader) == nil, "not durable on the one that answers")
        cluster.stalledDisks = []
        cluster.settle()
        #expect(cluster.answer(ticket, on: leader)?.isApplied == true)
    }

    @Test func withoutAQuorumWritesTimeOutAndSayWhy() throws {
        let (cluster, leader) = try started(size: 3)
        cluster.cutOff = [leader]
        let ticket = cluster.put("/k", "v", on: leader)
        // 5 s and two election timeouts, at 10 ticks a second.
        #expect(!cluster.tick(until: { cluster.answer(ticket, on: leader) != nil }, limit: 69))
        #expect(cluster.tick(until: { cluster.answer(ticket, on: leader) != nil }, limit: 3))
        #expect(cluster.answer(ticket, on: leader)?.refusal != nil)
    }

    @Test func aWriteThatComesDuringAnElectionWaitsForTheLeader() throws {
        let (cluster, leader) = try started(size: 3)
        cluster.crash(leader)
        let survivor = (leader + 1) % 3
        try #require(cluster.tick(until: { cluster[survivor].leader == .none }))
        let ticket = cluster.put("/k", "v", on: survivor)
        #expect(cluster.tick(until: { cluster.answer(ticket, on: survivor)?.isApplied == true }))
    }

    // MARK: Reads

    @Test func aLinearizableReadOnAFollowerSeesWhatWasAcknowledgedElsewhere() throws {
        let (cluster, leader) = try started(size: 3)
        let follower = (leader + 1) % 3
        _ = cluster.put("/k", "v", on: leader)
        cluster.settle()
        let read = cluster.readLinearizably(on: follower)
        cluster.settle()
        #expect(cluster.answer(read, on: follower)?.isReadable == true)
        #expect(cluster.value(of: "/k", on: follower) == "v")
    }

    @Test func aDeposedLeaderServesNoLinearizableRead() throws {
        let (cluster, old) = try started(size: 3)
        cluster.cutOff = [old]
        let read = cluster.readLinearizably(on: old)
        cluster.settle()
        #expect(cluster.answer(read, on: old) == nil, "no quorum has confirmed that it leads")
        let isReplaced = cluster.tick(until: {
            cluster.members.indices.contains { $0 != old && cluster[$0].isLeader }
        })
        #expect(isReplaced)
        let new = try #require(cluster.members.indices.first { $0 != old && cluster[$0].isLeader })
        _ = cluster.put("/k", "new", on: new)
        cluster.settle()
        cluster.cutOff = []
        #expect(cluster.tick(until: { cluster.answer(read, on: old) != nil }))
        if cluster.answer(read, on: old)?.isReadable == true {
            #expect(cluster.value(of: "/k", on: old) == "new", "it waited until it knew")
        }
    }

    @Test func readsOfAMemberWithoutALeaderTimeOut() throws {
        let (cluster, leader) = try started(size: 3)
        let alone = (leader + 1) % 3
        cluster.cutOff = [alone]
        let read = cluster.readLinearizably(on: alone)
        #expect(cluster.tick(until: { cluster.answer(read, on: alone) != nil }))
        #expect(cluster.answer(read, on: alone)?.refusal != nil)
    }

    @Test(arguments: [true, false]) func aRestartShowsNothingOlderThanBefore(
        remembersMark: Bool
    ) throws {
        let (cluster, leader) = try started(size: 3)
        let member = (leader + 1) % 3
        _ = cluster.put("/k", "v", on: leader)
        cluster.settle()
        cluster.tick()
        try #require(cluster.value(of: "/k", on: member) == "v")
        // A commit index alone is not synced: the disk may know of an older one.
        cluster.crash(member)
        cluster.forgetCommit(of: member)
        cluster.restart(member, remembersMark: remembersMark)
        cluster.cutOff = [member]
        cluster.settle()
        #expect(cluster.value(of: "/k", on: member) == nil, "replay has not come that far")
        #expect(!cluster[member].isReadable, "so plain reads must wait")
        // (kvd-sim, profile crashes, seed 3: noted after a power loss, an index below what had been
        // shown before was believed by the start that followed.)
        #expect(cluster[member].shownIndex == nil, "and the mark keeps what it says")
        let read = cluster.nextTicket()
        cluster[member].whenReadable(ticket: read)
        cluster.cutOff = []
        #expect(cluster.tick(until: { cluster.answer(read, on: member)?.isReadable == true }))
        #expect(cluster.value(of: "/k", on: member) == "v")
    }

    // MARK: TTLs

    @Test(arguments: [-86_400, 86_400]) func aWallClockThatStepsADayExpiresNothingEarly(
        stepSeconds: Int64
    ) throws {
        let (cluster, leader) = try started(size: 3)
        try #require(cluster.tick(until: { cluster[leader].lastSyncTime != nil }))
        let ticket = cluster.put("/k", "v", on: leader, ttlSeconds: 5)
        cluster.settle()
        try #require(cluster.answer(ticket, on: leader)?.isApplied == true)
        cluster.wall += stepSeconds * 1_000_000_000
        for _ in 0..<48 { cluster.tick() }
        #expect(cluster.value(of: "/k", on: leader) == "v", "4.8 s have passed")
        #expect(cluster.tick(until: { cluster.value(of: "/k", on: leader) == nil }, limit: 10))
    }

    @Test func aChangeOfLeaderShortensNoTTL() throws {
        let (cluster, old) = try started(size: 3)
        try #require(cluster.tick(until: { cluster[old].lastSyncTime != nil }))
        let ticket = cluster.put("/k", "v", on: old, ttlSeconds: 10)
        cluster.settle()
        try #require(cluster.answer(ticket, on: old)?.isApplied == true)
        let start = cluster.monotonic
        cluster.crash(old)
        try #require(cluster.tick(until: { cluster.leader != nil }))
        let new = try #require(cluster.leader)
        #expect(cluster.tick(until: { cluster.value(of: "/k", on: new) == nil }))
        #expect(cluster.monotonic - start >= 10_000_000_000)
    }

    // MARK: Bounds

    @Test func moreWaitingClientsThanAllowedAreRefusedAtOnce() throws {
        let (cluster, leader) = try started(size: 1)
        cluster.stalledDisks = [0]
        let limit = cluster[leader].configuration.pendingMax
        let tickets = (0...limit).map { cluster.put("/k", "\($0)", on: leader) }
        cluster.settle()
        #expect(
            cluster.answer(tickets[limit], on: 0)?.refusal == .tooManyRequests(limit: limit))
        #expect(cluster.answer(tickets[limit - 1], on: 0) == nil)
        cluster.stalledDisks = []
        cluster.settle()
        #expect(cluster.answer(tickets[limit - 1], on: 0)?.isApplied == true)
    }
}

extension EngineCluster {
    /// The hard state on the disk goes back to what was committed at the start.
    func forgetCommit(of i: Int) { setCommit(of: i, to: UInt64(ids.count)) }
}
