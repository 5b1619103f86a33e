import Foundation
import ProcessSupport
import Testing

/// The seed article's session, on real processes: a member with a data dir, three members with
/// `-initial-cluster`, what curl prints, what the log says, how it stops.
@Suite struct ArticleTests {
    @Test func oneMemberAnswersTheArticlesCurls() throws {
        let cluster = try KvdCluster(size: 1)
        try cluster.start(0)
        try cluster.waitReady()
        // What a member writes about itself at its start uses up indices, too.
        try waitUntil("the start's own writes") {
            let log = cluster.members[0]?.log ?? ""
            return log.contains("published {") && log.contains("set the initial cluster version")
        }
        let client = try cluster.client(0)

        let put = try client.request("PUT", "/v2/keys/message", form: "value=Hello world")
        #expect(put.status == 201)
        #expect(put.headers["content-type"] == "application/json")
        let index = try #require(put.node["modifiedIndex"] as? Int)
        #expect(
            put.text == """
                {"action":"set","node":{"key":"/message","value":"Hello world",\
                "modifiedIndex":\(index),"createdIndex":\(index)}}\n
                """)

        let get = try client.request("GET", "/v2/keys/message")
        #expect(get.status == 200)
        #expect(get.node["value"] as? String == "Hello world")
        #expect(get.headers["x-etcd-index"] == "\(index)")

        let delete = try client.request("DELETE", "/v2/keys/message")
        #expect(delete.status == 200)
        let missing = try client.request("GET", "/v2/keys/message")
        #expect(missing.status == 404)
        #expect(
            missing.text == """
                {"errorCode":100,"message":"Key not found","cause":"/message",\
                "index":\(index + 1)}\n
                """)
    }

    @Test func threeMembersReplicate() throws {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        for writer in 0..<3 {
            let put = try cluster.client(writer).request(
                "PUT", "/v2/keys/from-\(writer)", form: "value=\(writer)")
            #expect(put.status == 201)
            for reader in 0..<3 {
                let get = try cluster.client(reader).request(
                    "GET", "/v2/keys/from-\(writer)?quorum=true")
                #expect(get.node["value"] as? String == "\(writer)", "member \(reader)")
            }
        }
        let lists = try (0..<3).map { try cluster.client($0).request("GET", "/v2/members").text }
        #expect(Set(lists).count == 1, "all members list the same members")
        let leaders = try (0..<3).map {
            try cluster.client($0).request("GET", "/v2/members/leader").text
        }
        #expect(Set(leaders).count == 1, "all members name the same leader")
    }

    @Test func theLogSaysWhatTheArticleShows() throws {
        let cluster = try KvdCluster(size: 1)
        try cluster.start(0)
        try cluster.waitReady()
        let member = try #require(cluster.members[0])
        for part in [
            "etcdmain: listening for peers on http://127.0.0.1:\(cluster.peerPorts[0])",
            "etcdmain: listening for client requests on http://127.0.0.1:\(cluster.clientPorts[0])",
            "elected leader", "became leader at term",
            "etcdserver: published {Name:m1 ClientURLs:[http://127.0.0.1:\(cluster.clientPorts[0])]}",
            "etcdserver: set the initial cluster version to 2.3",
        ] {
            try waitUntil("a line with \(part) in:\n\(member.log)") { member.log.contains(part) }
        }
        let shape = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} [CEWNIDT] \| [a-z]+: .+$/
        for line in member.log.split(separator: "\n") {
            #expect(line.wholeMatch(of: shape) != nil, "\(line)")
        }
    }

    @Test func aRestartKeepsWhatWasWritten() throws {
        let cluster = try KvdCluster(size: 1)
        try cluster.start(0)
        try cluster.waitReady()
        _ = try cluster.client(0).request("PUT", "/v2/keys/kept", form: "value=1")
        let member = try #require(cluster.members[0])
        member.kill(SIGTERM)
        #expect(member.wait() == -SIGTERM, "it dies by the signal it was sent")
        #expect(member.log.contains("received terminated signal, shutting down..."))

        try cluster.start(0)
        try cluster.waitReady()
        let get = try cluster.client(0).request("GET", "/v2/keys/kept")
        #expect(get.node["value"] as? String == "1")
    }

    @Test func aWatchOnOneMemberSeesAWriteOnAnother() throws {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        let watcher = try cluster.client(1)
        try watcher.send("GET", "/v2/keys/w?wait=true")
        #expect(try watcher.readHead().status == 200, "headers come before any event")
        _ = try cluster.client(2).request("PUT", "/v2/keys/w", form: "value=seen")
        let event = try #require(try watcher.readChunk())
        #expect(String(decoding: event, as: UTF8.self).contains("\"value\":\"seen\""))
        #expect(try watcher.readChunk() == nil, "a long poll ends after its event")
    }

    @Test func aKilledLeaderIsReplaced() throws {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        let leader = try cluster.leader()
        cluster.killNine(leader)
        let survivor = (leader + 1) % 3
        // What was on its way to the old leader when it died is answered with a time-out.
        try waitUntil("a write on a survivor") {
            let put = try cluster.client(survivor).request("PUT", "/v2/keys/after", form: "value=1")
            return put.status == 200 || put.status == 201
        }
        try cluster.start(leader)
        try cluster.waitReady()
        let get = try cluster.client(leader).request("GET", "/v2/keys/after?quorum=true")
        #expect(get.node["value"] as? String == "1")
    }
}

extension KvdCluster {
    /// The number of the member that leads.
    func leader() throws -> Int {
        let running = try #require(members.indices.first { members[$0] != nil })
        let answer = try client(running).request("GET", "/v2/members/leader")
        let name = try #require(answer.json["name"] as? String)
        return try #require(members.indices.first { "m\($0 + 1)" == name })
    }
}
