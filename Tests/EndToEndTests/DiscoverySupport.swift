import Foundation
import ProcessSupport
import Testing

/// A process whose keys hold discovery tokens.
final class DiscoveryHost {
    let process: KvdProcess
    private let folder: TemporaryFolder

    /// A real etcd with the v2 API, if one is on PATH.
    static let etcd: URL? = find("etcd")

    static func find(_ program: String) -> URL? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return "\(path):/usr/sbin".split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
            .map { URL(fileURLWithPath: $0) }
    }

    private init(_ process: KvdProcess, _ folder: TemporaryFolder) {
        (self.process, self.folder) = (process, folder)
    }

    /// `kvd discovery`; ready when it returns, but for one of several.
    static func service(
        _ extra: [String] = [], clientPort: Int? = nil, peerPort: Int? = nil
    ) throws -> DiscoveryHost {
        let folder = try TemporaryFolder()
        let ports = try FreePorts.take(2)
        let client = clientPort ?? ports[0]
        let process = try KvdProcess(
            arguments: [
                "discovery", "--data-dir", folder.path("s.etcd"),
                "--listen-client-urls", "http://127.0.0.1:\(client)",
                "--listen-peer-urls", "http://127.0.0.1:\(peerPort ?? ports[1])",
            ] + extra, clientPort: client, logPath: folder.path("s.log"))
        let host = DiscoveryHost(process, folder)
        // One of several answers only when the others are there.
        guard clientPort == nil else { return host }
        try waitUntil("the service answers; its log:\n\(process.log)") {
            try (try? host.client())?.request("GET", "/health").status == 200
        }
        return host
    }

    /// A single member, kvd's or etcd's.
    static func member(
        executable: URL = ProcessSupport.executable("kvd")
    ) throws -> DiscoveryHost {
        let folder = try TemporaryFolder()
        let ports = try FreePorts.take(2)
        let urls = ports.map { "http://127.0.0.1:\($0)" }
        let isEtcd = executable.lastPathComponent == "etcd"
        let process = try KvdProcess(
            executable: executable,
            arguments: [
                "--name", "host", "--data-dir", folder.path("h.etcd"),
                "--listen-client-urls", urls[0], "--advertise-client-urls", urls[0],
                "--listen-peer-urls", urls[1], "--initial-advertise-peer-urls", urls[1],
                "--initial-cluster", "host=\(urls[1])",
            ] + (isEtcd ? ["--enable-v2"] : []),
            clientPort: ports[0], logPath: folder.path("h.log"))
        try process.waitReady()
        return DiscoveryHost(process, folder)
    }

    func client() throws -> LoopbackHTTP { try LoopbackHTTP(port: process.clientPort) }

    /// Of the service: a URL from `/new`.
    func newToken(size: Int) throws -> String {
        var url = ""
        try waitUntil("a token; its log:\n\(process.log)") {
            guard let answer = try? client().request("GET", "/new?size=\(size)") else {
                return false
            }
            url = answer.text
            return answer.status == 200
        }
        return url
    }

    /// Of a plain member: a token made by hand.
    func makeToken(_ token: String, size: Int) throws -> String {
        let path = "/v2/keys/_etcd/registry/\(token)"
        let answer = try client().request("PUT", "\(path)/_config/size", form: "value=\(size)")
        guard answer.status == 201 else {
            throw LoopbackHTTP.Failed(description: "status \(answer.status): \(answer.text)")
        }
        return "http://127.0.0.1:\(process.clientPort)\(path)"
    }
}

/// Members that know nothing of each other but a discovery URL, or a domain.
final class DiscoveredCluster {
    let url: String
    private(set) var members: [KvdProcess?]
    let clientPorts: [Int]
    let peerPorts: [Int]
    private let size: Int
    private let folder: TemporaryFolder
    private let executable: URL
    private let extra: [String]
    private let source: [String]
    private let dashes: String

    /// - Parameter clientPorts: of the first members; the others have free ones.
    init(
        _ url: String, size: Int = 3, source: [String]? = nil, clientPorts: [Int] = [],
        executable: URL = ProcessSupport.executable("kvd"), extra: [String] = [],
        usesSingleDashes: Bool = false
    ) throws {
        self.url = url
        self.size = size
        self.source = source ?? ["--discovery", url]
        self.executable = executable
        self.extra = extra
        dashes = usesSingleDashes ? "-" : "--"
        folder = try TemporaryFolder()
        // Two more than the cluster has places, for those who come too late.
        let ports = try FreePorts.take(2 * (size + 2))
        self.clientPorts = clientPorts + ports[clientPorts.count..<size + 2]
        peerPorts = Array(ports[(size + 2)...])
        members = Array(repeating: nil, count: size)
    }

    var token: Substring { url.suffix(32) }

    func dataDirectory(_ n: Int) -> String { folder.path("m\(n + 1).etcd") }

    func process(_ n: Int, adding more: [String] = []) throws -> KvdProcess {
        let client = "http://127.0.0.1:\(clientPorts[n])"
        let peer = "http://127.0.0.1:\(peerPorts[n])"
        let flags =
            [
                "--name", "m\(n + 1)", "--data-dir", dataDirectory(n),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--heartbeat-interval", "20", "--election-timeout", "200",
            ] + source + extra + more
        return try KvdProcess(
            executable: executable,
            arguments: flags.map { $0.hasPrefix("--") ? dashes + $0.dropFirst(2) : $0 },
            clientPort: clientPorts[n], logPath: folder.path("m\(n + 1).log"))
    }

    func start(_ n: Int, adding more: [String] = []) throws {
        members[n] = try process(n, adding: more)
    }

    func killNine(_ n: Int) {
        members[n]?.kill(SIGKILL)
        members[n]?.wait()
        members[n] = nil
    }

    func client(_ n: Int) throws -> LoopbackHTTP { try LoopbackHTTP(port: clientPorts[n]) }

    func waitForLog(_ n: Int, _ text: String) throws {
        try waitUntil("member \(n + 1) writes \(text); its log:\n\(members[n]?.log ?? "")") {
            members[n]?.log.contains(text) ?? false
        }
    }

    /// All answer, all are in it, and what one writes the others read.
    func checkFormed() throws {
        for member in members { try member?.waitReady() }
        let lists = try members.indices.map { n in
            try client(n).request("GET", "/v2/members").json["members"] as? [[String: Any]] ?? []
        }
        for list in lists {
            #expect(Set(list.compactMap { $0["id"] as? String }).count == size)
            let urls = list.compactMap { ($0["peerURLs"] as? [String])?.first }
            #expect(Set(urls) == Set(peerPorts[..<size].map { "http://127.0.0.1:\($0)" }))
        }
        let put = try client(0).request("PUT", "/v2/keys/foo", form: "value=bar")
        #expect(put.status == 201)
        for n in members.indices {
            let get = try client(n).request("GET", "/v2/keys/foo?quorum=true")
            #expect(get.node["value"] as? String == "bar")
        }
    }
}
