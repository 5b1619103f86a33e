import CertificateSupport
import Cluster
import FixtureSupport
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import TLS
@testable import Transport

/// Connections on loopback, good and bad: who is refused, and what both sides say of it.
@Suite(.timeLimit(.minutes(3))) struct HandshakeTests {
    private let directory: TemporaryDirectory
    private let authority: TestAuthority
    private let stranger: TestAuthority
    private let member: TestAuthority.Issued

    init() throws {
        directory = try TemporaryDirectory()
        authority = try TestAuthority("one", in: "\(directory.path)/one")
        stranger = try TestAuthority("two", in: "\(directory.path)/two")
        member = try authority.issue("m1")
    }

    private func files(
        _ issued: TestAuthority.Issued?, trusting: TestAuthority? = nil, auth: Bool = true
    ) -> TLSFiles {
        TLSFiles(
            port: .peer, certificate: issued?.certificate, key: issued?.key,
            trustedCAs: [(trusting ?? authority).certificate], requiresClientCertificate: auth)
    }

    /// Serves with `files` while `body` runs.
    private func serving(
        _ files: TLSFiles, handshakeTimeout: TimeAmount = .seconds(60),
        _ body: (SecureServer) async throws -> Void
    ) async throws {
        let server = try await SecureServer(files, handshakeTimeout: handshakeTimeout)
        do { try await body(server) } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    private func expectLine(_ server: SecureServer, _ words: String...) async throws {
        try await eventually("a line with \(words) in:\n\(server.log.text)") {
            words.allSatisfy(server.log.text.contains)
        }
    }

    private func expectAnswer(
        _ words: String, of url: EndpointURL, with files: TLSFiles
    ) async throws {
        let answer = try await call(url, with: files)
        #expect(answer.contains(words), "\(answer)")
    }

    /// With TLS 1.3 a caller is done before its certificate is looked at: whether it still reads the
    /// alert, or finds the connection gone, is a matter of luck. The server's line is not.
    private func expectRefusal(of url: EndpointURL, with files: TLSFiles) async throws {
        let answer = try await call(url, with: files)
        #expect(answer != "ok" && answer.hasPrefix("\(url): "), "\(answer)")
    }

    @Test func membersKnowEachOther() async throws {
        try await serving(files(member)) { server in
            try await expectAnswer("ok", of: server.url, with: files(member))
            let byName = EndpointURL(scheme: .https, host: "localhost", port: server.url.port)
            try await expectAnswer("ok", of: byName, with: files(member))
            #expect(server.log.text.isEmpty)
        }
    }

    @Test func aCallerOfAnotherAuthority() async throws {
        let other = try stranger.issue("spy", names: "DNS:spy.example")
        try await serving(files(member)) { server in
            try await expectRefusal(of: server.url, with: files(other))
            try await expectLine(
                server, "W | tls: refused a TLS connection from 127.0.0.1: ", "subject CN=spy",
                "names spy.example", "issuer CN=two,O=kvd tests",
                "is not signed by a CA in --peer-trusted-ca-file \(authority.certificate)")
        }
    }

    @Test func aCallerWithoutCertificate() async throws {
        try await serving(files(member)) { server in
            try await expectRefusal(of: server.url, with: files(nil))
            try await expectLine(
                server, "it showed no certificate, which --peer-client-cert-auth asks for")
        }
        try await serving(files(member, auth: false)) { server in
            try await expectAnswer("ok", of: server.url, with: files(nil))
        }
    }

    @Test func aCallerWhoseCertificateHasExpired() async throws {
        let old = try authority.issue("old", until: "20210203040506Z")
        try await serving(files(member)) { server in
            try await expectRefusal(of: server.url, with: files(old))
            try await expectLine(
                server, "subject CN=old", "has expired: it was valid until 2021-02-03T04:05:06Z")
        }
    }

    @Test func aCallerWhoseCertificateIsAServers() async throws {
        let onlyServer = try authority.issue("web", usages: "serverAuth")
        try await serving(files(member)) { server in
            try await expectRefusal(of: server.url, with: files(onlyServer))
            try await expectLine(server, "subject CN=web", "extendedKeyUsage lacks clientAuth")
        }
    }

    @Test func aServerOfAnotherAuthority() async throws {
        try await serving(files(try stranger.issue("spy"), auth: false)) { server in
            let answer = try await call(server.url, with: files(member))
            #expect(
                answer.contains("its certificate (subject CN=spy; names localhost, 127.0.0.1;")
                    && answer.contains("is not signed by a CA in --peer-trusted-ca-file"),
                "\(answer)")
            try await expectLine(server, "it refuses this member's certificate", "no CA that it")
        }
    }

    @Test func aServerAtAnotherHost() async throws {
        let elsewhere = try authority.issue("m2", names: "IP:10.0.0.2,DNS:m2.example")
        try await serving(files(elsewhere, auth: false)) { server in
            let answer = try await call(server.url, with: files(member))
            #expect(
                answer.contains("subject CN=m2; names m2.example, 10.0.0.2;")
                    && answer.contains("is not for 127.0.0.1, the host of the URL")
                    && !answer.contains("is not signed"), "\(answer)")
            let byName = EndpointURL(scheme: .https, host: "localhost", port: server.url.port)
            try await expectAnswer("is not for localhost", of: byName, with: files(member))
        }
    }

    @Test func aServerWhoseCertificateHasExpired() async throws {
        let old = try authority.issue("old", until: "20210203040506Z")
        try await serving(files(old, auth: false)) { server in
            let answer = try await call(server.url, with: files(member))
            #expect(
                answer.contains("has expired: it was valid until 2021-02-03T04:05:06Z"),
                "\(answer)")
        }
    }

    @Test func selfSignedOnesAreTakenByTheirLike() async throws {
        let own = SelfSigned(.peer, dataDirectory: "\(directory.path)/a")
        let other = SelfSigned(.peer, dataDirectory: "\(directory.path)/b")
        #expect(try own.prepare(hosts: ["10.0.0.1"]))
        #expect(try other.prepare(hosts: ["10.0.0.2"]))
        try await serving(own.files) { server in
            try await expectAnswer("ok", of: server.url, with: other.files)
            try await expectAnswer("is not signed", of: server.url, with: files(member))
        }
    }

    @Test func plainHTTPIsToldSo() async throws {
        try await serving(files(member)) { server in
            let socket = try await PlainSocket.open(server.url)
            try await socket.send("GET /v2/keys HTTP/1.1\r\nHost: localhost:1234\r\n\r\n")
            try await eventually("the end of the answer") { socket.isClosed }
            #expect(socket.text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(
                socket.text.hasSuffix(
                    "\r\n\r\nclient sent plain HTTP to a TLS port; use https://localhost:1234\n"))
            try await expectLine(
                server, "refused plain HTTP from 127.0.0.1 on TLS port \(server.url.port)")
            // And TLS goes on.
            try await expectAnswer("ok", of: server.url, with: files(member))
        }
    }

    @Test func rubbishIsRefused() async throws {
        try await serving(files(member)) { server in
            let socket = try await PlainSocket.open(server.url)
            try await socket.send("\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}")
            try await eventually("the end") { socket.isClosed }
            try await expectLine(server, "what it sent is neither TLS nor HTTP")
        }
    }

    @Test func aCallToAPortWithoutTLS() async throws {
        let listener = try await Listener.bind(
            EndpointURL("http://127.0.0.1:0"), on: MultiThreadedEventLoopGroup.singleton
        ) { channel in
            try channel.pipeline.syncOperations.addHandler(PlainAnswer())
        }.get()
        let url = EndpointURL(scheme: .https, host: "127.0.0.1", port: listener.url.port)
        let answer = try await call(url, with: files(member))
        #expect(answer.contains("it answers without TLS"), "\(answer)")
        try await listener.close().get()
    }

    @Test func whoSaysNothingIsCutOff() async throws {
        try await serving(files(member), handshakeTimeout: .milliseconds(50)) { server in
            let socket = try await PlainSocket.open(server.url)
            try await eventually("the end") { socket.isClosed }
            try await expectLine(server, "it did not finish the TLS handshake in time")
        }
    }

    @Test func probesOfThePortAreNoNews() async throws {
        try await serving(files(member)) { server in
            let socket = try await PlainSocket.open(server.url)
            try await socket.close()
            try await expectAnswer("ok", of: server.url, with: files(member))
            #expect(server.log.text.isEmpty)
        }
    }

    // MARK: - New files

    private func replace(_ old: TestAuthority.Issued, by new: TestAuthority.Issued) throws {
        for (target, source) in [(old.certificate, new.certificate), (old.key, new.key)] {
            let bytes = try Data(contentsOf: URL(filePath: source))
            try bytes.write(to: URL(filePath: target), options: .atomic)
        }
    }

    @Test func newFilesAreTakenUp() async throws {
        let old = try authority.issue("a", names: "IP:10.0.0.2")
        try await serving(files(old)) { server in
            try await expectAnswer("names 10.0.0.2;", of: server.url, with: files(member))
            server.security.reloadIfChanged()
            #expect(!server.log.text.contains("took up"))
            try replace(old, by: member)
            server.security.reloadIfChanged()
            #expect(
                server.log.text.contains("N | tls: took up new certificate files: subject CN=m1"))
            try await expectAnswer("ok", of: server.url, with: files(member))
        }
    }

    @Test func brokenFilesLeaveTheOldInUse() async throws {
        let used = try authority.issue("a")
        try await serving(files(used)) { server in
            try "rubbish".write(toFile: used.key, atomically: true, encoding: .utf8)
            for _ in 0..<3 { server.security.reloadIfChanged() }
            let lines = server.log.text.split(separator: "\n")
            #expect(lines.count == 1)
            #expect(
                lines.first?.contains("E | tls: --peer-key-file \(used.key): has no private key")
                    == true)
            try await expectAnswer("ok", of: server.url, with: files(member))
            // A certificate without its key, as between two copies: old ones stay, and then new ones.
            let other = try authority.issue("b")
            try replace(
                used, by: TestAuthority.Issued(certificate: other.certificate, key: used.key))
            server.security.reload()
            try await expectAnswer("ok", of: server.url, with: files(member))
            try replace(used, by: other)
            server.security.reloadIfChanged()
            #expect(server.log.text.contains("took up new certificate files: subject CN=b"))
        }
    }
}

/// Answers in plain HTTP whatever is sent.
private final class PlainAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let answer = ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }
}
