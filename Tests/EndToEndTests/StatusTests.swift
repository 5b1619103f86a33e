import Foundation
import ProcessSupport
import Testing

/// `/v2/status` of real members: problems come, are told in words, and go.
@Suite(.serialized) struct StatusTests {
    private func problems(_ n: Int, _ cluster: KvdCluster) throws -> [String: String] {
        let answer = try cluster.client(n).request("GET", "/v2/status")
        #expect(answer.status == 200)
        let list = answer.json["problems"] as? [[String: Any]] ?? []
        return Dictionary(
            list.map { ($0["name"] as? String ?? "", $0["problem"] as? String ?? "") }
        ) { $1 }
    }

    @Test func aMemberThatIsDownIsMissed() throws {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        for n in 0..<3 {
            try waitUntil("member \(n) is well") { try problems(n, cluster).isEmpty }
        }
        let members = try cluster.client(0).request("GET", "/v2/members").json["members"]
        let third = (members as? [[String: Any]])?.first { $0["name"] as? String == "m3" }
        let id = try #require(third?["id"] as? String)
        cluster.killNine(2)
        for n in 0..<2 {
            try waitUntil("member \(n) misses it") {
                try problems(n, cluster)["unreachable \(id)"]
                    == "there is no connection to member m3"
            }
        }
        try cluster.start(2)
        try cluster.waitReady()
        for n in 0..<3 {
            try waitUntil("member \(n) is well again") { try problems(n, cluster).isEmpty }
        }
        // Without the others there is nobody to lead.
        cluster.killNine(0)
        cluster.killNine(1)
        try waitUntil("no leader") {
            try problems(2, cluster)["no-leader"]?.contains("writes and quorum reads wait") ?? false
        }
    }
}
