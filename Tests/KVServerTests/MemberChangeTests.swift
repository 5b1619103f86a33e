import Cluster
import KVServer
import RaftModel
import State
import Testing

/// Conf changes of clients, from request to answer.
@Suite struct MemberChangeTests {
    private func started(
        size: Int, isStrict: Bool = false
    ) throws -> (EngineCluster, leader: Int) {
        let cluster = EngineCluster(size: size) { $0.refusesUnsafeReconfiguration = isStrict }
        try #require(cluster.tick(until: { cluster.leader != nil }))
        try #require(
            cluster.tick(until: {
                cluster.members.indices.allSatisfy { member in
                    cluster[member].clusterVersion != nil
                        && cluster[member].membership.members.allSatisfy {
                            !$0.clientURLs.isEmpty
                        }
                }
            }))
        return (cluster, try #require(cluster.leader))
    }

    private func addition(_ id: UInt64, _ url: String) -> ConfChange {
        let member = Member(id: MemberID(id), peerURLs: [url])
        return ConfChange(kind: .add, member: member.id, context: MemberJSON.context(member))
    }

    private func propose(_ change: ConfChange, on i: Int, _ cluster: EngineCluster) -> Ticket {
        let ticket = cluster.nextTicket()
        cluster[i].propose(change, ticket: ticket)
        return ticket
    }

    @Test func anyMemberTakesThemAndAnswersWhenTheyAreApplied() throws {
        let (cluster, leader) = try started(size: 3)
        for (n, i) in cluster.members.indices.enumerated() {
            let new = addition(UInt64(90 + n), "http://new:\(n)")
            let added = propose(new, on: i, cluster)
            #expect(cluster.tick(until: { cluster.effect(added, on: i) != nil }))
            #expect(
                cluster.effect(added, on: i).map { if case .added = $0 { true } else { false } }
                    == true)
            let removed = propose(ConfChange(kind: .remove, member: new.member), on: i, cluster)
            #expect(cluster.tick(until: { cluster.effect(removed, on: i) != nil }))
            #expect(cluster.effect(removed, on: i) == .removed(new.member))
        }
        cluster.tick()
        for i in cluster.members.indices {
            #expect(cluster[i].membership == cluster[leader].membership)
            #expect(cluster[i].membership.ids == cluster.ids)
        }
    }

    @Test func whatIsNotAllowedIsSaid() throws {
        let (cluster, leader) = try started(size: 3)
        let taken = propose(addition(90, "http://127.0.0.1:2381"), on: leader, cluster)
        #expect(cluster.tick(until: { cluster.fault(taken, on: leader) != nil }))
        #expect(
            cluster.fault(taken, on: leader)
                == .membership(MembershipError(.peerURLExists, MemberID(90))))
        let unknown = propose(ConfChange(kind: .remove, member: MemberID(77)), on: leader, cluster)
        #expect(cluster.tick(until: { cluster.fault(unknown, on: leader) != nil }))
        #expect(
            cluster.fault(unknown, on: leader)
                == .membership(MembershipError(.idNotFound, MemberID(77))))
    }

    /// Raft takes one at a time; each of these comes to its end all the same.
    @Test func manyAtOnceOnAllMembersAreAllAnswered() throws {
        let (cluster, _) = try started(size: 3)
        var waiting: [(Ticket, Int)] = []
        for n in 0..<9 {
            let change = addition(UInt64(90 + n), "http://new:\(n)")
            waiting.append((propose(change, on: n % 3, cluster), n % 3))
            let removal = ConfChange(kind: .remove, member: change.member)
            waiting.append((propose(removal, on: n % 3, cluster), n % 3))
        }
        #expect(
            cluster.tick(
                until: { waiting.allSatisfy { cluster.effect($0, on: $1) != nil } }, limit: 69))
        #expect(cluster[0].membership.ids == cluster.ids)
        #expect(cluster[0].membership.removed.count == 9)
    }

    @Test func withoutAQuorumTheyTimeOut() throws {
        let (cluster, leader) = try started(size: 3)
        cluster.cutOff = [leader]
        let lost = propose(addition(90, "http://new:1"), on: leader, cluster)
        let behind = propose(addition(91, "http://new:2"), on: leader, cluster)
        #expect(!cluster.tick(until: { cluster.fault(lost, on: leader) != nil }, limit: 69))
        #expect(cluster.tick(until: { cluster.fault(behind, on: leader) != nil }, limit: 3))
        for ticket in [lost, behind] {
            guard case .refused = cluster.fault(ticket, on: leader) else {
                Issue.record(
                    "not refused: \(String(describing: cluster.fault(ticket, on: leader)))")
                continue
            }
        }
    }

    @Test func theStrictCheckRefusesAtOnce() throws {
        let (cluster, leader) = try started(size: 2, isStrict: true)
        // Else they are newcomers first, which cost no quorum.
        for i in cluster.members.indices { cluster[i].setAllMembersAreKvd(false) }
        let first = propose(addition(90, "http://new:1"), on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(first, on: leader) != nil }))
        let second = propose(addition(91, "http://new:2"), on: leader, cluster)
        cluster.settle()
        #expect(cluster.fault(second, on: leader) == .tooFewStarted)
    }

    /// The word that the removal is committed gets lost; the removed leader says it again.
    @Test func aRemovedLeaderTellsTheOthers() throws {
        let (cluster, leader) = try started(size: 2)
        let other = 1 - leader
        cluster.stalledDisks = [leader]
        let own = ConfChange(kind: .remove, member: cluster.ids[leader])
        let ticket = propose(own, on: leader, cluster)
        cluster.settle()
        cluster.cutOff = [other]
        cluster.stalledDisks = []
        cluster.settle()
        try #require(cluster.effect(ticket, on: leader) == .removed(cluster.ids[leader]))
        try #require(cluster[other].membership.ids == cluster.ids, "it does not know yet")
        cluster.cutOff = []
        for _ in 0..<5 { cluster.tick() }
        #expect(cluster[other].membership.ids == [cluster.ids[other]])
        cluster.crash(leader)
        #expect(cluster.tick(until: { cluster[other].isLeader }))
    }

    @Test func theLastThatAMemberSaysIsThatItIsRemoved() throws {
        let (cluster, leader) = try started(size: 3)
        let own = ConfChange(kind: .remove, member: cluster.ids[leader])
        let ticket = propose(own, on: leader, cluster)
        #expect(cluster.tick(until: { cluster.effect(ticket, on: leader) != nil }))
        #expect(cluster.members[leader].stop == .removedFromCluster)
        cluster.crash(leader)
        let other = (leader + 1) % 3
        #expect(cluster.tick(until: { cluster.leader.map { $0 != leader } == true }))
        let write = cluster.put("/k", "v", on: other)
        #expect(cluster.tick(until: { cluster.answer(write, on: other)?.isApplied == true }))
        #expect(cluster[other].membership.removed == [cluster.ids[leader]])
    }
}

extension EngineCluster {
    private func change(
        _ ticket: Ticket, on i: Int
    ) -> Result<Membership.Effect, MemberChangeFault>? {
        guard case .memberChange(_, let result)? = answer(ticket, on: i) else { return nil }
        return result
    }

    func effect(_ ticket: Ticket, on i: Int) -> Membership.Effect? {
        try? change(ticket, on: i)?.get()
    }

    func fault(_ ticket: Ticket, on i: Int) -> MemberChangeFault? {
        guard case .failure(let fault)? = change(ticket, on: i) else { return nil }
        return fault
    }
}
