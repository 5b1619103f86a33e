package import BenchCore
import Foundation
package import ProcessSupport

/// The kvd that is abused: a member alone, as a process of its own.
package final class Victim {
    package let cluster: KvdCluster
    package let clientPort: Endpoint
    package let peerPort: Endpoint
    /// As every answer tells it to anybody.
    package private(set) var clusterID = ""
    package private(set) var memberID = ""

    /// A history as short as the warm-up fills: what grows later has grown by the abuse.
    package static let flags = ["--history-events", "1000"]

    package init(adding flags: [String] = []) throws {
        cluster = try KvdCluster(size: 1, extra: Self.flags + flags)
        clientPort = try Endpoint(url: "http://127.0.0.1:\(cluster.clientPorts[0])")
        peerPort = try Endpoint(url: "http://127.0.0.1:\(cluster.peerPorts[0])")
        try cluster.start(0)
        try cluster.waitReady()
        let members = try cluster.client(0).request("GET", "/v2/members")
        clusterID = members.headers["x-etcd-cluster-id"] ?? ""
        let list = members.json["members"] as? [[String: Any]]
        memberID = list?.first?["id"] as? String ?? ""
        guard !clusterID.isEmpty, !memberID.isEmpty else {
            throw AbuseFailure("kvd does not say who it is: \(members.text)")
        }
    }

    /// What ended it, if it has ended.
    package var end: String? {
        guard let process = cluster.members[0] else { return "it was never started" }
        guard !process.isRunning else { return nil }
        return "kvd has ended, \(process.wait()); its log ends with:\n"
            + process.log.split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    package var log: String { cluster.members[0]?.log ?? "" }

    package func footprint() throws -> Footprint {
        guard let process = cluster.members[0] else { throw AbuseFailure("no process") }
        return try Footprint(of: process.processID)
    }

    /// When it has closed what was closed to it.
    package func restingFootprint() throws -> Footprint {
        var last = try footprint()
        var sameSince = ContinuousClock.now
        try waitUntil("descriptors that stay the same") {
            let now = try footprint()
            if now.descriptorCount != last.descriptorCount { sameSince = .now }
            last = now
            return ContinuousClock.now - sameSince > .milliseconds(300)
        }
        return last
    }

    package func request(
        _ method: String, _ path: String, form: String? = nil
    ) throws -> LoopbackHTTP.Response {
        try cluster.client(0).request(method, path, form: form)
    }

    /// Somebody who comes only now.
    func answersNewcomer() -> Bool {
        let client = try? LoopbackHTTP(port: cluster.clientPorts[0], timeout: .seconds(5))
        return (try? client?.request("GET", "/version").status) == 200
    }

    /// Takes descriptors away from the running process, as if others had used them up.
    func limitDescriptors(to count: Int) throws {
        guard let process = cluster.members[0] else { throw AbuseFailure("no process") }
        let prlimit = Process()
        prlimit.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
        prlimit.arguments = ["--pid", "\(process.processID)", "--nofile=\(count)"]
        try prlimit.run()
        prlimit.waitUntilExit()
        guard prlimit.terminationStatus == 0 else {
            throw AbuseFailure("prlimit: status \(prlimit.terminationStatus)")
        }
    }
}
