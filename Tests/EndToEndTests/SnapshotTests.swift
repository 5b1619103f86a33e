import Foundation
import ProcessSupport
import Testing

/// Snapshots and what hangs on them, with real processes.
@Suite(.serialized) struct SnapshotTests {
    private static let extra = [
        "--heartbeat-interval", "20", "--election-timeout", "200", "--snapshot-count", "100",
        "--verify-every", "50", "--max-snapshots", "2",
    ]

    private func put(_ cluster: KvdCluster, on member: Int, _ range: Range<Int>) throws {
        let client = try cluster.client(member)
        for number in range {
            let answer = try client.request(
                "PUT", "/v2/keys/dir\(number % 7)/key\(number)", form: "value=value\(number)")
            try #require(answer.status == 201 || answer.status == 200, "\(answer.text)")
        }
    }

    private func check(_ cluster: KvdCluster, on member: Int, _ range: Range<Int>) throws {
        let client = try cluster.client(member)
        for number in range {
            let answer = try client.request("GET", "/v2/keys/dir\(number % 7)/key\(number)")
            #expect(answer.node["value"] as? String == "value\(number)", "on \(member + 1)")
        }
    }

    private func snapshots(_ cluster: KvdCluster, of member: Int) -> [String] {
        let path = cluster.folder.path("m\(member + 1).etcd/member/snap")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasSuffix(".ksnap") }.sorted()
    }

    private func raftIndex(_ cluster: KvdCluster, _ member: Int) throws -> UInt64 {
        let answer = try cluster.client(member).request("GET", "/v2/keys/")
        return UInt64(answer.headers["x-raft-index"] ?? "") ?? 0
    }

    /// Waits until `member` has applied all that `other` has.
    private func waitLevel(_ cluster: KvdCluster, _ member: Int, with other: Int) throws {
        try waitUntil("m\(member + 1) level with m\(other + 1)", within: .seconds(60)) {
            try raftIndex(cluster, member) >= raftIndex(cluster, other)
        }
    }

    @Test func aMemberStartsFromItsSnapshot() throws {
        let cluster = try KvdCluster(size: 1, extra: Self.extra)
        try cluster.start(0)
        try cluster.waitReady()
        try put(cluster, on: 0, 0..<650)
        try waitUntil("two snapshots are kept", within: .seconds(30)) {
            snapshots(cluster, of: 0).count == 2
        }
        cluster.killNine(0)
        try cluster.start(0)
        try cluster.waitReady()
        try check(cluster, on: 0, 0..<650)
        #expect(cluster.members[0]?.log.contains("loaded snapshot") == true)
        // The newest one is damaged: set aside, and an older one is used.
        cluster.killNine(0)
        let newest = try #require(snapshots(cluster, of: 0).last)
        try damage(cluster, "m1.etcd/member/snap/\(newest)")
        try cluster.start(0)
        try cluster.waitReady()
        try check(cluster, on: 0, 0..<650)
        #expect(cluster.members[0]?.log.contains("set aside as \(newest).broken") == true)
    }

    private func damage(_ cluster: KvdCluster, _ path: String) throws {
        let path = cluster.folder.path(path)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        let size = try file.seekToEnd()
        try file.seek(toOffset: size / 2)
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: size / 2)
        try file.write(contentsOf: Data([byte ^ 0x10]))
        try file.close()
    }

    /// Rot in a snapshot of a running member is found and made good.
    @Test func aDamagedSnapshotIsReplaced() throws {
        let cluster = try KvdCluster(size: 1, extra: Self.extra + ["--scrub-interval", "1"])
        try cluster.start(0)
        try cluster.waitReady()
        try put(cluster, on: 0, 0..<150)
        try waitUntil("a snapshot") { !snapshots(cluster, of: 0).isEmpty }
        let newest = try #require(snapshots(cluster, of: 0).last)
        try damage(cluster, "m1.etcd/member/snap/\(newest)")
        try waitUntil("another one in its place", within: .seconds(60)) {
            let log = cluster.members[0]?.log ?? ""
            return log.contains("set aside as \(newest).broken")
                && snapshots(cluster, of: 0).contains { $0 >= newest }
        }
        cluster.killNine(0)
        try cluster.start(0)
        try cluster.waitReady()
        try check(cluster, on: 0, 0..<150)
        #expect(cluster.members[0]?.log.contains("set aside") == false)
    }

    @Test func aLaggingMemberGetsASnapshot() throws {
        // No tail is kept in memory that reaches back so far: 5000 entries are.
        let cluster = try KvdCluster(size: 3, extra: Self.extra)
        try cluster.startAll()
        try cluster.waitReady()
        try put(cluster, on: 0, 0..<20)
        cluster.killNine(2)
        try load(cluster, count: 9000)
        try put(cluster, on: 0, 20..<60)
        try waitUntil("the log is compacted behind 5000", within: .seconds(60)) {
            [0, 1].allSatisfy { compactedIndex(cluster, $0) > 1000 }
        }
        try cluster.start(2)
        try cluster.members[2]?.waitReady()
        try waitLevel(cluster, 2, with: 0)
        try check(cluster, on: 2, 0..<60)
        #expect(cluster.members[2]?.log.contains("the state is now that of the leader's") == true)
        // What it took over is its own from now on.
        cluster.killNine(2)
        try cluster.start(2)
        try cluster.members[2]?.waitReady()
        try check(cluster, on: 2, 0..<60)
        for member in 0..<3 {
            #expect(cluster.members[member]?.log.contains("stores differ") == false)
        }
    }

    private func compactedIndex(_ cluster: KvdCluster, _ member: Int) -> UInt64 {
        let lines = (cluster.members[member]?.log ?? "").split(separator: "\n")
        let last = lines.last { $0.contains("compacted raft log at") }
        return last?.split(separator: " ").last.flatMap { UInt64($0) } ?? 0
    }

    private func load(_ cluster: KvdCluster, count: Int) throws {
        let group = DispatchGroup()
        let port = cluster.clientPorts[0]
        for writer in 0..<8 {
            DispatchQueue.global().async(group: group) {
                guard let client = try? LoopbackHTTP(port: port) else { return }
                for number in 0..<(count / 8) {
                    _ = try? client.request(
                        "PUT", "/v2/keys/load/\(writer)-\(number % 50)", form: "value=\(number)")
                }
            }
        }
        group.wait()
    }

    /// A follower whose log is damaged is refused; with --rejoin it gets what it lost.
    @Test func aMemberWithADamagedLogRejoins() throws {
        let cluster = try KvdCluster(
            size: 3,
            extra: ["--heartbeat-interval", "20", "--election-timeout", "200"])
        try cluster.startAll()
        try cluster.waitReady()
        try put(cluster, on: 0, 0..<300)
        try waitLevel(cluster, 2, with: 0)
        cluster.members[2]?.kill(SIGTERM)
        cluster.members[2]?.wait()
        let segment = "m3.etcd/member/wal/0000000000000000-0000000000000000.wal"
        let file = try #require(FileHandle(forUpdatingAtPath: cluster.folder.path(segment)))
        try file.seek(toOffset: 9000)
        try file.write(contentsOf: Data(repeating: 0xa5, count: 100))
        try file.close()
        try cluster.start(2)
        #expect(cluster.members[2]?.wait() == 1)
        let log = cluster.members[2]?.log ?? ""
        #expect(log.contains("the log is damaged") && log.contains("--rejoin"), "\(log)")

        try cluster.start(2, adding: ["--rejoin"])
        try cluster.members[2]?.waitReady()
        try waitLevel(cluster, 2, with: 0)
        try check(cluster, on: 2, 0..<300)
        try waitUntil("it votes again", within: .seconds(30)) {
            cluster.members[2]?.log.contains("and votes") == true
        }
        // It counts: with another one down, the two left have a quorum.
        cluster.killNine(1)
        // It may have been the leader.
        try cluster.members[2]?.waitReady()
        try put(cluster, on: 2, 300..<320)
        try check(cluster, on: 0, 300..<320)
        // And it starts as usual now.
        cluster.killNine(2)
        try cluster.start(2)
        try cluster.members[2]?.waitReady()
        try check(cluster, on: 2, 0..<320)
    }

    @Test func aMemberWithoutItsLogIsNoNewOne() throws {
        let cluster = try KvdCluster(size: 1, extra: Self.extra)
        try cluster.start(0)
        try cluster.waitReady()
        try put(cluster, on: 0, 0..<10)
        cluster.killNine(0)
        try FileManager.default.removeItem(atPath: cluster.folder.path("m1.etcd/member/wal"))
        try cluster.start(0)
        #expect(cluster.members[0]?.wait() == 1)
        let log = cluster.members[0]?.log ?? ""
        #expect(log.contains("holds no log") && log.contains("a member lived here"), "\(log)")
    }

    /// One of three goes on alone, with all that was committed.
    @Test func aNewClusterIsForced() throws {
        let cluster = try KvdCluster(size: 3, extra: Self.extra)
        try cluster.startAll()
        try cluster.waitReady()
        try put(cluster, on: 1, 0..<250)
        try waitLevel(cluster, 0, with: 1)
        for member in 0..<3 { cluster.killNine(member) }
        try cluster.start(0, adding: ["--force-new-cluster"])
        try cluster.members[0]?.waitReady()
        try check(cluster, on: 0, 0..<250)
        let members = try cluster.client(0).request("GET", "/v2/members").json
        #expect((members["members"] as? [Any])?.count == 1)
        try put(cluster, on: 0, 250..<400)
        cluster.killNine(0)
        try cluster.start(0)
        try cluster.members[0]?.waitReady()
        try check(cluster, on: 0, 0..<400)
    }
}
