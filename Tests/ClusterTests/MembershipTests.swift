import RaftModel
import Testing

@testable import Cluster

@Suite struct MembershipTests {
    private let a = Member(id: MemberID(1), peerURLs: ["http://a:1"], name: "a")
    private let b = Member(id: MemberID(2), peerURLs: ["http://b:1", "http://b:2"], name: "b")
    private let c = Member(id: MemberID(3), peerURLs: ["http://c:1"])

    private func change(_ kind: ConfChange.Kind, _ member: Member) -> ConfChange {
        let context = kind == .remove ? [] : MemberJSON.context(member)
        return ConfChange(id: 7, kind: kind, member: member.id, context: context)
    }

    private func code(
        _ membership: inout Membership, _ change: ConfChange
    ) -> MembershipError.Code? {
        do throws(MembershipError) {
            _ = try membership.apply(change)
            return nil
        } catch { return error.code }
    }

    @Test func additionsKeepTheOrderOfIDs() throws {
        var membership = Membership()
        for member in [b, c, a] {
            #expect(try membership.apply(change(.add, member)) == .added(member))
        }
        #expect(membership.members == [a, b, c])
        #expect(membership[MemberID(2)] == b)
        #expect(membership[MemberID(9)] == nil)
        #expect(membership.member(named: "b") == b)
    }

    @Test func refusedAdditionsChangeNothing() {
        var membership = Membership([a, b], removed: [MemberID(9)])
        let before = membership
        #expect(code(&membership, change(.add, a)) == .idExists)
        let gone = Member(id: MemberID(9), peerURLs: ["http://z:1"])
        #expect(code(&membership, change(.add, gone)) == .idRemoved)
        let clash = Member(id: MemberID(4), peerURLs: ["http://z:1", "http://b:2"])
        #expect(code(&membership, change(.add, clash)) == .peerURLExists)
        #expect(membership == before)
    }

    @Test func removalIsForGood() throws {
        var membership = Membership([a, b])
        #expect(try membership.apply(change(.remove, b)) == .removed(b.id))
        #expect(membership.members == [a])
        #expect(membership.removed == [b.id])
        #expect(code(&membership, change(.remove, b)) == .idRemoved)
        #expect(code(&membership, change(.add, b)) == .idRemoved)
        #expect(code(&membership, change(.update, b)) == .idRemoved)
        #expect(code(&membership, change(.remove, c)) == .idNotFound)
    }

    @Test func updatesChangePeerURLsOnly() throws {
        var membership = Membership([a, b])
        membership.publish(MemberAttributes(name: "b!", clientURLs: ["http://b:9"]), of: b.id)
        let moved = Member(id: b.id, peerURLs: ["http://b:2", "http://b:3"])
        let effect = try membership.apply(change(.update, moved))
        let expected = Member(
            id: b.id, peerURLs: ["http://b:2", "http://b:3"], name: "b!",
            clientURLs: ["http://b:9"])
        #expect(effect == .updated(expected))
        #expect(membership[b.id] == expected)
        #expect(code(&membership, change(.update, c)) == .idNotFound)
        let clash = Member(id: b.id, peerURLs: ["http://a:1"])
        #expect(code(&membership, change(.update, clash)) == .peerURLExists)
    }

    @Test func contextsThatAreWrong() {
        var membership = Membership([a])
        for context in [
            [], Array("{".utf8), MemberJSON.context(b), Array("{\"id\":-3}".utf8),
        ] {
            let change = ConfChange(id: 1, kind: .add, member: c.id, context: context)
            #expect(code(&membership, change) == .unreadableContext)
        }
    }

    @Test func publishing() {
        var membership = Membership([a, c])
        membership.publish(
            MemberAttributes(name: "c", clientURLs: ["http://c:9", "http://c:8"]), of: c.id)
        membership.publish(MemberAttributes(name: "z", clientURLs: ["http://z:9"]), of: b.id)
        #expect(membership[c.id]?.name == "c")
        #expect(membership.clientURLs == ["http://c:8", "http://c:9"])
        #expect(membership.ids == [a.id, c.id])
    }

    @Test func errorsHaveEtcdsTextAndAnAdvice() {
        let texts: [(MembershipError.Code, String)] = [
            (.idRemoved, "ID removed"), (.idExists, "ID exists"), (.idNotFound, "ID not found"),
            (.peerURLExists, "peerURL exists"),
            (.unreadableContext, "unreadable member context"),
        ]
        for (code, text) in texts {
            let error = MembershipError(code, MemberID(255))
            #expect(error.etcdText == text)
            #expect(error.description.hasPrefix("\(text): member ff. "))
            #expect(error.advice.hasSuffix("."))
        }
    }

    @Test func joiningTakesOverIDsByURL() throws {
        let cluster = try InitialCluster("x=http://a:1,y=http://localhost:1,z=http://c:1")
        let running = [
            Member(id: MemberID(11), peerURLs: ["http://127.0.0.1:1"], name: "old"),
            Member(id: MemberID(12), peerURLs: ["http://c:1"]),
            Member(id: MemberID(13), peerURLs: ["http://a:1"], name: "x"),
        ]
        let resolve: HostResolver.Resolve = { $0 == "localhost" ? "127.0.0.1" : nil }
        let members = try JoinMatch.members(cluster, running: running, resolve: resolve)
        #expect(members.map(\.id.rawValue) == [11, 12, 13])
        #expect(members.map(\.name) == ["y", "z", "x"])

        let fewer = #expect(throws: BootstrapFault.self) {
            try JoinMatch.members(cluster, running: Array(running.dropLast()), resolve: resolve)
        }
        #expect(fewer?.description.contains("member count is unequal") == true)
        let other = [running[0], running[1], Member(id: MemberID(13), peerURLs: ["http://d:1"])]
        let unmatched = #expect(throws: BootstrapFault.self) {
            try JoinMatch.members(cluster, running: other, resolve: resolve)
        }
        #expect(
            unmatched?.description.contains("unmatched member while checking PeerURLs") == true)
    }

    // MARK: --strict-reconfig-check

    /// `count` members, of whom the first `started` have published themselves.
    private func membership(_ count: Int, started: Int) -> Membership {
        Membership(
            (1...count).map {
                Member(
                    id: MemberID(UInt64($0)), peerURLs: ["http://h:\($0)"],
                    name: $0 <= started ? "m\($0)" : "")
            })
    }

    @Test(arguments: [
        // A cluster of one may grow; then its new member has to start.
        (1, 1, true), (2, 1, false), (2, 2, true), (3, 2, false), (3, 3, true), (4, 3, true),
        (5, 3, false), (5, 4, true),
    ])
    func anAdditionNeedsAStartedQuorum(count: Int, started: Int, isAllowed: Bool) {
        let members = membership(count, started: started)
        #expect(members.keepsQuorum(after: .add, MemberID(99)) == isAllowed)
    }

    @Test func aRemovalNeedsAStartedQuorumOfThoseWhoStay() {
        let members = membership(3, started: 2)
        #expect(members.keepsQuorum(after: .remove, MemberID(3)), "the one that is not there")
        #expect(!members.keepsQuorum(after: .remove, MemberID(1)))
        #expect(!membership(1, started: 1).keepsQuorum(after: .remove, MemberID(1)))
        #expect(membership(3, started: 2).keepsQuorum(after: .update, MemberID(1)))
    }
}
