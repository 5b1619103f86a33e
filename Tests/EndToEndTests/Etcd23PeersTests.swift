import Foundation
import ProcessSupport
import RaftModel
import Storage
import StorageIO
import Testing

/// A kvd among etcd 2.3.8 members, whose captured traffic is played to it: it joins as the captured
/// m2, gets the captured snapshot and what followed it, and leads them when they fall silent.
@Suite(.serialized) struct Etcd23PeersTests {
    private static let lastCaptured: UInt64 = 5676

    private func start(_ etcds: ReplayedMembers, _ folder: TemporaryFolder) throws -> KvdProcess {
        let (client, peer) = (
            "http://127.0.0.1:\(etcds.clientPort)", "http://127.0.0.1:\(etcds.peerPort)"
        )
        let kvd = try KvdProcess(
            arguments: [
                "--name", "m2", "--data-dir", folder.path("m2.etcd"),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster",
                "m1=http://127.0.0.1:\(etcds.ports[0]),m2=\(peer),"
                    + "m3=http://127.0.0.1:\(etcds.ports[1])",
                "--initial-cluster-state", "existing",
                "--heartbeat-interval", "50", "--election-timeout", "500",
            ],
            clientPort: etcds.clientPort, logPath: folder.path("m2.log"))
        try waitUntil("it listens") {
            guard kvd.isRunning else { throw LoopbackHTTP.Failed(description: kvd.log) }
            return kvd.log.contains("listening for client requests")
        }
        return kvd
    }

    private func heartbeat(_ term: UInt64 = 2, commit: UInt64 = 0) -> Message {
        Message(
            .heartbeat, to: ReplayedMembers.m2, from: ReplayedMembers.m3, term: term,
            commit: commit)
    }

    private func last(
        _ kind: Message.Kind, _ etcds: ReplayedMembers,
        where isWanted: (Message) -> Bool = { _ in
            true
        }
    ) -> Message? {
        etcds.posted.last { $0.kind == kind && isWanted($0) }
    }

    /// Of everything that it has said so far.
    private func checkWords(_ etcds: ReplayedMembers) throws {
        for body in etcds.bodies {
            let message = try Message.decode(body)
            #expect((2...9).contains(message.kind.rawValue), "\(message.kind)")
            #expect(message.context.isEmpty, "a context in \(message.kind)")
            #expect(message.from == ReplayedMembers.m2)
            #expect(message.encoded() == body)
            if message.kind == .propose {
                #expect(message.entries.count == 1 && message.term == 0)
                #expect(message.entries.allSatisfy { $0.term == 0 && $0.index == 0 })
            }
        }
        let requests = etcds.asked.map(\.head).filter { $0.contains(" /raft") }
        for head in requests where !head.hasPrefix("GET /raft/probing") {
            let lines = head.split(separator: "\r\n").map(String.init)
            for line in [
                "X-Etcd-Cluster-Id: d1e696e5d3cb959e", "X-Server-From: 5bc90d109e469951",
                "X-Server-Version: 2.3.8", "X-Min-Cluster-Version: 2.2.0",
                "X-Peerurls: http://127.0.0.1:\(etcds.peerPort)",
            ] { #expect(lines.contains(line), "\(line) in \(head)") }
            let isStream = head.hasPrefix("GET /raft/stream/")
            #expect(isStream == lines.contains { $0.hasPrefix("X-Raft-To: ") }, "\(head)")
            #expect(!head.contains("/raft/snapshot"), "\(head)")
        }
    }

    /// Joins, follows by snapshot and streams; returns when it has all that was captured.
    private func follow(_ etcds: ReplayedMembers) throws {
        // The leader counts on a follower that has its log, and finds that it has nothing.
        try waitUntil("its answer to a heartbeat") {
            let status = try etcds.post(heartbeat())
            #expect(status == 204)
            return last(.heartbeatResponse, etcds) != nil
        }
        let append = Message(
            .append, to: ReplayedMembers.m2, from: ReplayedMembers.m3, term: 2, logTerm: 2,
            index: 5643, commit: 5643)
        let status = try etcds.post(append)
        #expect(status == 204)
        try waitUntil("a refusal") { last(.appendResponse, etcds) != nil }
        let refusal = try #require(last(.appendResponse, etcds))
        #expect(refusal.reject && refusal.rejectHint == 0 && refusal.index == 5643)
        #expect(refusal.term == 2 && refusal.to == ReplayedMembers.m3)

        // As captured, three times: a leader of 2.3 repeats it while it is being taken in.
        let snapshot = try etcds.captured("post-msgsnap.req.http")
        for _ in 0..<3 {
            let client = try LoopbackHTTP(port: etcds.peerPort)
            try client.send(snapshot)
            let status = try client.readResponse(to: "POST").status
            #expect(status == 204)
        }
        try waitUntil("its acknowledgement") {
            last(.appendResponse, etcds) { !$0.reject && $0.index == 5564 } != nil
        }
        // It knows its peers from the snapshot, and dials them where that says they are.
        let leader = etcds.ports[1]
        try waitUntil("its streams") {
            ["msgapp", "message"].allSatisfy { etcds.hasStream($0, of: leader) }
        }
        let captured = try etcds.captured("msgapp-after-snapshot.bin")
        #expect(etcds.write(captured, to: "msgapp", of: leader))
        try waitUntil("all that was captured") {
            _ = try etcds.post(heartbeat(commit: Self.lastCaptured))
            return last(.appendResponse, etcds) { $0.index == Self.lastCaptured } != nil
        }
    }

    @Test func joinsAndFollowsAsCaptured() throws {
        let etcds = try ReplayedMembers()
        defer { etcds.stop() }
        let folder = try TemporaryFolder()
        let kvd = try start(etcds, folder)
        try follow(etcds)
        // Its own name and addresses, by way of the leader.
        try waitUntil("its publication") {
            _ = try etcds.post(heartbeat(commit: Self.lastCaptured))
            return last(.propose, etcds) != nil
        }
        let client = try LoopbackHTTP(port: etcds.clientPort)
        let get = try client.request("GET", "/v2/keys/bulk/19")
        #expect(get.node["value"] as? String == "b1-1399", "\(get.text)")
        let versions = try LoopbackHTTP(port: etcds.peerPort).request("GET", "/version")
        #expect(versions.text == #"{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}"#)
        let members = try LoopbackHTTP(port: etcds.peerPort).request("GET", "/members")
        #expect(members.headers["x-etcd-cluster-id"] == ReplayedMembers.cluster)
        #expect(members.text.hasPrefix(#"[{"id":3324899703916657104,"peerURLs":["http://"#))
        #expect(kvd.log.components(separatedBy: "took a snapshot at index 5564").count == 2)
        try checkWords(etcds)
    }

    /// m3 is silent for ever; m1 votes for kvd, and follows it as a 2.3 member does.
    @Test func leadsWhenTheLeaderFallsSilent() throws {
        let etcds = try ReplayedMembers()
        defer { etcds.stop() }
        let folder = try TemporaryFolder()
        let kvd = try start(etcds, folder)
        try follow(etcds)
        etcds.forget()
        let m1 = ReplayedMembers.m1
        var granted: UInt64 = 0
        var acknowledged: UInt64 = 0
        /// What m1 answers to all that has come since the last call.
        func answer() throws {
            if let vote = last(.vote, etcds, where: { $0.to == m1 }), vote.term > granted {
                #expect(vote.logTerm == 2 && vote.index == Self.lastCaptured && vote.term > 2)
                granted = vote.term
                _ = try etcds.post(
                    Message(.voteResponse, to: ReplayedMembers.m2, from: m1, term: vote.term))
            }
            for append in etcds.posted where append.kind == .append && append.to == m1 {
                let index = append.index + UInt64(append.entries.count)
                guard append.term == granted, index > acknowledged else { continue }
                #expect(append.index >= Self.lastCaptured)
                acknowledged = index
                _ = try etcds.post(
                    Message(
                        .appendResponse, to: ReplayedMembers.m2, from: m1, term: granted,
                        index: index))
            }
        }
        try waitUntil("kvd leads; its log:\n\(kvd.log)") {
            try answer()
            return kvd.log.contains("became leader at term")
        }
        let clientPort = etcds.clientPort
        let put = Thread.runs { () -> Int? in
            let client = try? LoopbackHTTP(port: clientPort)
            return try? client?.request("PUT", "/v2/keys/led", form: "value=1").status
        }
        try waitUntil("a write; its log:\n\(kvd.log)") {
            try answer()
            return put.isDone
        }
        #expect(put.result == 201)
        #expect(kvd.log.contains("became leader at term \(granted)"))
        // It beats for both, and never beyond what they have.
        try waitUntil("heartbeats") {
            try answer()
            return [m1, ReplayedMembers.m3].allSatisfy { id in
                last(.heartbeat, etcds) { $0.to == id } != nil
            }
        }
        for beat in etcds.posted where beat.kind == .heartbeat && beat.to == ReplayedMembers.m3 {
            #expect(beat.commit == 0 && beat.term == granted)
        }
        try checkStreams(etcds, granted, answer)
        try checkWords(etcds)
    }

    /// They were kvds when this one was stopped: etcds have been started on their data since.
    @Test func takesNobodyForAKvdThatHasNotSaidSo() throws {
        let etcds = try ReplayedMembers()
        defer { etcds.stop() }
        let folder = try TemporaryFolder()
        let others: Set<MemberID> = [ReplayedMembers.m1, ReplayedMembers.m3]
        do {
            let first = try start(etcds, folder)
            try follow(etcds)
            first.kill(SIGKILL)
            first.wait()
        }
        let cluster = try #require(UInt64(ReplayedMembers.cluster, radix: 16))
        let owner = WALMetadata(memberID: ReplayedMembers.m2, clusterID: ClusterID(cluster))
        let path = try leave(KvdNote(owner: owner, members: others), in: folder.path("m2.etcd"))
        etcds.areDown(true)
        let kvd = try start(etcds, folder)
        // It says so to nobody: nobody has identified itself.
        try waitUntil("pre-votes; its log:\n\(kvd.log)") {
            kvd.log.components(separatedBy: "became pre-candidate").count > 2
        }
        #expect(kvd.log.contains("were kvds when last heard of"))
        etcds.areDown(false)
        try waitUntil("a vote as etcd's; its log:\n\(kvd.log)") { last(.vote, etcds) != nil }
        #expect(kvd.log.contains("was a kvd and is none any more"))
        try waitUntil("a note that names nobody") {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            return KvdNote([UInt8](bytes))?.members == []
        }
        try checkWords(etcds)
    }

    private func leave(_ note: KvdNote, in path: String) throws -> String {
        let directory = try DataDirectory.open(path, storage: PosixStorage())
        try directory.leave(note)
        return directory.kvdNotePath
    }

    /// The captured member dials its streams, and reads in them what 2.3 reads.
    private func checkStreams(
        _ etcds: ReplayedMembers, _ term: UInt64, _ answer: () throws -> Void
    ) throws {
        let stream = try LoopbackHTTP(port: etcds.peerPort)
        try stream.send(etcds.captured("msgapp-follower-to-leader.req.http"))
        let head = try stream.readHead()
        #expect(head.status == 200 && head.headers["transfer-encoding"] == "chunked")
        #expect(head.headers["x-server-version"] == "2.3.8")
        #expect(head.headers["x-etcd-cluster-id"] == ReplayedMembers.cluster)
        // It answers one heartbeat by POST, and is sent what it lacks.
        _ = try etcds.post(
            Message(
                .heartbeatResponse, to: ReplayedMembers.m2, from: ReplayedMembers.m3, term: term))
        var bytes: [UInt8] = []
        stream.setTimeout(milliseconds: 20_000)
        while bytes.first == 0 || bytes.count < 9 {
            if bytes.first == 0 { bytes.removeFirst() }
            guard bytes.count < 9 else { continue }
            bytes += try #require(try stream.readChunk())
            try answer()
        }
        // The first frame after link heartbeats is a whole message: neither end knows anything yet.
        #expect(bytes[0] == 2)
        let size = bytes[1..<9].reduce(0) { $0 << 8 | Int($1) }
        while bytes.count < 9 + size { bytes += try #require(try stream.readChunk()) }
        let message = try Message.decode(Array(bytes[9..<(9 + size)]))
        #expect(message.kind == .append && message.to == ReplayedMembers.m3)
        #expect(message.term == term && message.context.isEmpty)
    }
}

/// Something that runs on a thread of its own.
final class ThreadResult<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value?

    var isDone: Bool { result != nil }
    var result: Value? { lock.withLock { value } }
    func set(_ new: Value) { lock.withLock { value = new } }
}

extension Thread {
    static func runs<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) -> ThreadResult<Value> {
        let result = ThreadResult<Value>()
        detachNewThread { result.set(body()) }
        return result
    }
}
