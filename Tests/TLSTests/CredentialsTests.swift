import CertificateSupport
import FixtureSupport
import Foundation
import Testing

@testable import TLS

/// What is said of certificate files, before any connection.
@Suite struct CredentialsTests {
    private let directory: TemporaryDirectory
    private let authority: TestAuthority

    init() throws {
        directory = try TemporaryDirectory()
        authority = try TestAuthority("one", in: "\(directory.path)/one")
    }

    private func files(
        _ issued: TestAuthority.Issued, port: TLSFiles.Port = .peer, auth: Bool = true
    ) -> TLSFiles {
        TLSFiles(
            port: port, certificate: issued.certificate, key: issued.key,
            trustedCAs: [authority.certificate], requiresClientCertificate: auth)
    }

    private func faults(_ files: TLSFiles) -> [TLSFault] {
        do throws(TLSFaults) {
            _ = try Credentials(files)
            return []
        } catch {
            return error.list
        }
    }

    private func write(_ text: String, _ name: String) throws -> String {
        let path = "\(directory.path)/\(name)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private func findings(
        _ issued: TestAuthority.Issued, hosts: [String] = ["127.0.0.1"], now: Int64? = nil,
        port: TLSFiles.Port = .peer
    ) throws -> TLSFindings {
        CertificateChecks(
            credentials: try Credentials(files(issued, port: port)),
            now: now ?? PortSecurity.unixSeconds()
        ).findings(hosts: hosts, urls: "--initial-advertise-peer-urls")
    }

    @Test func goodOnes() throws {
        let issued = try authority.issue("m1", keyUsage: "digitalSignature")
        let credentials = try Credentials(files(issued))
        #expect(credentials.server != nil && credentials.client != nil)
        let leaf = try #require(credentials.own.first)
        #expect(leaf.subject == "CN=m1" && leaf.issuer == "CN=one,O=kvd tests")
        #expect(leaf.dnsNames == ["localhost"] && leaf.addresses == ["127.0.0.1"])
        #expect(try findings(issued) == TLSFindings())
    }

    @Test func filesThatCannotBeUsed() throws {
        let issued = try authority.issue("m1")
        let missing = "\(directory.path)/missing.pem"
        let empty = try write("", "empty.pem")
        let rubbish = try write(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "rubbish.pem")
        let noKey = try write(
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "rubbish.key")
        var files = files(issued)
        (files.certificate, files.key, files.trustedCAs) = (missing, empty, [rubbish])
        // All at once.
        let found = faults(files)
        #expect(found.count == 3)
        #expect(
            found.map(\.flag) == ["--peer-cert-file", "--peer-key-file", "--peer-trusted-ca-file"])
        #expect(found[0].text.contains("\(missing): cannot be read: No such file"))
        #expect(found[1].code == .empty(.privateKey))
        #expect(found[2].text.contains("has a certificate that cannot be read"))
        files = self.files(issued, port: .client)
        files.key = noKey
        let one = faults(files)
        #expect(one.map(\.flag) == ["--key-file"])
        #expect(one.first?.text.contains("has a private key that cannot be read") == true)
        files.key = directory.path
        #expect(faults(files).first?.text.contains("cannot be read") == true)
    }

    @Test func aKeyThatIsEncrypted() throws {
        let issued = try authority.issue("m1")
        try TestAuthority.openssl(
            [
                "pkcs8", "-topk8", "-in", issued.key, "-out", "secret.key", "-passout",
                "pass:secret",
            ], in: authority.folder)
        var files = files(issued)
        files.key = "\(authority.folder)/secret.key"
        let fault = try #require(faults(files).first)
        #expect(fault.code == .encryptedKey)
        #expect(fault.advice.contains("openssl pkey -in \(authority.folder)/secret.key"))
    }

    @Test func aKeyOfAnotherCertificate() throws {
        let issued = try authority.issue("m1")
        var files = files(issued)
        files.key = try authority.issue("m2").key
        #expect(
            faults(files).map(\.code) == [
                .keyMismatch(certificate: issued.certificate, subject: "CN=m1")
            ])
    }

    @Test func dates() throws {
        let old = try authority.issue("old", until: "20210203040506Z")
        let expired = try findings(old).faults
        #expect(expired.count == 1)
        #expect(
            expired.first?.text
                == "--peer-cert-file \(old.certificate): the certificate (subject CN=old) has "
                + "expired: field notAfter is 2021-02-03T04:05:06Z")
        let early = try authority.issue("early", from: "20450101000000Z")
        #expect(
            try findings(early).faults.first?.text.contains(
                "not valid yet: field notBefore is 2045-01-01T00:00:00Z") == true)
        let soon = try authority.issue("soon", until: TestAuthority.date(inDays: 29))
        let warnings = try findings(soon).warnings
        #expect(warnings.count == 1)
        guard case .expiresSoon("CN=soon", _)? = warnings.first?.code else {
            Issue.record("\(warnings)")
            return
        }
        let later = try authority.issue("later", until: TestAuthority.date(inDays: 31))
        #expect(try findings(later) == TLSFindings())
    }

    @Test func hostsThatItIsNotFor() throws {
        let issued = try authority.issue("m1", names: "IP:10.0.0.1,DNS:*.example.com,DNS:A.b")
        #expect(
            try findings(issued, hosts: ["10.0.0.1", "m1.example.com", "a.B"]).warnings.isEmpty)
        let wrong = try findings(
            issued, hosts: ["10.0.0.2", "a.b", "x.m1.example.com", "example.com"])
        #expect(
            wrong.warnings.map(\.code) == [
                .notForHosts(
                    ["10.0.0.2", "x.m1.example.com", "example.com"],
                    names: "*.example.com, A.b, 10.0.0.1", urls: "--initial-advertise-peer-urls")
            ])
        // Without names the subject's counts, for names only.
        let plain = try authority.issue("m3", names: "")
        #expect(try findings(plain, hosts: ["m3"]).warnings.isEmpty)
        #expect(try findings(plain, hosts: ["m4"]).warnings.count == 1)
    }

    @Test func uses() throws {
        let client = try authority.issue("c", usages: "clientAuth")
        #expect(
            try findings(client).warnings.map(\.code).contains {
                if case .usage("serverAuth", _) = $0 { true } else { false }
            })
        // A member is a client too, of other members.
        let server = try authority.issue("s", usages: "serverAuth")
        #expect(try findings(server).warnings.count == 1)
        #expect(try findings(server, port: .client).warnings.isEmpty)
        // BoringSSL does not take such a key of an elliptic curve at all; others can do something else.
        let curve = try authority.issue("e", keyUsage: "keyEncipherment")
        #expect(faults(files(curve)).map(\.code) == [.noSignatures("CN=e")])
        let rsa = try authority.issue("r", keyUsage: "keyEncipherment", isRSA: true)
        #expect(try findings(rsa).warnings.map(\.code) == [.noSignatures("CN=r")])
        let any = try authority.issue("a", usages: "")
        #expect(try findings(any) == TLSFindings())
    }

    @Test func theIssuerOnThePeerPort() throws {
        let stranger = try TestAuthority("two", in: "\(directory.path)/two").issue("m1")
        let warning = try #require(try findings(stranger).warnings.first)
        #expect(warning.text.contains("the certificate's issuer is CN=two,O=kvd tests"))
        #expect(warning.text.contains("not a CA in --peer-trusted-ca-file"))
        #expect(try findings(stranger, port: .client).warnings.isEmpty)
    }

    @Test func aChainLeadsToTheIssuer() throws {
        let middle = try authority.issue("middle", names: "", usages: "", isAuthority: true)
        // An authority of its own, with the key that the first one has signed.
        let second = try TestAuthority("middle", in: "\(directory.path)/middle")
        let manager = FileManager.default
        try manager.removeItem(atPath: "\(second.folder)/ca.key")
        try manager.removeItem(atPath: second.certificate)
        try manager.copyItem(atPath: middle.key, toPath: "\(second.folder)/ca.key")
        try manager.copyItem(atPath: middle.certificate, toPath: second.certificate)
        let leaf = try second.issue("m1")
        #expect(try findings(leaf).warnings.count == 1)
        let chain =
            try String(contentsOfFile: leaf.certificate, encoding: .utf8)
            + String(contentsOfFile: middle.certificate, encoding: .utf8)
        try chain.write(toFile: leaf.certificate, atomically: true, encoding: .utf8)
        #expect(try findings(leaf) == TLSFindings())
    }

    @Test func everyFaultSaysWhatToDo() {
        let codes: [TLSFault.Code] = [
            .unreadable("x"), .empty(.certificate), .malformed(.privateKey, "x"), .encryptedKey,
            .keyMismatch(certificate: "c", subject: "s"), .expired(subject: "s", at: 0),
            .notYetValid(subject: "s", from: 0), .expiresSoon(subject: "s", at: 0),
            .notForHosts(["h"], names: "n", urls: "u"), .usage("serverAuth", of: "x"),
            .noSignatures("s"), .unknownIssuer("i", trust: "t"), .other("x"),
        ]
        for code in codes {
            let fault = TLSFault(code: code, flag: "--cert-file", file: "/c")
            #expect(fault.text.hasPrefix("--cert-file /c: ") && fault.advice.hasSuffix("."))
        }
    }

    @Test func selfSignedOnesAreKeptWhileTheyFit() throws {
        let own = SelfSigned(.peer, dataDirectory: "\(directory.path)/data")
        #expect(try own.prepare(hosts: ["127.0.0.1", "localhost", "::1"]))
        #expect(own.files.certificate == "\(directory.path)/data/fixtures/peer/cert.pem")
        let first = try Credentials(own.files)
        let leaf = try #require(first.own.first)
        #expect(leaf.dnsNames == ["localhost"] && leaf.addresses == ["127.0.0.1", "::1"])
        #expect(leaf.isFor("::1"))
        #expect(
            CertificateChecks(credentials: first, now: PortSecurity.unixSeconds())
                .findings(hosts: ["127.0.0.1"], urls: "") == TLSFindings())
        let isMadeAgain = try own.prepare(hosts: ["::1"])
        #expect(!isMadeAgain)
        #expect(try own.prepare(hosts: ["10.0.0.1"]))
        let attributes = try FileManager.default.attributesOfItem(atPath: own.files.key ?? "")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
}
