import Cluster
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import Discovery

/// The client on real sockets, against a server that records what it is asked.
@Suite(.timeLimit(.minutes(1))) struct DiscoveryClientTests {
    private static let d2 =
        #"{"key":"/r/tok/ff","value":"d2=http://127.0.0.1:2","modifiedIndex":9,"createdIndex":9}"#

    /// What a service says in turn, with the member's own id filled in.
    private static func session(own id: String, value: String) -> [RecordingServer.Reply] {
        let size = #"{"action":"get","node":{"key":"/r/tok/_config/size","value":"2"}}"#
        let own =
            #"{"key":"/r/tok/\#(id)","value":"\#(value)","modifiedIndex":8,"createdIndex":8}"#
        return [
            .json(size), .json(#"{"action":"get","node":{"key":"/r/tok","dir":true}}"#),
            .json(#"{"action":"create","node":\#(own)}"#, status: .created),
            .json(#"{"action":"create","node":\#(own)}"#), .json(size),
            .json(#"{"action":"get","node":{"key":"/r/tok","nodes":[\#(own)]}}"#, index: 8),
            .json(#"{"action":"create","node":\#(d2)}"#),
        ]
    }

    private func run(
        path: String = "/r/tok", throughProxy: Bool = false,
        _ replies: ([RecordingServer.Reply]) -> [RecordingServer.Reply] = { $0 }
    ) async throws -> (DiscoveryJoin.Outcome, [String], DiscoveryJoin.Registrant) {
        let server = try await RecordingServer.start()
        let host = throughProxy ? "disc.invalid:2379" : "127.0.0.1:\(server.port)"
        let url = try ServiceURL("http://\(host)\(path)")
        let registrant = DiscoveryJoin.Registrant(
            name: "d 1", urls: [try EndpointURL("http://127.0.0.1:1")], url: url, mayResume: false)
        server.say(
            replies(Self.session(own: "\(registrant.id)", value: "d 1=http://127.0.0.1:1")))
        let proxy = throughProxy ? try EndpointURL("http://127.0.0.1:\(server.port)") : nil
        let client = DiscoveryClient(
            url, proxy: proxy, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let outcome = try await NIOThreadPool.singleton.runIfActive { client.run(registrant) }
        try await server.stop()
        return (outcome, server.requests, registrant)
    }

    /// As 2.3.8 was recorded, but for the values.
    @Test func requestsAreThoseOfEtcd() async throws {
        let (outcome, requests, own) = try await run()
        let plain = "quorum=false&recursive=false&sorted=false"
        #expect(
            requests == [
                "GET /r/tok/_config/size?\(plain)", "GET /r/tok?\(plain)",
                "PUT /r/tok/\(own.id)?prevExist=false value=d%201%3Dhttp%3A%2F%2F127.0.0.1%3A1",
                "GET /r/tok/\(own.id)?recursive=false&wait=true&waitIndex=8",
                "GET /r/tok/_config/size?\(plain)", "GET /r/tok?\(plain)",
                "GET /r/tok?recursive=true&wait=true&waitIndex=9",
            ])
        guard case .complete(let cluster) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(cluster.names == ["d 1", "d2"])
    }

    @Test func aProxyGetsWholeURLs() async throws {
        let (outcome, requests, _) = try await run(throughProxy: true)
        #expect(
            requests.first?.hasPrefix("GET http://disc.invalid:2379/r/tok/_config/size?") == true)
        guard case .complete = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test func redirectionsAreFollowed() async throws {
        let (outcome, requests, _) = try await run { session in
            [.redirection(to: "/elsewhere/size?a=b")] + session
        }
        #expect(requests[1] == "GET /elsewhere/size?a=b")
        guard case .complete = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }
}

/// An HTTP server that answers with what it was told, one request a connection, and keeps the
/// request lines with their bodies.
final class RecordingServer: Sendable {
    struct Reply: Sendable {
        var status: HTTPResponseStatus
        var headers: HTTPHeaders
        var body: String

        static func json(
            _ body: String, status: HTTPResponseStatus = .ok, index: Int = 7
        ) -> Reply {
            Reply(status: status, headers: ["X-Etcd-Index": "\(index)"], body: body)
        }

        static func redirection(to location: String) -> Reply {
            Reply(status: .temporaryRedirect, headers: ["Location": location], body: "")
        }
    }

    private let state = Mutex<(replies: [Reply], requests: [String])>(([], []))
    private let channel = Mutex<(any Channel)?>(nil)

    var port: Int { channel.withLock { $0?.localAddress?.port } ?? 0 }
    var requests: [String] { state.withLock { $0.requests } }

    static func start() async throws -> RecordingServer {
        let server = RecordingServer()
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Handler(server))
                }
            }
        let channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        server.channel.withLock { $0 = channel }
        return server
    }

    func say(_ replies: [Reply]) { state.withLock { $0.replies = replies } }

    func stop() async throws { try await channel.withLock { $0 }?.close() }

    private func take(_ request: String) -> Reply {
        state.withLock { state in
            state.requests.append(request)
            guard !state.replies.isEmpty else {
                return Reply(status: .notFound, headers: [:], body: "no more was expected")
            }
            return state.replies.removeFirst()
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let server: RecordingServer
        private var request = ""

        init(_ server: RecordingServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): request = "\(head.method.rawValue) \(head.uri)"
            case .body(let bytes): request += " \(String(buffer: bytes))"
            case .end:
                let reply = server.take(request)
                var headers = reply.headers
                headers.add(name: "Content-Length", value: "\(reply.body.utf8.count)")
                let head = HTTPResponseHead(
                    version: .http1_1, status: reply.status, headers: headers)
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                let body = ByteBuffer(string: reply.body)
                context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
