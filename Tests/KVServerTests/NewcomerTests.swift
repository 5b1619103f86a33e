import Cluster
import KVServer
import RaftModel
import State
import Testing

/// Members that do not vote yet, from the request that adds them to the conf change that counts.
@Suite struct NewcomerTests {
    private func started(
        size: Int, snapshotEvery count: UInt64 = 10_000
    ) throws -> (EngineCluster, leader: Int) {
        let cluster = EngineCluster(size: size) {
            $0.snapshotEntryCount = count
            $0.refusesUnsafeReconfiguration = true
        }
        try #require(cluster.tick(until: { cluster.leader != nil }))
        try #require(
            cluster.tick(until: {
                cluster.members.indices.allSatisfy { cluster[$0].isPublished }
            }))
        return (cluster, try #require(cluster.leader))
    }

    private func add(
        _ id: MemberID, _ url: String, on i: Int, _ cluster: EngineCluster
    ) -> Ticket {
        let member = Member(id: id, peerURLs: [url])
        return propose(
            ConfChange(kind: .add, member: id, context: MemberJSON.context(member)), on: i, cluster)
    }

    private func propose(
        _ change: ConfChange, isForced: Bool = false, on i: Int, _ cluster: EngineCluster
    ) -> Ticket {
        let ticket = cluster.nextTicket()
        cluster[i].propose(change, isForced: isForced, ticket: ticket)
        return ticket
    }

    private func writes(_ cluster: EngineCluster, on i: Int) -> Bool {
        let ticket = cluster.put("/k", "v", on: i)
        return cluster.tick(
            until: { cluster.answer(ticket, on: i)?.isApplied == true }, limit: 30)
    }

    @Test func oneThatWasNeverSeenCostsNoQuorum() throws {
        let (cluster, _) = try started(size: 1)
        let id = MemberID(2)
        let added = add(id, "http://new:1", on: 0, cluster)
        #expect(cluster.tick(until: { cluster.effect(added, on: 0) != nil }))
        #expect(
            cluster.effect(added, on: 0) == .added(Member(id: id, peerURLs: ["http://new:1"])))
        #expect(cluster[0].membership.listed.map(\.id) == [MemberID(1), id])
        #expect(cluster[0].membership.ids == [MemberID(1)])
        #expect(writes(cluster, on: 0))
    }

    @Test func itVotesWhenItHasTheLog() throws {
        let (cluster, _) = try started(size: 1)
        _ = writes(cluster, on: 0)
        let added = add(MemberID(2), "http://new:1", on: 0, cluster)
        #expect(cluster.tick(until: { cluster.effect(added, on: 0) != nil }))
        #expect(!cluster[0].membership.ids.contains(MemberID(2)))
        let id = cluster.join()
        #expect(
            cluster.tick(until: {
                (0...1).allSatisfy { cluster[$0].membership.ids == [MemberID(1), id] }
            }))
        #expect(cluster[0].membership.newcomers.isEmpty)
        #expect(cluster.tick(until: { cluster[1].isPublished && cluster[1].isReadable }))
        #expect(cluster.value(of: "/k", on: 1) == "v")
        // Two of two.
        cluster.crash(1)
        #expect(!writes(cluster, on: 0))
    }

    @Test(arguments: [true, false])
    func itIsKnownAfterARestart(fromSnapshot: Bool) throws {
        let (cluster, leader) = try started(size: 3, snapshotEvery: fromSnapshot ? 5 : 10_000)
        let kept = add(MemberID(90), "http://new:1", on: leader, cluster)
        let gone = add(MemberID(91), "http://new:2", on: leader, cluster)
        let removal = propose(ConfChange(kind: .remove, member: MemberID(91)), on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(removal, on: leader) != nil }))
        #expect(cluster.effect(gone, on: leader) != nil && cluster.effect(kept, on: leader) != nil)
        for _ in 0..<20 { #expect(writes(cluster, on: leader)) }
        let before = cluster[leader].membership
        #expect(before.newcomers.map(\.id) == [MemberID(90)])
        #expect(before.removed == [MemberID(91)])
        #expect((cluster.members[leader].snapshot != nil) == fromSnapshot)
        cluster.crash(leader)
        cluster.restart(leader)
        #expect(cluster.tick(until: { cluster[leader].membership == before }))
    }

    @Test func theSameURLTwiceIsRefusedAndOneIDIsUsedOnce() throws {
        let (cluster, leader) = try started(size: 3)
        let first = add(MemberID(90), "http://new:1", on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(first, on: leader) != nil }))
        cluster.tick()
        let other = (leader + 1) % 3
        let again = add(MemberID(91), "http://new:1", on: other, cluster)
        cluster.settle()
        #expect(
            cluster.fault(again, on: other)
                == .membership(MembershipError(.peerURLExists, MemberID(91))))
        let removal = propose(ConfChange(kind: .remove, member: MemberID(90)), on: other, cluster)
        #expect(cluster.tick(until: { cluster.effect(removal, on: other) != nil }))
        #expect(cluster.effect(removal, on: other) == .removed(MemberID(90)))
        let late = propose(ConfChange(kind: .remove, member: MemberID(90)), on: other, cluster)
        #expect(cluster.tick(until: { cluster.fault(late, on: other) != nil }))
        #expect(
            cluster.fault(late, on: other)
                == .membership(MembershipError(.idRemoved, MemberID(90))))
    }

    /// Two members take the same URL at once. Both newcomers run; the second one cannot vote, and goes.
    @Test func ofTwoWithOneURLOneBecomesAMember() throws {
        let (cluster, leader) = try started(size: 3)
        let other = (leader + 1) % 3
        let first = add(MemberID(4), "http://new:1", on: leader, cluster)
        let second = add(MemberID(5), "http://new:1", on: other, cluster)
        #expect(
            cluster.tick(until: {
                cluster.effect(first, on: leader) != nil && cluster.effect(second, on: other) != nil
            }))
        let both = [cluster.join(), cluster.join()]
        #expect(
            cluster.tick(until: {
                cluster[other].membership.newcomers.isEmpty
                    && cluster[other].membership.members.count == 4
            }))
        let membership = cluster[other].membership
        #expect(both.count { membership.removed.contains($0) } == 1)
        #expect(both.count { membership[$0] != nil } == 1)
    }

    @Test func itsURLsAreChanged() throws {
        let (cluster, leader) = try started(size: 3)
        let added = add(MemberID(90), "http://new:1", on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(added, on: leader) != nil }))
        let member = Member(id: MemberID(90), peerURLs: ["http://new:2"])
        let update = propose(
            ConfChange(kind: .update, member: member.id, context: MemberJSON.context(member)),
            on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(update, on: leader) != nil }))
        #expect(cluster[leader].membership.newcomers == [member])
    }

    @Test func oneThatRunsEndsWhenItIsRemoved() throws {
        let (cluster, leader) = try started(size: 3)
        let added = add(MemberID(4), "http://new:1", on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(added, on: leader) != nil }))
        _ = cluster.join()
        let removal = propose(ConfChange(kind: .remove, member: MemberID(4)), on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(removal, on: leader) != nil }))
        #expect(cluster[leader].membership.ids.count == 3)
    }

    /// An etcd 2.3 publishes itself before it is a member, and dies of applying that of anybody who is
    /// none. Whoever gets its proposal keeps it back.
    @Test(arguments: [true, false])
    func anEtcdThatPublishesItselfEarlyWaits(onLeader: Bool) throws {
        let (cluster, leader) = try started(size: 3)
        let id = MemberID(4)
        let added = add(id, "http://new:1", on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(added, on: leader) != nil }))
        let asked = onLeader ? leader : (leader + 1) % 3
        let path = StorePath.attributes(id)
        var attributes = Request(
            method: .put, path: Array(path.utf8), value: Array("{\"name\":\"e\"}".utf8))
        attributes.id = 0xe7cd
        let write = Request(method: .put, path: Array("/1/k".utf8), value: Array("v".utf8))
        cluster[asked].receive([
            Message(
                .propose, to: cluster.ids[asked], from: id,
                entries: [Entry(data: attributes.encoded()), Entry(data: write.encoded())])
        ])
        for _ in 0..<10 { cluster.tick() }
        #expect(cluster.value(of: "/k", on: leader) == "v")
        #expect(!cluster.members[leader].entries.contains { $0.data == attributes.encoded() })
        #expect(cluster.join() == id)
        #expect(cluster.tick(until: { cluster[leader].membership[id] != nil }))
        let entries = cluster.members[leader].entries
        #expect(
            cluster.tick(until: {
                cluster.members[leader].entries.contains { $0.data == attributes.encoded() }
            }))
        let change = try #require(entries.lastIndex { $0.kind == .confChange })
        let published = try #require(
            cluster.members[leader].entries.firstIndex { $0.data == attributes.encoded() })
        #expect(published > change)
    }

    /// A member that does not know of newcomers would not know a majority.
    @Test func whileSomeMemberIsNoKvdItIsAddedAtOnce() throws {
        let (cluster, leader) = try started(size: 3)
        for i in 0..<3 { cluster[i].setAllMembersAreKvd(false) }
        let added = add(MemberID(90), "http://new:1", on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(added, on: leader) != nil }))
        #expect(cluster[leader].membership.ids.contains(MemberID(90)))
    }

    @Test func aQuorumIsNotLeftToThoseThatCannotBeReached() throws {
        let (cluster, leader) = try started(size: 3)
        let (dead, live) = ((leader + 1) % 3, (leader + 2) % 3)
        let deadID = cluster.ids[dead]
        cluster.crash(dead)
        cluster[leader].isReachable = { $0 != deadID }
        let removal = ConfChange(kind: .remove, member: cluster.ids[live])
        let refused = propose(removal, on: leader, cluster)
        cluster.settle()
        let missing = try #require(cluster[leader].membership[deadID])
        #expect(cluster.fault(refused, on: leader) == .unreachable([missing], of: 2))
        // The dead one may go,
        let buried = propose(ConfChange(kind: .remove, member: deadID), on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(buried, on: leader) != nil }))
        // and then the living one as well.
        let forced = propose(removal, isForced: true, on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(forced, on: leader) != nil }))
    }
}
