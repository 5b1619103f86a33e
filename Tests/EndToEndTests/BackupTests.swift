import Foundation
import ProcessSupport
import Testing

/// Backups of running members, restores into new clusters, and a disk that fills up.
@Suite(.serialized) struct BackupTests {
    private func dump(_ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = ProcessSupport.executable("kvd-dump")
        process.arguments = arguments
        let pipe = Pipe()
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    private func put(_ port: Int, _ key: String, _ value: String) throws -> LoopbackHTTP.Response {
        try LoopbackHTTP(port: port).request("PUT", "/v2/keys/\(key)", form: "value=\(value)")
    }

    /// A backup over HTTP under load, verified, restored into a cluster of three.
    @Test func aBackupMakesANewCluster() throws {
        let old = try KvdCluster(size: 1)
        try old.start(0)
        try old.waitReady()
        for number in 0..<200 { _ = try put(old.clientPorts[0], "k\(number)", "v\(number)") }
        let backup = try old.client(0).request("GET", "/v2/admin/backup")
        #expect(backup.status == 200)
        #expect(backup.headers["x-kvd-content-hash"]?.count == 16)
        let file = old.folder.path("backup.ksnap")
        try Data(backup.body).write(to: URL(filePath: file))
        let verified = try dump(["verify", file])
        #expect(verified.code == 0 && verified.output.contains("ok"), "\(verified.output)")
        // The same from the files of the running member.
        let offline = old.folder.path("offline.ksnap")
        let made = try dump(["backup", "--data-dir", old.folder.path("m1.etcd"), "--to", offline])
        #expect(made.code == 0, "\(made.output)")
        let hash = backup.headers["x-kvd-content-hash"] ?? "?"
        #expect(made.output.contains(hash.drop { $0 == "0" }), "\(made.output)")

        let new = try KvdCluster(size: 3, namePrefix: "n")
        let names = new.peerPorts.indices
            .map { "n\($0 + 1)=http://127.0.0.1:\(new.peerPorts[$0])" }.joined(separator: ",")
        for member in 0..<3 {
            let restored = try dump([
                "restore", "--from", file, "--to", new.folder.path("m\(member + 1).etcd"),
                "--name", "n\(member + 1)", "--initial-cluster", names,
            ])
            try #require(restored.code == 0, "\(restored.output)")
        }
        try new.startAll()
        try new.waitReady()
        let members = try new.client(0).request("GET", "/v2/members").json
        #expect((members["members"] as? [Any])?.count == 3)
        for number in 0..<200 {
            let answer = try new.client(number % 3).request("GET", "/v2/keys/k\(number)")
            #expect(answer.node["value"] as? String == "v\(number)")
        }
        _ = try put(new.clientPorts[1], "after", "x")
        new.killNine(2)
        try new.start(2)
        try new.members[2]?.waitReady()
        #expect(try new.client(2).request("GET", "/v2/keys/after").node["value"] as? String == "x")
    }

    /// Somebody's mistake is undone: the store as of just before it.
    @Test func aMomentBeforeAMistake() throws {
        let old = try KvdCluster(size: 1)
        try old.start(0)
        try old.waitReady()
        for number in 0..<30 { _ = try put(old.clientPorts[0], "dir/k\(number)", "good") }
        let before = try old.client(0).request("GET", "/v2/keys/dir")
        let index = try #require(before.headers["x-raft-index"])
        _ = try old.client(0).request("DELETE", "/v2/keys/dir?recursive=true")
        old.members[0]?.kill(SIGTERM)
        old.members[0]?.wait()
        let new = try KvdCluster(size: 1)
        let restored = try dump([
            "restore", "--from", old.folder.path("m1.etcd"), "--at-index", index, "--to",
            new.folder.path("m1.etcd"), "--name", "m1", "--initial-cluster",
            "m1=http://127.0.0.1:\(new.peerPorts[0])",
        ])
        try #require(restored.code == 0, "\(restored.output)")
        try new.start(0)
        try new.waitReady()
        let keys = try new.client(0).request("GET", "/v2/keys/dir").node["nodes"] as? [Any]
        #expect(keys?.count == 30)
    }

    /// On a file system of its own, where mounting one is allowed.
    @Test func aFullDiskIsWaitedOut() throws {
        let folder = try TemporaryFolder()
        guard run("/bin/mount", ["-t", "tmpfs", "-o", "size=190m", "tmpfs", folder.path("")]) else {
            return
        }
        defer { _ = run("/bin/umount", ["-l", folder.path("")]) }
        let ports = try FreePorts.take(2)
        let (client, peer) = ("http://127.0.0.1:\(ports[0])", "http://127.0.0.1:\(ports[1])")
        let filler = folder.path("filler")
        try Data(count: 15_000_000).write(to: URL(filePath: filler))
        let kvd = try KvdProcess(
            arguments: [
                "--name", "m1", "--data-dir", folder.path("m1.etcd"), "--listen-client-urls",
                client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", "m1=\(peer)",
                "--snapshot-count", "1000000", "--snapshot-bytes", "1000000000",
            ], clientPort: ports[0], logPath: folder.path("log"))
        try kvd.waitReady()
        let connection = try LoopbackHTTP(port: ports[0])
        let value = String(repeating: "x", count: 500_000)
        var refused: LoopbackHTTP.Response?
        for number in 0..<400 where refused == nil {
            let answer = try connection.request(
                "PUT", "/v2/keys/big\(number % 5)", form: "value=\(value)")
            if answer.status == 500 { refused = answer }
        }
        #expect(refused?.text.contains("no space left on this member's disk") == true)
        #expect(try connection.request("GET", "/v2/keys/big0").status == 200, "reads go on")
        try FileManager.default.removeItem(atPath: filler)
        try waitUntil("writes are taken again", within: .seconds(30)) {
            try connection.request("PUT", "/v2/keys/after", form: "value=1").status == 201
        }
        #expect(kvd.log.contains("the disk has space again"))
    }

    private func run(_ program: String, _ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
