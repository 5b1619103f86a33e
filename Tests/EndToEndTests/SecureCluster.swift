import CertificateSupport
import Foundation
import ProcessSupport

/// Members whose client and peer ports both speak TLS and demand certificates.
final class SecureCluster {
    let folder: TemporaryFolder
    let authority: TestAuthority
    let client: TestAuthority.Issued
    private(set) var members: [Member] = []

    struct Member {
        let name: String
        let clientPort: Int
        let peerPort: Int
        let issued: TestAuthority.Issued
        var process: KvdProcess?

        var clientURL: String { "https://127.0.0.1:\(clientPort)" }
        var peerURL: String { "https://127.0.0.1:\(peerPort)" }
        var log: String { process?.log ?? "" }
    }

    init(size: Int) throws {
        folder = try TemporaryFolder()
        authority = try TestAuthority("one", in: folder.path("one"))
        client = try authority.issue("client", names: "", usages: "clientAuth")
        for _ in 0..<size { try add() }
    }

    /// One more, which is not started.
    func add() throws {
        let ports = try FreePorts.take(2)
        let name = "m\(members.count + 1)"
        members.append(
            Member(
                name: name, clientPort: ports[0], peerPort: ports[1],
                issued: try authority.issue(name)))
    }

    func start(_ n: Int, isExisting: Bool = false, adding more: [String] = []) throws {
        let member = members[n]
        let (issued, ca) = (member.issued, authority.certificate)
        members[n].process = try KvdProcess(
            arguments: [
                "--name", member.name, "--data-dir", folder.path("\(member.name).etcd"),
                "--listen-client-urls", member.clientURL,
                "--advertise-client-urls", member.clientURL,
                "--listen-peer-urls", member.peerURL,
                "--initial-advertise-peer-urls", member.peerURL,
                "--initial-cluster",
                members.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ","),
                "--initial-cluster-state", isExisting ? "existing" : "new",
                "--heartbeat-interval", "50", "--election-timeout", "500",
                "--cert-file", issued.certificate, "--key-file", issued.key,
                "--trusted-ca-file", ca, "--client-cert-auth",
                "--peer-cert-file", issued.certificate, "--peer-key-file", issued.key,
                "--peer-trusted-ca-file", ca, "--peer-client-cert-auth",
            ] + more,
            clientPort: member.clientPort, logPath: folder.path("\(member.name).log"))
    }

    func startAll() throws {
        for n in members.indices { try start(n) }
        for n in members.indices { try waitReady(n) }
    }

    func waitReady(_ n: Int) throws {
        try waitUntil("\(members[n].name) takes writes; its log:\n\(members[n].log)") {
            try put(n, "_ready", "1")
        }
    }

    func killNine(_ n: Int) {
        members[n].process?.kill(SIGKILL)
        members[n].process?.wait()
        members[n].process = nil
    }

    func put(_ n: Int, _ key: String, _ value: String) throws -> Bool {
        try curl(n, "/v2/keys/\(key)", ["-XPUT", "-d", "value=\(value)"]).output
            .contains(#""action":"set""#)
    }

    func get(_ n: Int, _ key: String) throws -> String {
        try curl(n, "/v2/keys/\(key)").output
    }

    /// Asks with the client's certificate, or with another, or with none.
    func curl(
        _ n: Int, _ path: String, _ more: [String] = [], with issued: TestAuthority.Issued?
    ) throws -> Command.Result {
        let own = issued.map { ["--cert", $0.certificate, "--key", $0.key] } ?? []
        return try Command.run(
            "/usr/bin/curl",
            ["-sS", "--max-time", "20", "--cacert", authority.certificate] + own + more + [
                members[n].clientURL + path
            ])
    }

    func curl(_ n: Int, _ path: String, _ more: [String] = []) throws -> Command.Result {
        try curl(n, path, more, with: client)
    }

    /// The subject of the certificate that a port shows.
    func subject(port: Int) throws -> String {
        let shown = try Command.run(
            "/usr/bin/openssl",
            [
                "s_client", "-connect", "127.0.0.1:\(port)", "-cert", client.certificate, "-key",
                client.key,
            ])
        let line = shown.output.split(separator: "\n").first { $0.hasPrefix("subject=") }
        return line.map(String.init) ?? shown.output
    }
}

/// Another program, run to its end.
enum Command {
    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    static func run(_ path: String, _ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // Short texts: neither fills its pipe while the other is read.
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        let complaints = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: complaints, as: UTF8.self))
    }
}
