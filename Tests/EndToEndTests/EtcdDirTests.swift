import Foundation
import ProcessSupport
import Testing

/// kvd on data dirs of real etcd servers: what it answers, and what it refuses.
@Suite(.serialized) struct EtcdDirTests {
    private static let fixtures = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/etcd")

    private func unpack(_ name: String, into folder: TemporaryFolder) throws -> String {
        let tar = Process()
        tar.executableURL = URL(filePath: "/usr/bin/env")
        tar.arguments = [
            "tar", "xzf", Self.fixtures.appending(path: "\(name).tar.gz").path, "-C",
            folder.path(""),
        ]
        try tar.run()
        tar.waitUntilExit()
        try #require(tar.terminationStatus == 0)
        return folder.path(name)
    }

    private func expected(_ name: String) throws -> [String: Any] {
        let data = try Data(
            contentsOf: Self.fixtures.appending(path: "\(name).expected.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func start(
        _ dir: String, _ folder: TemporaryFolder, _ more: [String] = []
    ) throws -> KvdProcess {
        let ports = try FreePorts.take(2)
        let (client, peer) = ("http://127.0.0.1:\(ports[0])", "http://127.0.0.1:\(ports[1])")
        return try KvdProcess(
            arguments: [
                "--name", "m1", "--data-dir", dir, "--listen-client-urls", client,
                "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--heartbeat-interval", "20", "--election-timeout", "200",
            ] + more,
            clientPort: ports[0], logPath: folder.path("kvd.log"))
    }

    /// Every key that etcd showed, with its value and indices.
    private func keys(_ node: [String: Any]) -> [String: String] {
        var keys: [String: String] = [:]
        if let key = node["key"] as? String, node["dir"] as? Bool != true {
            keys[key] =
                "\(node["value"] ?? "") \(node["modifiedIndex"] ?? "") \(node["createdIndex"] ?? "")"
        }
        for child in node["nodes"] as? [[String: Any]] ?? [] {
            keys.merge(self.keys(child)) { $1 }
        }
        return keys
    }

    private func root(of answer: Any?) throws -> [String: Any] {
        let answer = try #require(answer as? [String: Any])
        if let node = answer["node"] as? [String: Any] { return node }
        if let body = answer["body"] as? [String: Any] {
            return try #require(body["node"] as? [String: Any])
        }
        let text = try #require(answer["body"] as? String)
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return try #require(json?["node"] as? [String: Any])
    }

    @Test(arguments: ["v2.0.13-single", "v2.3.8-segments", "v2.3.8-killed", "v2.3.8-torn-tail"])
    func opensAndGoesOn(_ name: String) throws {
        let folder = try TemporaryFolder()
        let dir = try unpack(name, into: folder)
        let kvd = try start(dir, folder, ["--snapshot-count", "5"])
        try kvd.waitReady()
        let client = try LoopbackHTTP(port: kvd.clientPort)
        let answer = try client.request("GET", "/v2/keys/?recursive=true&sorted=true")
        let seen = keys(answer.node)
        let wanted = try expected(name)
        // What a real 2.3.8 answers after opening a copy of it, where it could.
        let dirs = wanted["dirs"] as? [String: [String: Any]]
        let opened = dirs?.values.first?["openedBy2.3.8"] as? [String: Any]
        let etcds = keys(try root(of: opened?["keys"] ?? wanted["answer"]))
        #expect(etcds.count > 5)
        for (key, value) in etcds where !key.contains("ttl") {
            #expect(seen[key] == value, "\(key)")
        }
        #expect(kvd.log.contains("etcd 2 data dir"), "\(kvd.log)")
        // It takes snapshots of its own, and starts from them.
        for number in 0..<400 {
            let put = try client.request(
                "PUT", "/v2/keys/kvds-own/\(number)", form: "value=\(number)")
            try #require(put.status == 201, "\(put.text)")
        }
        try waitUntil("a snapshot of its own") {
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(dir)/member/snap")
            return names.contains { $0.hasSuffix(".ksnap") }
        }
        kvd.kill(SIGKILL)
        kvd.wait()
        let again = try start(dir, folder)
        try again.waitReady()
        let after = try LoopbackHTTP(port: again.clientPort)
            .request("GET", "/v2/keys/?recursive=true")
        let kept = keys(after.node)
        #expect(kept["/kvds-own/399"] != nil)
        for (key, value) in etcds where !key.contains("ttl") { #expect(kept[key] == value) }
    }

    @Test func aFlippedByteIsRefused() throws {
        let folder = try TemporaryFolder()
        let kvd = try start(try unpack("v2.3.8-flipped-byte", into: folder), folder)
        #expect(kvd.wait() == 1)
        #expect(kvd.log.contains("the log is damaged"), "\(kvd.log)")
    }

    /// etcd 3's v2 store: opened as far as that goes.
    @Test func etcd3sV2DataIsTakenOver() throws {
        let name = "v3.4.23-v2"
        let folder = try TemporaryFolder()
        let kvd = try start(try unpack(name, into: folder), folder)
        try kvd.waitReady()
        let answer = try LoopbackHTTP(port: kvd.clientPort)
            .request("GET", "/v2/keys/?recursive=true&sorted=true")
        let etcds = keys(try root(of: try expected(name)["answer"]))
        let seen = keys(answer.node)
        #expect(etcds.count > 3)
        for (key, value) in etcds where !key.contains("ttl") { #expect(seen[key] == value) }
    }
}
