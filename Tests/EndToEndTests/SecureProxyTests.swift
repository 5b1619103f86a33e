import CertificateSupport
import Foundation
import ProcessSupport
import Testing

/// `kvd --proxy` on a TLS port, before members whose ports all speak TLS and demand certificates.
@Suite(.timeLimit(.minutes(5 * Patience.factor))) struct SecureProxyTests {
    private let cluster: SecureCluster
    private let port: Int
    private let own: TestAuthority.Issued

    init() throws {
        cluster = try SecureCluster(size: 3)
        port = try FreePorts.take(1)[0]
        own = try cluster.authority.issue("proxy")
    }

    private func start(_ name: String, _ files: [String]) throws -> KvdProcess {
        let members = cluster.members.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ",")
        return try KvdProcess(
            arguments: [
                "--proxy", "on", "--data-dir", cluster.folder.path("\(name).etcd"),
                "--initial-cluster", members,
            ] + files,
            clientPort: port, logPath: cluster.folder.path("\(name).log"))
    }

    private var listening: [String] {
        [
            "--listen-client-urls", "https://127.0.0.1:\(port)", "--cert-file", own.certificate,
            "--key-file", own.key, "--trusted-ca-file", cluster.authority.certificate,
            "--client-cert-auth",
        ]
    }

    private var calling: [String] {
        [
            "--peer-cert-file", own.certificate, "--peer-key-file", own.key,
            "--peer-trusted-ca-file", cluster.authority.certificate,
        ]
    }

    private func curl(
        _ path: String, _ more: [String] = [], with issued: TestAuthority.Issued?
    ) throws -> Command.Result {
        let shown = issued.map { ["--cert", $0.certificate, "--key", $0.key] } ?? []
        return try Command.run(
            "/usr/bin/curl",
            ["-sS", "--max-time", "20", "--cacert", cluster.authority.certificate] + shown + more
                + ["https://127.0.0.1:\(port)\(path)"])
    }

    private func waitForWrite(_ key: String, _ proxy: KvdProcess) throws {
        try waitUntil("a write through the proxy; its log:\n\(proxy.log)") {
            try curl("/v2/keys/\(key)", ["-XPUT", "-d", "value=1"], with: cluster.client).output
                .contains(#""action":"set""#)
        }
    }

    @Test func bothSidesSpeakTLS() throws {
        try cluster.startAll()
        let proxy = try start("proxy", listening + calling)
        try waitForWrite("a", proxy)
        #expect(proxy.log.contains("proxy: endpoints found [\"https://127.0.0.1:"))
        #expect(
            try curl("/v2/keys/a?quorum=true", with: cluster.client).output
                .contains(#""value":"1""#))
        let watched = try curl("/v2/keys/a?wait=true&waitIndex=1", with: cluster.client)
        #expect(watched.output.contains(#""action":"set""#), "\(watched)")
        // A body that is longer than any buffer on the way.
        let long = cluster.folder.path("long")
        try "value=\(String(repeating: "x", count: 3 << 20))"
            .write(toFile: long, atomically: true, encoding: .utf8)
        let put = try curl(
            "/v2/keys/long", ["-XPUT", "-o", "/dev/null", "-w", "%{http_code}", "-d", "@\(long)"],
            with: cluster.client)
        #expect(put.output == "201")
        let get = try curl(
            "/v2/keys/long", ["-o", "/dev/null", "-w", "%{size_download}"], with: cluster.client)
        #expect((Int(get.output) ?? 0) > 3 << 20, "\(get)")
        // Who may not speak to a member may not to the proxy.
        let nobody = try curl("/v2/keys/a", with: nil)
        #expect(nobody.status != 0 && nobody.output.isEmpty, "\(nobody)")
        #expect(proxy.log.contains("it showed no certificate, which --client-cert-auth asks for"))
        let plain = try LoopbackHTTP(port: port).request("GET", "/version")
        #expect(plain.status == 400)
        // Members come and go.
        for n in 0..<3 {
            cluster.killNine(n)
            try waitForWrite("without\(n)", proxy)
            try cluster.start(n)
            try cluster.waitReady(n)
        }
        // New files without a restart.
        let fresh = try cluster.authority.issue("fresh")
        for (file, new) in [(own.certificate, fresh.certificate), (own.key, fresh.key)] {
            try FileManager.default.removeItem(atPath: file)
            try FileManager.default.copyItem(atPath: new, toPath: file)
        }
        proxy.kill(SIGHUP)
        try waitUntil("the new one is shown") {
            try cluster.subject(port: port).contains("CN = fresh")
        }
        try waitForWrite("after", proxy)
    }

    /// Who gives one set of files only means it for both sides.
    @Test func theClientPortsFilesAreLent() throws {
        try cluster.startAll()
        let proxy = try start("proxy", listening)
        try waitForWrite("a", proxy)
    }

    @Test func itSaysWhichRuleFailed() throws {
        try cluster.startAll()
        let other = try TestAuthority("two", in: cluster.folder.path("two"))
        let proxy = try start(
            "proxy",
            [
                "--listen-client-urls", "http://127.0.0.1:\(port)", "--peer-trusted-ca-file",
                other.certificate,
            ])
        var message = ""
        try waitUntil("the reason; the proxy's log:\n\(proxy.log)") {
            guard let client = try? LoopbackHTTP(port: port) else { return false }
            let answer = try client.request("GET", "/v2/keys/a")
            message = answer.json["message"] as? String ?? ""
            return answer.status == 503 && message.contains("certificate")
        }
        #expect(message.contains("is not signed by a CA in --peer-trusted-ca-file"), "\(message)")
    }
}
