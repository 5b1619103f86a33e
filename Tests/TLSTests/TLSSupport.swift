import CertificateSupport
import Cluster
import FixtureSupport
import Foundation
import Logging
import Logs
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import TLS
@testable import Transport

/// Log lines in a file of the test's own.
///
/// It is never closed: connections have the logger, and say something still when the test is over. Their
/// lines would go to whoever got the descriptor's number, a socket of another test.
final class LogFile {
    private let directory: TemporaryDirectory
    private let descriptor: Int32
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = "\(directory.path)/log"
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
    }

    var logger: Logger { Logs.logger("tls", sink: LogSink(descriptor: descriptor)) }
    var text: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
}

/// A TLS port that answers every request with 200.
final class SecureServer {
    let log: LogFile
    let security: PortSecurity
    let url: EndpointURL
    private let listener: Listener

    init(_ files: TLSFiles, handshakeTimeout: TimeAmount = .seconds(60)) async throws {
        log = try LogFile()
        let security = try PortSecurity(
            files, logger: log.logger, handshakeTimeout: handshakeTimeout)
        self.security = security
        listener = try await Listener.bind(
            EndpointURL("https://127.0.0.1:0"), on: MultiThreadedEventLoopGroup.singleton,
            secure: { try security.accept($0) }
        ) { channel in
            try channel.pipeline.syncOperations.configureHTTPServerPipeline()
            try channel.pipeline.syncOperations.addHandler(Answering())
        }.get()
        url = listener.url
    }

    func stop() async throws { try await listener.close().get() }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let head = HTTPResponseHead(
                version: .http1_1, status: .ok, headers: ["Content-Length": "2"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            let body = HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: "ok")))
            context.write(wrapOutboundOut(body), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

/// Calls `url` as a member with these files does; the answer's body, or why there is none.
///
/// - Parameter proxy: an HTTP proxy to have a tunnel from.
func call(
    _ url: EndpointURL, with files: TLSFiles, through proxy: EndpointURL? = nil
) async throws -> String {
    let security = try PortSecurity(files, logger: LogFile().logger)
    let client = PeerClient(
        eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
        security: TransportSecurity(prepareClient: { channel, url in
            try security.call(channel, host: url.host, timeout: .seconds(60))
        }))
    do {
        let call = HTTPCall(
            .get, "/", connectTimeout: .seconds(60), answerTimeout: .seconds(60))
        let answer = try await client.send(call, to: url, through: proxy).get()
        return String(decoding: answer.body, as: UTF8.self)
    } catch {
        return "\(error)"
    }
}

func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "not in time: \(what)")
        try await Task.sleep(for: .milliseconds(5))
    }
}
