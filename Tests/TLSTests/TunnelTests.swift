import CertificateSupport
import Cluster
import FixtureSupport
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import TLS
@testable import Transport

/// `CONNECT`: TLS to a server that only a proxy reaches.
@Suite(.timeLimit(.minutes(3))) struct TunnelTests {
    private let directory: TemporaryDirectory
    private let files: TLSFiles

    init() throws {
        directory = try TemporaryDirectory()
        let authority = try TestAuthority("one", in: "\(directory.path)/one")
        let issued = try authority.issue("m1")
        files = TLSFiles(
            port: .peer, certificate: issued.certificate, key: issued.key,
            trustedCAs: [authority.certificate])
    }

    @Test func theServerIsReachedAndVerified() async throws {
        let server = try await SecureServer(files)
        let proxy = try await TunnelProxy.start { _ in
            ["HTTP/1.1 200 Connection ", "established\r\nVia: p\r\n\r\n"]
        }
        #expect(try await call(server.url, with: files, through: proxy.url) == "ok")
        let host = server.url.hostAndPort
        #expect(
            proxy.requests == [
                "CONNECT \(host) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: kvd\r\n\r\n"
            ])
        // What is wrong with the server is not said of the proxy.
        let stranger = try TestAuthority("two", in: "\(directory.path)/two")
        let other = TLSFiles(port: .peer, trustedCAs: [stranger.certificate])
        let answer = try await call(server.url, with: other, through: proxy.url)
        #expect(answer.hasPrefix("\(server.url): its certificate (subject CN=m1;"), "\(answer)")
        try await proxy.stop()
        try await server.stop()
    }

    @Test(arguments: [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "it refuses CONNECT h.invalid:443: HTTP/1.1 403 Forbidden"
        ),
        ("SSH-2.0\r\n\r\n", "it refuses CONNECT h.invalid:443: SSH-2.0"),
        ("", "it ended the connection instead of answering CONNECT"),
        (String(repeating: "x", count: 20_000), "its answer to CONNECT does not end"),
    ])
    func theProxyIsNamed(_ reply: String, _ problem: String) async throws {
        let proxy = try await TunnelProxy.start { _ in [reply] }
        let url = EndpointURL(scheme: .https, host: "h.invalid", port: 443)
        let answer = try await call(url, with: files, through: proxy.url)
        #expect(answer == "\(url): proxy \(proxy.url): \(problem)")
        try await proxy.stop()
    }
}

/// A proxy that answers `CONNECT` as a test says; after a 200 it passes on what comes.
private final class TunnelProxy: Sendable {
    let url: EndpointURL
    private let listener: any Channel
    private let log: Log

    final class Log: Sendable { let requests = Mutex<[String]>([]) }

    private init(_ listener: any Channel, _ log: Log) {
        (self.listener, self.log) = (listener, log)
        url = EndpointURL(
            scheme: .http, host: "127.0.0.1", port: UInt16(listener.localAddress?.port ?? 0))
    }

    var requests: [String] { log.requests.withLock { $0 } }

    /// - Parameter answer: in pieces, each sent by itself; an empty one ends the connection.
    static func start(
        _ answer: @escaping @Sendable (String) -> [String]
    ) async throws -> TunnelProxy {
        let log = Log()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Front(log, answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return TunnelProxy(listener, log)
    }

    func stop() async throws { try await listener.close() }

    private final class Front: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let log: Log
        private let answer: @Sendable (String) -> [String]
        private var head = ""
        private var server: (any Channel)?

        init(_ log: Log, _ answer: @escaping @Sendable (String) -> [String]) {
            (self.log, self.answer) = (log, answer)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            if let server { return server.writeAndFlush(bytes, promise: nil) }
            head += String(buffer: bytes)
            guard head.hasSuffix("\r\n\r\n") else { return }
            log.requests.withLock { $0.append(head) }
            let pieces = answer(head)
            guard pieces.joined().hasPrefix("HTTP/1.1 200"),
                let port = head.split(separator: " ")[1].split(separator: ":").last
            else { return reply(pieces, context.channel) }
            let client = context.channel
            let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
            // On one loop, so that neither side has to wait for the other's.
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Back(client))
                    }
                }
                .connect(host: "127.0.0.1", port: Int(port) ?? 0)
                .whenSuccess { channel in
                    handler.value.server = channel
                    handler.value.reply(pieces, client)
                }
        }

        private func reply(_ pieces: [String], _ channel: any Channel) {
            for piece in pieces {
                if piece.isEmpty { return channel.close(promise: nil) }
                channel.writeAndFlush(ByteBuffer(string: piece), promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { server?.close(promise: nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let client: any Channel

        init(_ client: any Channel) { self.client = client }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            client.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
