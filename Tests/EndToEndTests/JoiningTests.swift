import Chaos
import Foundation
import ProcessSupport
import RaftModel
import Storage
import Testing

/// Members that join a running cluster with `--initial-cluster-state existing`, on real processes.
@Suite(.serialized) struct JoiningTests {
    /// Entries alone, and a snapshot first.
    @Test(arguments: [false, true])
    func aFourthMemberJoinsAndCatchesUp(bySnapshot: Bool) throws {
        let timing = ["--heartbeat-interval", "20", "--election-timeout", "200"]
        let snapshots = bySnapshot ? ["--snapshot-count", "100"] : []
        let cluster = try GrowingCluster(size: 3, extra: timing + snapshots)
        let client = try cluster.members[0].client()
        for n in 0..<500 {
            let put = try client.request("PUT", "/v2/keys/\(n)", form: "value=\(n)")
            try #require(put.status == 201)
        }
        if bySnapshot {
            // After a restart what a member has in memory of its log begins behind its snapshot.
            for member in cluster.members { member.killNine() }
            for member in cluster.members { try cluster.start(member, isExisting: false) }
            for member in cluster.members { try member.waitReady() }
        }
        let fourth = try cluster.add()
        try cluster.start(fourth)
        try fourth.waitReady()
        let log = try #require(fourth.process).log
        #expect(log.contains("took a snapshot at index") == bySnapshot, "\(log)")
        for n in [0, 250, 499] {
            let get = try fourth.client().request("GET", "/v2/keys/\(n)")
            #expect(get.node["value"] as? String == "\(n)")
        }
        let own = try waitForMember(named: fourth.name, on: cluster.members[1])
        #expect(own["clientURLs"] as? [String] == [fourth.clientURL])
        #expect(own["peerURLs"] as? [String] == [fourth.peerURL])
        #expect(own["id"] as? String == fourth.id)
        // Listed with its name, it has been made a voter; of four, three are a quorum.
        cluster.members[0].killNine()
        try waitUntil("a write on the fourth", within: .seconds(20)) {
            try fourth.client().request("PUT", "/v2/keys/on", form: "value=1").status < 300
        }
        // From its own log now, whatever the flags say.
        fourth.killNine()
        try cluster.start(fourth)
        try fourth.waitReady()
        #expect(try fourth.client().request("GET", "/v2/keys/499").status == 200)
    }

    @Test func itWaitsWithAnEmptyLogOverRestarts() throws {
        let cluster = try GrowingCluster(size: 1)
        let second = try cluster.add()
        // Without its peer it gets its ids, and then no entry.
        try cluster.start(second)
        try waitUntil("the start") { second.process?.log.contains("starting member") == true }
        cluster.members[0].killNine()
        second.killNine()
        try cluster.start(second)
        try waitUntil("a start without a peer") {
            second.process?.log.contains("listening for client requests") == true
        }
        let early = try? second.client().request("GET", "/v2/members")
        #expect(early.map { $0.status } == 200)
        try cluster.start(cluster.members[0])
        try second.waitReady()
        _ = try waitForMember(named: second.name, on: cluster.members[0])
    }

    /// One of those asked accepts the question and never answers: the answer of another is enough.
    @Test func aMemberThatStandsStillHoldsUpNobodyWhoJoins() throws {
        let cluster = try GrowingCluster(size: 3)
        let fourth = try cluster.add()
        let still = cluster.members[1]
        still.process?.kill(SIGSTOP)
        defer { still.process?.kill(SIGCONT) }
        try cluster.start(fourth, waits: false)
        try waitUntil("the start; its log:\n\(fourth.process?.log ?? "")") {
            fourth.process?.log.contains("starting member") == true
        }
        let log = try #require(fourth.process).log
        #expect(!log.contains("could not get cluster response from"), "\(log)")
        still.process?.kill(SIGCONT)
        try fourth.waitReady()
    }

    /// Down while all that it knows were replaced, a member is told so, and what to do; with a present
    /// member's address it finds its way back. Also if it does not know that they were kvds: then its
    /// term has risen with each election that it stood for, and the leader's is a past one to it.
    @Test(arguments: [true, false])
    func aMemberWhoseOthersWereAllReplacedIsHelpedByTheFlags(knowsKvds: Bool) throws {
        let cluster = try GrowingCluster(size: 3)
        let sleeper = cluster.members[2]
        let note = "\(sleeper.dataDirectory)/member/kvds"
        try waitUntil("it has noted both") {
            let bytes = try? Data(contentsOf: URL(fileURLWithPath: note))
            return bytes.flatMap { KvdNote([UInt8]($0)) }?.members.count == 2
        }
        sleeper.killNine()
        if !knowsKvds { try FileManager.default.removeItem(atPath: note) }
        for old in [cluster.members[0], cluster.members[1]] {
            old.id = try #require(waitForMember(named: old.name, on: old)["id"] as? String)
            let newcomer = try cluster.add()
            try cluster.start(newcomer)
            try newcomer.waitReady()
            // It is a voter now: of four, three are there.
            try waitUntil("it votes") {
                let list = try newcomer.client().request("GET", "/v2/members").json["members"]
                return (list as? [[String: Any]])?.contains {
                    $0["id"] as? String == newcomer.id && $0["name"] as? String == newcomer.name
                } ?? false
            }
            try cluster.remove(old)
            old.killNine()
        }
        let present = cluster.members.filter { $0 !== sleeper }
        #expect(present.count == 2)
        // Who led may just have been taken away.
        try waitUntil("a write without them") {
            try present[0].client().request("PUT", "/v2/keys/late", form: "value=1").status < 300
        }
        // As it was started the first time.
        sleeper.process = try KvdProcess(
            arguments: try #require(sleeper.process).arguments, clientPort: sleeper.clientPort,
            logPath: sleeper.logPath)
        try waitUntil("the way out; its log:\n\(sleeper.process?.log ?? "")") {
            sleeper.process?.log.contains("with the present members in --initial-cluster") == true
        }
        func term(_ member: GrowingCluster.Member) throws -> Int {
            try #require(
                try member.client().request("GET", "/v2/status").json["term"] as? Int)
        }
        try waitUntil("elections that nobody answers") {
            let log = sleeper.process?.log ?? ""
            return knowsKvds
                ? log.components(separatedBy: "became pre-candidate").count > 3
                : try term(sleeper) > term(present[0]) + 3
        }
        sleeper.killNine()
        try cluster.start(sleeper, isExisting: false)
        try waitUntil("what it missed; its log:\n\(sleeper.process?.log ?? "")") {
            try sleeper.client().request("GET", "/v2/keys/late").status == 200
        }
        try sleeper.waitReady()
        try waitUntil("it knows what the new ones are") {
            try sleeper.client().request("GET", "/metrics").text
                .contains("\nkvd_raft_all_members_are_kvd 1\n")
        }
    }

    @Test func flagsThatDoNotMatchTheClusterAreRefused() throws {
        let cluster = try GrowingCluster(size: 1)
        let stranger = try cluster.makeMember()
        // Not added yet.
        try cluster.start(stranger, waits: false)
        #expect(stranger.process?.wait() == 1)
        var log = try #require(stranger.process).log
        #expect(log.contains("etcdmain: error validating peerURLs"), "\(log)")
        #expect(log.contains("member count is unequal"), "\(log)")
        #expect(log.contains("Set --initial-cluster to the value that"), "\(log)")
        // Added under another URL.
        try cluster.add(stranger, peerURL: "http://127.0.0.1:1")
        try cluster.start(stranger, waits: false)
        #expect(stranger.process?.wait() == 1)
        log = try #require(stranger.process).log
        #expect(log.contains("unmatched member while checking PeerURLs"), "\(log)")
    }

    @Test func nobodyAnswers() throws {
        let cluster = try GrowingCluster(size: 1)
        let second = try cluster.makeMember()
        cluster.members[0].killNine()
        try cluster.start(second, waits: false)
        #expect(second.process?.wait() == 1)
        let log = try #require(second.process).log
        #expect(
            log.contains(
                "W | etcdserver: could not get cluster response from \(cluster.members[0].peerURL)")
        )
        #expect(
            log.contains(
                "C | etcdmain: cannot fetch cluster info from peer urls: could not retrieve cluster "
                    + "information from the given urls"), "\(log)")
    }

    @Test func aMemberThatLostItsDataDoesNotComeBackUnderItsID() throws {
        let cluster = try GrowingCluster(size: 3)
        _ = try waitForMember(named: "m3", on: cluster.members[0])
        let victim = cluster.members[2]
        victim.killNine()
        try FileManager.default.removeItem(atPath: victim.dataDirectory)
        for isExisting in [false, true] {
            try cluster.start(victim, isExisting: isExisting, waits: false)
            #expect(victim.process?.wait() == 1)
            let log = try #require(victim.process).log
            #expect(log.contains("has already been bootstrapped"), "\(log)")
            #expect(log.contains("DELETE /v2/members/"), "\(log)")
        }
    }

    @Test func aMemberThatNeverStartedIsRemoved() throws {
        let cluster = try GrowingCluster(size: 3)
        let fourth = try cluster.add()
        try cluster.remove(fourth)
        let put = try cluster.members[0].client().request("PUT", "/v2/keys/a", form: "value=1")
        #expect(put.status == 201)
        let list = try cluster.members[0].client().request("GET", "/v2/members").text
        #expect(!list.contains(fourth.id))
    }

    @Test func aMemberRemovedWhileItWasDownEndsWhenItComesBack() throws {
        let cluster = try GrowingCluster(size: 3)
        let victim = cluster.members[2]
        victim.id = try #require(
            waitForMember(named: "m3", on: cluster.members[0])["id"] as? String)
        victim.killNine()
        try cluster.remove(victim)
        try cluster.start(victim, isExisting: false, waits: false)
        #expect(victim.process?.wait() == 0)
        let log = try #require(victim.process).log
        #expect(
            log.contains(
                "etcdserver: the member has been permanently removed from the cluster"), "\(log)")
        #expect(log.contains("etcdserver: the data-dir used by this member must be removed."))
        // Added again, under another id and with an empty dir.
        try FileManager.default.removeItem(atPath: victim.dataDirectory)
        let old = victim.id
        try cluster.add(victim, peerURL: victim.peerURL)
        #expect(victim.id != old)
        try cluster.start(victim)
        try victim.waitReady()
        #expect(
            try waitForMember(named: "m3", on: cluster.members[1])["id"] as? String == victim.id)
    }

    @Test func aDeadMemberIsReplacedUnderLoadAndNoWriteIsLost() throws {
        let cluster = try GrowingCluster(size: 3)
        let dead = cluster.members[1]
        dead.id = try #require(waitForMember(named: "m2", on: cluster.members[0])["id"] as? String)
        let writes = AcknowledgedWrites()
        let survivors = [cluster.members[0], cluster.members[2]]
        let first = writes.start(round: 0, ports: cluster.members.map(\.clientPort))
        try waitUntil("load") { writes.count > 100 }
        dead.killNine()
        // Those on the dead one end; those on the others may be failed by the change of leader.
        let second = writes.start(round: 1, ports: survivors.map(\.clientPort))
        try cluster.remove(dead)
        let newcomer = try cluster.add()
        try cluster.start(newcomer)
        try newcomer.waitReady()
        let third = writes.start(
            round: 2, ports: (survivors + [newcomer]).map(\.clientPort))
        try waitUntil("load on the new cluster") { writes.of(round: 2).count > 100 }
        // The other two lose one more: the newcomer's vote and log count.
        survivors[0].killNine()
        writes.stop()
        for group in [first, second, third] { group.wait() }
        writes.resume()
        try newcomer.waitReady()
        for round in 0...2 {
            let missing = try writes.missing(round: round, port: newcomer.clientPort)
            #expect(missing.isEmpty, "round \(round): \(missing.prefix(3))")
        }
    }

    private func waitForMember(
        named name: String, on member: GrowingCluster.Member
    ) throws -> [String: Any] {
        var found: [String: Any]?
        try waitUntil("a member named \(name)") {
            let list = try member.client().request("GET", "/v2/members").json["members"]
            found = (list as? [[String: Any]])?.first { $0["name"] as? String == name }
            return found != nil
        }
        return try #require(found)
    }
}

/// A cluster whose members come and go.
final class GrowingCluster {
    final class Member {
        let name: String
        let clientPort: Int
        let peerPort: Int
        let dataDirectory: String
        let logPath: String
        /// Of one that was added through the API.
        var id = ""
        var process: KvdProcess?

        init(name: String, folder: TemporaryFolder) throws {
            self.name = name
            let ports = try FreePorts.take(2)
            (clientPort, peerPort) = (ports[0], ports[1])
            dataDirectory = folder.path("\(name).etcd")
            logPath = folder.path("\(name).log")
        }

        var clientURL: String { "http://127.0.0.1:\(clientPort)" }
        var peerURL: String { "http://127.0.0.1:\(peerPort)" }

        func client() throws -> LoopbackHTTP { try LoopbackHTTP(port: clientPort) }

        func waitReady() throws {
            guard let process else { throw LoopbackHTTP.Failed(description: "\(name) is down") }
            try process.waitReady()
        }

        func killNine() {
            process?.kill(SIGKILL)
            process?.wait()
        }
    }

    private let folder: TemporaryFolder
    private let extra: [String]
    private var count = 0
    /// Those that are members, as far as this value was told.
    private(set) var members: [Member] = []

    /// The first members, running and ready.
    init(
        size: Int, extra: [String] = ["--heartbeat-interval", "20", "--election-timeout", "200"]
    ) throws {
        folder = try TemporaryFolder()
        self.extra = extra
        members = try (0..<size).map { _ in try makeMember() }
        for member in members { try start(member, isExisting: false) }
        for member in members { try member.waitReady() }
    }

    /// One that is no member yet.
    func makeMember() throws -> Member {
        count += 1
        return try Member(name: "m\(count)", folder: folder)
    }

    /// Adds a new member through the API; it is not started.
    func add() throws -> Member {
        let member = try makeMember()
        try add(member, peerURL: member.peerURL)
        return member
    }

    func add(_ member: Member, peerURL: String) throws {
        var answer: LoopbackHTTP.Response?
        try waitUntil("\(member.name) is added") {
            answer = try anyRunning().client().json(
                "POST", "/v2/members", #"{"peerURLs":["\#(peerURL)"]}"#)
            return answer?.status == 201
        }
        guard let id = answer?.json["id"] as? String else {
            throw LoopbackHTTP.Failed(description: "no id in \(answer?.text ?? "")")
        }
        member.id = id
        members.append(member)
    }

    func remove(_ member: Member) throws {
        let asked = try anyRunning(but: member)
        try waitUntil("\(member.name) is removed") {
            let status = try asked.client().json("DELETE", "/v2/members/\(member.id)", "").status
            return status == 204 || status == 410
        }
        members.removeAll { $0 === member }
    }

    private func anyRunning(but other: Member? = nil) throws -> Member {
        let found = members.first { $0 !== other && $0.process?.isRunning == true }
        guard let member = found else {
            throw LoopbackHTTP.Failed(description: "no member runs")
        }
        return member
    }

    /// - Parameter waits: until its ports are open.
    func start(_ member: Member, isExisting: Bool = true, waits: Bool = true) throws {
        var named = members
        if !named.contains(where: { $0 === member }) { named.append(member) }
        let cluster = named.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ",")
        let process = try KvdProcess(
            arguments: [
                "--name", member.name, "--data-dir", member.dataDirectory,
                "--listen-client-urls", member.clientURL,
                "--advertise-client-urls", member.clientURL,
                "--listen-peer-urls", member.peerURL,
                "--initial-advertise-peer-urls", member.peerURL,
                "--initial-cluster", cluster,
                "--initial-cluster-state", isExisting ? "existing" : "new",
            ] + extra,
            clientPort: member.clientPort, logPath: member.logPath)
        member.process = process
        guard waits else { return }
        try waitUntil("\(member.name) listens; its log:\n\(process.log)") {
            guard process.isRunning else {
                throw LoopbackHTTP.Failed(description: "kvd has ended; its log:\n\(process.log)")
            }
            return process.log.contains("listening for client requests")
        }
    }
}
