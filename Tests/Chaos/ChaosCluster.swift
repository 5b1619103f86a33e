import Foundation
import ProcessSupport

/// A cluster of real processes whose peer links go through a proxy.
package final class ChaosCluster {
    let folder: TemporaryFolder
    package private(set) var members: [ChaosMember] = []
    let proxy: PeerProxy
    /// Of the first member's, if there is one that can be filled.
    let smallDisk: SmallDisk?
    private let flags: [String]
    private var membersCount = 0

    /// All members run and answer.
    ///
    /// Timeouts are short, so that much happens in a minute. Snapshots are being taken most of the
    /// time, and the members compare what their stores hash to every few hundred entries.
    package init(
        size: Int, hasSmallDisk: Bool = false,
        flags: [String] = [
            "--heartbeat-interval", "30", "--election-timeout", "300", "--snapshot-count", "500",
            "--max-snapshots", "2", "--verify-every", "300",
        ]
    ) throws {
        folder = try TemporaryFolder()
        proxy = try PeerProxy()
        self.flags = flags
        smallDisk = hasSmallDisk ? SmallDisk.mount(in: folder) : nil
        members = try (0..<size).map { _ in try makeMember() }
        let cluster = initialCluster(members)
        for member in members {
            try member.start(cluster: cluster, isExisting: false, flags: flags)
        }
        try waitUntilAllServe()
    }

    deinit {
        for member in members { member.killNine() }
        proxy.stop()
        smallDisk?.unmount()
    }

    package var upMembers: [ChaosMember] { members.filter(\.isUp) }

    private func makeMember() throws -> ChaosMember {
        membersCount += 1
        let ports = try FreePorts.take(2)
        let isOnSmallDisk = membersCount == 1 && smallDisk != nil
        return ChaosMember(
            number: membersCount, folder: folder.url.path,
            dataDirectory: isOnSmallDisk
                ? "\(smallDisk?.path ?? "")/m1.etcd" : folder.path("m\(membersCount).etcd"),
            ports: ports, advertisedPort: try proxy.listen(for: membersCount, at: ports[1]))
    }

    private func initialCluster(_ members: [ChaosMember]) -> String {
        members.map { "\($0.name)=\($0.advertisedURL)" }.joined(separator: ",")
    }

    /// From its data dir.
    func start(_ member: ChaosMember) throws {
        try member.start(cluster: initialCluster(members), isExisting: false, flags: flags)
    }

    // MARK: Asking

    /// The one of the highest term that leads.
    func leader() -> ChaosMember? {
        let leaders = upMembers.compactMap { member -> (ChaosMember, Double)? in
            guard
                let metrics = try? member.client(timeoutMilliseconds: 500)
                    .request("GET", "/metrics").text
            else { return nil }
            let figures = ["kvd_raft_is_leader", "kvd_raft_term"].map {
                ChaosMember.figure($0, in: metrics)
            }
            guard figures[0] == 1, let term = figures[1] else { return nil }
            return (member, term)
        }
        return leaders.max { $0.1 < $1.1 }?.0
    }

    func waitForLeader() throws -> ChaosMember {
        var found: ChaosMember?
        try wait("a leader") {
            found = leader()
            return found != nil
        }
        guard let found else { preconditionFailure("waited for it") }
        return found
    }

    /// Every member takes a write, and the proxy knows them all.
    func waitUntilAllServe() throws {
        for member in members {
            try wait("\(member.name) takes writes") {
                guard let client = try? member.client(timeoutMilliseconds: 5000),
                    let answer = try? client.request("PUT", "/v2/keys/_ready", form: "value=1")
                else { return false }
                return answer.status == 200 || answer.status == 201
            }
        }
        try wait("the members' ids") { try learnIDs() }
    }

    private func learnIDs() throws -> Bool {
        guard let asked = upMembers.first,
            let answer = try? asked.client().request("GET", "/v2/members"),
            let list = answer.json["members"] as? [[String: Any]]
        else { return false }
        for entry in list {
            guard let id = entry["id"] as? String, let urls = entry["peerURLs"] as? [String],
                let member = members.first(where: { urls.contains($0.advertisedURL) })
            else { continue }
            member.id = id
            proxy.know(id, as: member.number)
        }
        return members.allSatisfy { !$0.id.isEmpty }
    }

    /// Waits by condition; a member that has ended, and was not to, is the end of it.
    func wait(_ what: String, _ condition: () throws -> Bool) throws {
        do {
            try waitUntil(what, within: Chaos.settlingTime) {
                for member in members { try member.checkRuns() }
                return try condition()
            }
        } catch let error as DeadlineExceeded {
            throw ChaosFailure("\(error)\n\(report)")
        }
    }

    /// What each member says of itself.
    private var report: String {
        members.map { member in
            let status = try? member.client().request("GET", "/v2/status").text
            return "\(member.name): \(status ?? "no answer")\n\(member.logTail)"
        }.joined(separator: "\n\n")
    }

    // MARK: Members come and go

    /// Adds a member and starts it; gives it when it takes writes.
    func grow() throws -> ChaosMember {
        let member = try makeMember()
        try wait("\(member.name) is added") {
            guard let asked = upMembers.randomElement(),
                let answer = try? asked.client(timeoutMilliseconds: 8000).json(
                    "POST", "/v2/members", #"{"peerURLs":["\#(member.advertisedURL)"]}"#)
            else { return false }
            // 409: an answer that was lost.
            guard answer.status == 201 || answer.status == 409 else { return false }
            return true
        }
        members.append(member)
        _ = try learnIDs()
        try member.start(cluster: initialCluster(members), isExisting: true, flags: flags)
        return member
    }

    /// Removes it, whether it runs or not.
    func remove(_ member: ChaosMember) throws {
        // Asked for from now on is the rest; the removed one may end at once.
        members.removeAll { $0 === member }
        try wait("\(member.name) is removed") {
            guard let asked = upMembers.randomElement(),
                let answer = try? asked.client(timeoutMilliseconds: 8000).json(
                    "DELETE", "/v2/members/\(member.id)", "")
            else { return false }
            return answer.status == 204 || answer.status == 410
        }
        guard let process = member.process else { return }
        try wait("the removed \(member.name) ends") { !process.isRunning }
        let status = process.wait()
        guard status == 0 else {
            throw ChaosFailure(
                "the removed \(member.name) ended with \(status):\n\(member.logTail)")
        }
    }

    // MARK: Coming to rest

    /// All members have the same store, to the last index.
    func waitUntilEqual() throws {
        try wait("all members have the same store") {
            var seen: Set<String> = []
            for member in members {
                guard let client = try? member.client(timeoutMilliseconds: 20_000),
                    let answer = try? client.request(
                        "GET", "/v2/keys/?recursive=true&sorted=true"),
                    answer.status == 200
                else { return false }
                seen.insert("\(answer.headers["x-etcd-index"] ?? "")\n\(answer.text)")
            }
            return seen.count == 1
        }
    }
}
