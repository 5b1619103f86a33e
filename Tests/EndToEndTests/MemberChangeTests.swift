import Foundation
import ProcessSupport
import Testing

/// Members added, changed and removed through the API of real processes.
@Suite struct MemberChangeTests {
    @Test func aMemberIsAddedChangedAndRemovedOnAnyMember() throws {
        let cluster = try started(KvdCluster(size: 3))
        for n in 0..<3 {
            let client = try cluster.client(n)
            let url = "http://127.0.0.1:\(n + 1)"
            let added = try client.json("POST", "/v2/members", #"{"peerURLs":["\#(url)"]}"#)
            #expect(added.status == 201, "\(added.text)")
            let id = try #require(added.json["id"] as? String)
            #expect(try waits(id, isMember: true, in: cluster))

            let again = try client.json("POST", "/v2/members", #"{"peerURLs":["\#(url)"]}"#)
            #expect(again.status == 409, "\(again.text)")
            let changed = try client.json(
                "PUT", "/v2/members/\(id)", #"{"peerURLs":["http://127.0.0.1:\#(n + 11)"]}"#)
            #expect(changed.status == 204, "\(changed.text)")

            #expect(try client.json("DELETE", "/v2/members/\(id)", "").status == 204)
            #expect(try waits(id, isMember: false, in: cluster))
            let gone = try client.json("DELETE", "/v2/members/\(id)", "")
            #expect(gone.status == 410, "\(gone.text)")
            #expect(gone.text == #"{"message":"Member permanently removed: \#(id)"}"#)
            let late = try client.json(
                "PUT", "/v2/members/\(id)", #"{"peerURLs":["http://127.0.0.1:9"]}"#)
            #expect(late.status == 500)
        }
        let put = try cluster.client(0).request("PUT", "/v2/keys/after", form: "value=1")
        #expect(put.status == 201)
    }

    /// The leader last: it must not leave the others without word of its removal.
    @Test(arguments: [false, true])
    func aRemovedMemberEndsAndTheOthersGoOn(isLeader: Bool) throws {
        let cluster = try started(KvdCluster(size: 3))
        let leader = try leader(of: cluster)
        let victim = isLeader ? leader : (leader + 1) % 3
        let others = (0..<3).filter { $0 != victim }
        let id = try id(ofName: "m\(victim + 1)", in: cluster)
        // Asked of itself: it answers before it ends.
        let answer = try cluster.client(victim).json("DELETE", "/v2/members/\(id)", "")
        #expect(answer.status == 204, "\(answer.text)")
        let process = try #require(cluster.members[victim])
        try waitUntil("the removed member ends", within: .seconds(10)) { !process.isRunning }
        #expect(process.wait() == 0)
        // Nor does it come back.
        try cluster.start(victim)
        #expect(cluster.members[victim]?.wait() == 0)
        for n in others {
            try waitUntil("member \(n) takes writes", within: .seconds(10)) {
                try cluster.client(n).request("PUT", "/v2/keys/on", form: "value=1").status < 300
            }
            let list = try cluster.client(n).request("GET", "/v2/members").text
            #expect(!list.contains(id))
        }
        // Two are left, and one of them can be removed as well.
        let nextLeader = try self.leader(of: cluster)
        let nextID = try self.id(ofName: "m\(nextLeader + 1)", in: cluster)
        let last = try #require(others.first { $0 != nextLeader })
        let removed = try cluster.client(last).json("DELETE", "/v2/members/\(nextID)", "")
        #expect(removed.status == 204, "\(removed.text)")
        try waitUntil("the last takes writes", within: .seconds(10)) {
            try cluster.client(last).request("PUT", "/v2/keys/on", form: "value=2").status < 300
        }
    }

    /// Neither members that were never started nor a strict check keep a cluster from growing.
    @Test func aMemberThatWasNeverSeenCostsNoQuorum() throws {
        let cluster = try started(KvdCluster(size: 1))
        let client = try cluster.client(0)
        for port in 1...3 {
            let added = try client.json(
                "POST", "/v2/members", #"{"peerURLs":["http://127.0.0.1:\#(port)"]}"#)
            #expect(added.status == 201, "\(added.text)")
            #expect(try client.request("PUT", "/v2/keys/a", form: "value=1").status < 300)
        }
        #expect(try members(on: 0, cluster).count == 4)
        cluster.killNine(0)
        try cluster.start(0)
        try cluster.waitReady()
        #expect(try members(on: 0, cluster).count == 4)
    }

    @Test func aQuorumIsNotLeftToMembersThatAreDown() throws {
        let cluster = try started(KvdCluster(size: 3))
        let (asked, live, dead) = (0, 1, 2)
        let id = try id(ofName: "m\(live + 1)", in: cluster)
        let deadID = try self.id(ofName: "m\(dead + 1)", in: cluster)
        cluster.killNine(dead)
        try waitUntil("m\(asked + 1) knows of it, and takes writes") {
            let metrics = try cluster.client(asked).request("GET", "/metrics").text
            let isSeen = metrics.split(separator: "\n").contains {
                $0.hasPrefix("kvd_peer_active") && $0.contains(deadID) && $0.hasSuffix(" 1")
            }
            guard !isSeen else { return false }
            let client = try cluster.client(asked)
            return try client.request("PUT", "/v2/keys/a", form: "value=1").status < 300
        }
        // The check is on by default. Who was there a moment ago counts as there.
        try waitUntil("it is missed") {
            let status = try cluster.client(asked).request("GET", "/v2/status")
            return status.text.contains("unreachable \(deadID)")
        }
        let refused = try cluster.client(asked).json(
            "DELETE", "/v2/members/\(id)", #"{"force":false}"#)
        #expect(refused.status == 409, "\(refused.text)")
        #expect(
            refused.json["message"] as? String
                == "etcdserver: this would leave the quorum to members that cannot be reached: of "
                + "the 2 that would be left, m3 (\(deadID)) cannot. Start or remove those first; a "
                + "body of {\"force\":true} does it all the same")
        let forced = try cluster.client(asked).json(
            "DELETE", "/v2/members/\(id)", #"{"force":true}"#)
        #expect(forced.status == 204, "\(forced.text)")
    }

    // MARK: Parts

    private func started(_ cluster: KvdCluster) throws -> KvdCluster {
        try cluster.startAll()
        try cluster.waitReady()
        try waitUntilPublished(cluster)
        return cluster
    }

    private func waitUntilPublished(_ cluster: KvdCluster) throws {
        for n in cluster.members.indices {
            try waitUntil("all names known to \(n)") {
                try members(on: n, cluster).allSatisfy { $0["name"] as? String != "" }
            }
        }
    }

    private func members(on n: Int, _ cluster: KvdCluster) throws -> [[String: Any]] {
        try cluster.client(n).request("GET", "/v2/members").json["members"] as? [[String: Any]]
            ?? []
    }

    private func waits(_ id: String, isMember: Bool, in cluster: KvdCluster) throws -> Bool {
        for n in cluster.members.indices {
            try waitUntil("member \(id) on \(n): \(isMember)", within: .seconds(5)) {
                try members(on: n, cluster).contains { $0["id"] as? String == id } == isMember
            }
        }
        return true
    }

    /// As a member that runs says.
    private func leader(of cluster: KvdCluster) throws -> Int {
        var found: Int?
        let asked = try #require(
            cluster.members.indices.first { cluster.members[$0]?.isRunning == true })
        try waitUntil("a leader") {
            let answer = try cluster.client(asked).request("GET", "/v2/members/leader")
            guard let name = answer.json["name"] as? String, let n = Int(name.dropFirst()) else {
                return false
            }
            found = n - 1
            return cluster.members[n - 1]?.isRunning == true
        }
        return try #require(found)
    }

    private func id(ofName name: String, in cluster: KvdCluster) throws -> String {
        let asked = try #require(
            cluster.members.indices.first { cluster.members[$0]?.isRunning == true })
        let member = try members(on: asked, cluster).first { $0["name"] as? String == name }
        return try #require(member?["id"] as? String)
    }
}
