import CertificateSupport
import Foundation
import ProcessSupport
import Testing

/// TLS on both ports of real processes, with certificates that `openssl` made, and `curl` as client.
@Suite(.serialized) struct SecurityTests {
    @Test func threeMembersAndTheirClients() throws {
        let cluster = try SecureCluster(size: 3)
        try cluster.startAll()
        for n in 0..<3 { #expect(try cluster.put(n, "key\(n)", "value\(n)")) }
        for n in 0..<3 {
            try waitUntil("member \(n) has it all") {
                try (0..<3).allSatisfy { try cluster.get(n, "key\($0)").contains("value\($0)") }
            }
        }
        let members = try cluster.curl(0, "/v2/members").output
        for member in cluster.members {
            #expect(members.contains(member.peerURL) && members.contains(member.clientURL))
        }
        // A watch over TLS hears at once.
        let watch = try cluster.curl(1, "/v2/keys/key0?wait=true&waitIndex=1")
        #expect(watch.output.contains("value0"))

        let nobody = try cluster.curl(0, "/v2/keys", with: nil)
        #expect(nobody.status != 0 && nobody.output.isEmpty, "\(nobody)")
        let stranger = try TestAuthority("two", in: cluster.folder.path("two")).issue("spy")
        #expect(try cluster.curl(0, "/v2/keys", with: stranger).status != 0)
        // A client may be gone before the member has told of it.
        for line in [
            "W | etcdhttp: refused a TLS connection from 127.0.0.1: ",
            "it showed no certificate, which --client-cert-auth asks for",
            "subject CN=spy; names localhost, 127.0.0.1; issuer CN=two",
            "is not signed by a CA in --trusted-ca-file",
        ] {
            try waitUntil("in its log: \(line)") { cluster.members[0].log.contains(line) }
        }

        // Clients that forget the s, on either port.
        for port in [cluster.members[0].clientPort, cluster.members[0].peerPort] {
            let plain = try LoopbackHTTP(port: port).request("GET", "/version")
            #expect(plain.status == 400)
            #expect(
                plain.text
                    == "client sent plain HTTP to a TLS port; use https://127.0.0.1:\(port)\n")
        }
        #expect(try cluster.put(0, "after", "1"))
    }

    @Test func aMemberJoinsOverTLS() throws {
        let cluster = try SecureCluster(size: 1)
        try cluster.startAll()
        for n in 0..<50 { #expect(try cluster.put(0, "\(n)", "x")) }
        try cluster.add()
        let added = try cluster.curl(
            0, "/v2/members",
            [
                "-XPOST", "-H", "Content-Type: application/json", "-d",
                #"{"peerURLs":["\#(cluster.members[1].peerURL)"]}"#,
            ])
        #expect(added.output.contains(#""id""#), "\(added)")
        try cluster.start(1, isExisting: true)
        try cluster.waitReady(1)
        #expect(try cluster.get(1, "49").contains(#""value":"x""#))
    }

    /// New files at SIGHUP, and by themselves; broken ones change nothing. Writes go on meanwhile.
    @Test func certificatesAreRotatedWhileServing() throws {
        let cluster = try SecureCluster(size: 3)
        try cluster.startAll()
        #expect(try cluster.subject(port: cluster.members[0].clientPort).contains("CN = m1"))
        for (n, signals) in [(0, true), (1, false)] {
            let member = cluster.members[n]
            let fresh = try cluster.authority.issue("fresh\(n)")
            try replace(member.issued, by: fresh)
            if signals { member.process?.kill(SIGHUP) }
            try waitUntil("both ports of \(member.name) show the new one") {
                #expect(try cluster.put(n, "during", "1"))
                return try cluster.subject(port: member.clientPort).contains("CN = fresh\(n)")
                    && cluster.subject(port: member.peerPort).contains("CN = fresh\(n)")
            }
            #expect(member.log.contains("took up new certificate files: subject CN=fresh\(n);"))
            #expect(member.log.contains("received hangup signal") == signals)
        }
        // Connections between members are made anew with the new ones.
        cluster.killNine(2)
        try cluster.start(2)
        try cluster.waitReady(2)

        let member = cluster.members[0]
        try "rubbish".write(toFile: member.issued.certificate, atomically: true, encoding: .utf8)
        member.process?.kill(SIGHUP)
        try waitUntil("the fault is logged") {
            member.log.contains(
                "E | etcdhttp: --cert-file \(member.issued.certificate): has no certificate in PEM")
                && member.log.contains("E | rafthttp: --peer-cert-file")
        }
        #expect(try cluster.subject(port: member.clientPort).contains("CN = fresh0"))
        #expect(try cluster.put(0, "after", "1"))
        member.process?.kill(SIGTERM)
        #expect(member.process?.wait() == -SIGTERM)
    }

    private func replace(_ old: TestAuthority.Issued, by new: TestAuthority.Issued) throws {
        for (target, source) in [(old.certificate, new.certificate), (old.key, new.key)] {
            try Data(contentsOf: URL(fileURLWithPath: source))
                .write(to: URL(fileURLWithPath: target), options: .atomic)
        }
    }

    @Test func faultsOfFilesAreFoundBeforeTheStart() throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority("one", in: folder.path("one"))
        let old = try authority.issue("old", until: "20210203040506Z")
        let elsewhere = try authority.issue("m1", names: "DNS:m1.example")
        func check(_ more: [String]) throws -> Command.Result {
            try Command.run(
                ProcessSupport.executable("kvd").path,
                [
                    "--check", "--data-dir", folder.path("data"), "--name", "m1",
                    "--listen-client-urls", "https://127.0.0.1:1", "--advertise-client-urls",
                    "https://127.0.0.1:1",
                ] + more)
        }
        let expired = try check(["--cert-file", old.certificate, "--key-file", old.key])
        #expect(expired.status == 1)
        #expect(
            expired.errors.contains(
                "--cert-file \(old.certificate): the certificate (subject CN=old) has expired: "
                    + "field notAfter is 2021-02-03T04:05:06Z"), "\(expired.errors)")
        // All at once: a key that does not fit, and a missing file of the other port.
        let two = try check([
            "--cert-file", elsewhere.certificate, "--key-file", old.key, "--peer-cert-file",
            folder.path("none.pem"), "--peer-key-file", elsewhere.key,
        ])
        #expect(two.status == 1)
        #expect(
            two.errors.contains("is not the key of the certificate in \(elsewhere.certificate)"))
        #expect(two.errors.contains("--peer-cert-file \(folder.path("none.pem")): cannot be read"))
        let warned = try check(["--cert-file", elsewhere.certificate, "--key-file", elsewhere.key])
        #expect(warned.status == 0)
        #expect(
            warned.errors.contains(
                "the certificate is for m1.example (field subjectAltName), not for 127.0.0.1, the "
                    + "host of --advertise-client-urls"), "\(warned.errors)")
        let none = try check([])
        #expect(none.status == 1)
        #expect(none.errors.contains("cannot listen on TLS for 127.0.0.1:1: KeyFile and CertFile"))
        #expect(!FileManager.default.fileExists(atPath: folder.path("data")))
    }

    @Test func certificatesThatKvdMakes() throws {
        let folder = try TemporaryFolder()
        let ports = try FreePorts.take(2)
        let (client, peer) = ("https://127.0.0.1:\(ports[0])", "https://127.0.0.1:\(ports[1])")
        let certificate = folder.path("data/fixtures/client/cert.pem")
        var shown: [Data] = []
        for _ in 0..<2 {
            let process = try KvdProcess(
                arguments: [
                    "--name", "m1", "--data-dir", folder.path("data"), "--auto-tls",
                    "--peer-auto-tls", "--listen-client-urls", client, "--advertise-client-urls",
                    client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                    "--initial-cluster", "m1=\(peer)",
                ], clientPort: ports[0], logPath: folder.path("log"))
            try waitUntil("a write; the log:\n\(process.log)") {
                try Command.run(
                    "/usr/bin/curl",
                    [
                        "-sS", "--cacert", certificate, "-XPUT", "-d", "value=1",
                        "\(client)/v2/keys/a",
                    ]
                ).output.contains(#""action":"set""#)
            }
            #expect(!process.log.contains("found invalid file/dir"))
            shown.append(try Data(contentsOf: URL(fileURLWithPath: certificate)))
            process.kill(SIGTERM)
            process.wait()
        }
        #expect(shown[0] == shown[1])
    }

    @Test func tlsOnPortsWithoutItIsLogged() throws {
        let cluster = try KvdCluster(size: 1)
        try cluster.startAll()
        try cluster.waitReady()
        let process = try #require(cluster.members[0])
        for port in [cluster.clientPorts[0], cluster.peerPorts[0]] {
            for _ in 0..<3 {
                let answer = try Command.run(
                    "/usr/bin/curl", ["-sS", "-k", "https://127.0.0.1:\(port)/version"])
                #expect(answer.status != 0)
            }
        }
        try waitUntil("both lines") {
            process.log.contains("etcdhttp: a client at 127.0.0.1 speaks TLS to a port without it")
                && process.log.contains(
                    "rafthttp: a peer at 127.0.0.1 speaks TLS to a port without")
        }
        #expect(process.log.components(separatedBy: "speaks TLS to a port").count == 3)
    }
}
