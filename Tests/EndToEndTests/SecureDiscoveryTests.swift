import CertificateSupport
import Foundation
import ProcessSupport
import Testing

/// A discovery URL that begins with `https://`.
@Suite(.timeLimit(.minutes(5 * Patience.factor))) struct SecureDiscoveryTests {
    private let folder: TemporaryFolder
    private let authority: TestAuthority
    private let ports: [Int]

    init() throws {
        folder = try TemporaryFolder()
        authority = try TestAuthority("one", in: folder.path("one"))
        ports = try FreePorts.take(4)
    }

    private var service: String { "https://127.0.0.1:\(ports[0])" }

    private func startService(_ issued: TestAuthority.Issued) throws -> KvdProcess {
        let process = try KvdProcess(
            arguments: [
                "discovery", "--data-dir", folder.path("s.etcd"), "--listen-client-urls", service,
                "--listen-peer-urls", "http://127.0.0.1:\(ports[1])", "--cert-file",
                issued.certificate, "--key-file", issued.key,
            ], clientPort: ports[0], logPath: folder.path("s.log"))
        try waitUntil("the service answers; its log:\n\(process.log)") {
            try curl("/health").contains("true")
        }
        return process
    }

    /// Whoever asks here does not look at the certificate: that is the member's business.
    private func curl(_ path: String) throws -> String {
        try Command.run("/usr/bin/curl", ["-sSk", "--max-time", "20", service + path]).output
    }

    private func startMember(
        _ url: String, trusting file: String?, adding more: [String] = []
    ) throws -> KvdProcess {
        let client = "http://127.0.0.1:\(ports[2])"
        let peer = "http://127.0.0.1:\(ports[3])"
        return try KvdProcess(
            arguments: [
                "--name", "m1", "--data-dir", folder.path("m1.etcd"),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--discovery", url,
            ] + more,
            clientPort: ports[2], logPath: folder.path("m1.log"),
            environment: file.map { ["SSL_CERT_FILE": $0] } ?? [:])
    }

    private func expectLine(_ member: KvdProcess, _ words: String...) throws {
        try waitUntil("a line with \(words) in:\n\(member.log)") {
            member.log.split(separator: "\n").contains { line in words.allSatisfy(line.contains) }
        }
    }

    @Test func aClusterIsFormed() throws {
        let process = try startService(authority.issue("disc"))
        let url = try curl("/new?size=1")
        #expect(url.hasPrefix(service + "/"), "\(url)")
        let member = try startMember(url, trusting: authority.certificate)
        try member.waitReady()
        withExtendedLifetime(process) {}
    }

    @Test func anUnknownAuthority() throws {
        let process = try startService(authority.issue("disc"))
        let member = try startMember(curl("/new?size=1"), trusting: nil)
        try expectLine(
            member, "error #0: \(service): its certificate (subject CN=disc; names localhost",
            "is not signed by a certificate authority that this machine trusts", "SSL_CERT_FILE")
        withExtendedLifetime(process) {}
    }

    @Test func anotherHost() throws {
        let process = try startService(authority.issue("disc", names: "DNS:disc.example"))
        let member = try startMember(curl("/new?size=1"), trusting: authority.certificate)
        try expectLine(
            member, "error #0: \(service): its certificate (subject CN=disc; names disc.example;",
            "is not for 127.0.0.1, the host of the URL")
        withExtendedLifetime(process) {}
    }

    @Test func aFileThatIsNone() throws {
        let process = try startService(authority.issue("disc"))
        let member = try startMember(
            curl("/new?size=1"), trusting: folder.path("none.pem"))
        try expectLine(member, "error #0: \(service): SSL_CERT_FILE", "none.pem")
        withExtendedLifetime(process) {}
    }
}
