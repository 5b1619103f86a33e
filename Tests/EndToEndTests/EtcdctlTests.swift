import Foundation
import GoldenSupport
import ProcessSupport
import Testing

/// Debian's etcdctl 3.4 with `ETCDCTL_API=2`, all its commands against kvd.
///
/// The expected outputs were recorded from a real etcd 3.4 (`KVD_REWRITE=1` does so again), and
/// where one is on the machine it has to give them, too.
@Suite(.serialized, .enabled(if: ExternalPrograms.etcdctl != nil, "no etcdctl on PATH"))
struct EtcdctlTests {
    private static let folder = ProcessSupport.packageFolder.appending(path: "Fixtures/etcdctl")
    private static let isRecording = ProcessInfo.processInfo.environment["KVD_REWRITE"] != nil

    @Test(arguments: [("keys", 1), ("watches", 1), ("members", 3)])
    func kvdAnswersAsRecorded(_ name: String, _ size: Int) throws {
        // What etcd says of members has changed since 2.3, so these are kvd's own, and were read.
        let isOwn = name == "members"
        try play(name, try KvdCluster(size: size), records: isOwn && Self.isRecording)
    }

    @Test(
        .enabled(if: ExternalPrograms.etcd != nil, "no etcd on PATH"),
        arguments: ["keys", "watches"])
    func theRecordingsAreTrue(_ name: String) throws {
        let etcd = try #require(ExternalPrograms.etcd)
        let cluster = try KvdCluster(size: 1, extra: ["--enable-v2"], executable: etcd)
        try play(name, cluster, records: Self.isRecording)
    }

    private func play(_ name: String, _ cluster: KvdCluster, records: Bool = false) throws {
        let file = Self.folder.appending(path: "\(name).txt")
        let transcript = EtcdctlTranscript(try String(contentsOf: file, encoding: .utf8))
        try cluster.startAll()
        try cluster.waitReady()
        try GoldenWarmUp(port: cluster.clientPorts[0]).reach(index: 20)
        let etcdctl = try #require(ExternalPrograms.etcdctl)
        let session = try EtcdctlSession(cluster, etcdctl: etcdctl)
        var outputs: [String] = []
        for part in transcript.parts {
            let output = try session.perform(part, isRecording: records)
            outputs.append(output)
            if records { continue }
            #expect(output == part.output, "\(name): \(part.heading.last ?? "")")
        }
        if records {
            try transcript.text(with: outputs).write(to: file, atomically: true, encoding: .utf8)
        }
    }

    /// A copy that etcdctl takes of a kvd's data dir starts as a cluster of its own.
    @Test func backup() throws {
        let cluster = try KvdCluster(size: 1)
        try cluster.startAll()
        try cluster.waitReady()
        _ = try cluster.client(0).request("PUT", "/v2/keys/kept", form: "value=1")
        // What is committed is in the log's hard state when a member has stopped, at the latest.
        let member = try #require(cluster.members[0])
        member.kill(SIGTERM)
        member.wait()
        let restored = try KvdCluster(size: 1)
        let process = Process()
        let etcdctl = try #require(ExternalPrograms.etcdctl)
        process.executableURL = etcdctl
        process.environment = ["ETCDCTL_API": "2"]
        process.arguments = [
            "backup", "--data-dir", cluster.folder.path("m1.etcd"), "--backup-dir",
            restored.folder.path("m1.etcd"),
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        try restored.start(0, adding: ["--force-new-cluster"])
        try restored.waitReady()
        let get = try restored.client(0).request("GET", "/v2/keys/kept")
        #expect(get.node["value"] as? String == "1")
    }
}
