import Foundation
import ProcessSupport
import Testing

/// Processes that stand still and go on (SIGSTOP, SIGCONT), as on a machine that swaps or migrates.
@Suite(.serialized) struct PausedMemberTests {
    private func status(_ n: Int, _ cluster: KvdCluster) throws -> [String: Any] {
        try cluster.client(n).request("GET", "/v2/status").json
    }

    private func term(_ n: Int, _ cluster: KvdCluster) throws -> Int {
        try #require(try status(n, cluster)["term"] as? Int)
    }

    private func leader(of cluster: KvdCluster, among members: [Int]) throws -> Int {
        var found: Int?
        try waitUntil("a leader") {
            found = try members.first { n in
                let status = try status(n, cluster)
                return status["leader"] as? String == status["member"] as? String
            }
            return found != nil
        }
        return try #require(found)
    }

    /// Writes until ten election timeouts have passed; returns the last value.
    private func write(_ cluster: KvdCluster, on n: Int) throws -> Int {
        let until = ContinuousClock.now + .seconds(2)
        var last = 0
        while ContinuousClock.now < until {
            let put = try cluster.client(n).request("PUT", "/v2/keys/k", form: "value=\(last + 1)")
            try #require(put.status < 300, "\(put.text)")
            last += 1
        }
        return last
    }

    private func waitFor(_ value: Int, on n: Int, _ cluster: KvdCluster) throws {
        try waitUntil("member \(n) has all") {
            let get = try cluster.client(n).request("GET", "/v2/keys/k")
            return get.node["value"] as? String == "\(value)"
        }
    }

    @Test func aFollowerThatStoodStillDeposesNobody() throws {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        let leader = try leader(of: cluster, among: [0, 1, 2])
        let follower = (leader + 1) % 3
        let before = try term(leader, cluster)
        for _ in 0..<2 {
            cluster.members[follower]?.kill(SIGSTOP)
            let last = try write(cluster, on: leader)
            cluster.members[follower]?.kill(SIGCONT)
            try waitFor(last, on: follower, cluster)
        }
        for n in 0..<3 { #expect(try term(n, cluster) == before) }
        #expect(try self.leader(of: cluster, among: [0, 1, 2]) == leader)
    }

    @Test func aLeaderThatStoodStillFollows() throws {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        let old = try leader(of: cluster, among: [0, 1, 2])
        let others = [0, 1, 2].filter { $0 != old }
        let before = try term(old, cluster)
        cluster.members[old]?.kill(SIGSTOP)
        try waitUntil("a write without it") {
            try cluster.client(others[0]).request("PUT", "/v2/keys/k", form: "value=0").status < 300
        }
        let new = try leader(of: cluster, among: others)
        cluster.members[old]?.kill(SIGCONT)
        let last = try write(cluster, on: new)
        try waitFor(last, on: old, cluster)
        // One election, and perhaps a second one where both stood at once.
        let after = try term(new, cluster)
        #expect((before + 1...before + 3).contains(after))
        for n in 0..<3 { #expect(try term(n, cluster) == after) }
        // Nobody stood without having asked.
        let log = try #require(cluster.members[new]).log
        #expect(log.contains("became pre-candidate at term \(after - 1)"))
    }
}
