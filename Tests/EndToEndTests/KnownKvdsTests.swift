import Foundation
import ProcessSupport
import RaftModel
import Storage
import Testing

/// What a member knows of the others' being kvds outlasts its restart (`KvdNote`).
@Suite(.serialized) struct KnownKvdsTests {
    private func path(_ n: Int, _ cluster: KvdCluster) -> String {
        cluster.folder.path("m\(n + 1).etcd/member/kvds")
    }

    private func noted(_ n: Int, _ cluster: KvdCluster) -> Set<MemberID>? {
        let bytes = try? Data(contentsOf: URL(fileURLWithPath: path(n, cluster)))
        return bytes.flatMap { KvdNote([UInt8]($0)) }?.members
    }

    private func allAreKvd(_ n: Int, _ cluster: KvdCluster) throws -> Bool {
        let page = try cluster.client(n).request("GET", "/metrics").text
        return page.contains("\nkvd_raft_all_members_are_kvd 1\n")
    }

    private func term(_ n: Int, _ cluster: KvdCluster) throws -> Int {
        let status = try cluster.client(n).request("GET", "/v2/status").json
        return try #require(status["term"] as? Int)
    }

    private func start() throws -> KvdCluster {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        for n in 0..<3 {
            try waitUntil("\(n) has noted the others") { noted(n, cluster)?.count == 2 }
            try waitUntil("\(n) uses it") { try allAreKvd(n, cluster) }
        }
        return cluster
    }

    @Test func aRestartBesideADeadMemberKeepsPreVotesOn() throws {
        let cluster = try start()
        cluster.killNine(2)
        cluster.killNine(0)
        try cluster.start(0)
        try cluster.members[0]?.waitReady()
        #expect(try allAreKvd(0, cluster))
        // Alone it stands for election again and again, and moves no term with it.
        let before = try term(0, cluster)
        func preVotes() -> Int {
            (cluster.members[0]?.log ?? "").components(separatedBy: "became pre-candidate").count
        }
        let seen = preVotes()
        cluster.killNine(1)
        try waitUntil("elections nobody answers") { preVotes() >= seen + 3 }
        #expect(try term(0, cluster) == before)
    }

    @Test func aDamagedNoteIsPassedOverAndWrittenAnew() throws {
        let cluster = try start()
        cluster.killNine(2)
        cluster.killNine(0)
        try Data("not a note".utf8).write(to: URL(fileURLWithPath: path(0, cluster)))
        try cluster.start(0)
        try cluster.members[0]?.waitReady()
        let log = try #require(cluster.members[0]?.log)
        #expect(log.contains("member/kvds is passed over"), "\(log)")
        #expect(try !allAreKvd(0, cluster))
        try cluster.start(2)
        try waitUntil("it knows both again") {
            try noted(0, cluster)?.count == 2 && allAreKvd(0, cluster)
        }
    }

    @Test func whoIsRemovedLeavesTheNote() throws {
        let cluster = try start()
        let members = try cluster.client(0).request("GET", "/v2/members").json["members"]
        let list = try #require(members as? [[String: Any]])
        let last = try #require(list.first { $0["name"] as? String == "m3" }?["id"] as? String)
        let id = try #require(UInt64(last, radix: 16).map { MemberID($0) })
        #expect(noted(0, cluster)?.contains(id) == true)
        let answer = try cluster.client(0).request("DELETE", "/v2/members/\(last)")
        #expect(answer.status == 204, "\(answer.text)")
        for n in 0..<2 {
            try waitUntil("\(n) forgets it") { noted(n, cluster)?.contains(id) == false }
            #expect(noted(n, cluster)?.count == 1)
        }
    }
}
