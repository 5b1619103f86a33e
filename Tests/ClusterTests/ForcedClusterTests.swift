import Cluster
import RaftModel
import Testing

@Suite struct ForcedClusterTests {
    private func changes(_ entries: [Entry]) throws -> [ConfChange] {
        try entries.map { try ConfChange.decode($0.data) }
    }

    @Test func allOthersAreRemovedInOrder() throws {
        let entries = ForcedCluster.entries(
            own: MemberID(5), members: [MemberID(9), MemberID(5), MemberID(2)], term: 7,
            lastIndex: 40)
        #expect(entries.map(\.index) == [41, 42])
        #expect(entries.allSatisfy { $0.term == 7 && $0.kind == .confChange })
        let changes = try changes(entries)
        #expect(changes.map(\.member) == [MemberID(2), MemberID(9)])
        #expect(changes.allSatisfy { $0.kind == .remove && $0.id == 0 && $0.context.isEmpty })
    }

    /// A backup made by etcdctl has an id of its own that nobody knows.
    @Test func aStrangerIsAdded() throws {
        let entries = ForcedCluster.entries(
            own: MemberID(5), members: [MemberID(2)], term: 1, lastIndex: 3)
        let changes = try changes(entries)
        #expect(changes.map(\.kind) == [.remove, .add])
        let json = String(decoding: changes[1].context, as: UTF8.self)
        #expect(
            json == #"{"id":5,"peerURLs":["http://localhost:2380","http://localhost:7001"]}"#)
    }

    @Test func aLoneMemberNeedsNothing() {
        let own = MemberID(5)
        #expect(
            ForcedCluster.entries(own: own, members: [own], term: 1, lastIndex: 3).isEmpty)
    }

    /// Those on the way to become members, in the snapshot and in the log, are removed as such.
    @Test func newcomersGoAsWell() throws {
        let member = Member(id: MemberID(8), peerURLs: ["http://new:1"])
        let addition = Request(
            method: .put, path: Array(StorePath.newcomer(member.id).utf8),
            value: MemberJSON.context(member))
        let other = Request(method: .put, path: Array("/1/k".utf8))
        let log = [
            Entry(), Entry(term: 1, index: 2, data: addition.encoded()),
            Entry(term: 1, index: 3, data: other.encoded()),
        ]
        let newcomers = ForcedCluster.newcomers([MemberID(7)], after: log)
        #expect(newcomers == [MemberID(7), MemberID(8)])
        let own = MemberID(5)
        let entries = ForcedCluster.entries(
            own: own, members: [own], newcomers: newcomers, term: 1, lastIndex: 3)
        #expect(entries.map(\.index) == [4, 5])
        var membership = Membership([Member(id: own, peerURLs: ["http://a:1"])])
        for entry in entries {
            let request = try entry.data.withUnsafeBytes { try Request.decode($0) }
            let path = String(decoding: request.path, as: UTF8.self)
            let id = try #require(StorePath.newcomer(at: path))
            let newcomer = try #require(Newcomer(id, value: request.value))
            _ = try membership.settle(id, newcomer)
        }
        #expect(membership.removed == Set(newcomers))
        #expect(membership.ids == [own])
    }

    @Test func confChangesInTheLogCount() {
        func entry(_ kind: ConfChange.Kind, _ id: UInt64) -> Entry {
            Entry(
                kind: .confChange, term: 1, index: 1,
                data: ConfChange(kind: kind, member: MemberID(id)).encoded())
        }
        let members = ForcedCluster.members(
            [MemberID(1), MemberID(2)],
            after: [entry(.add, 3), entry(.update, 2), entry(.remove, 1), Entry()])
        #expect(members == [MemberID(2), MemberID(3)])
    }
}
