import Cluster
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A TCP connection without HTTP on it: tests write what they like and look at what came.
final class RawConnection: Sendable {
    private let channel: any Channel
    private let state: Collected

    private init(_ channel: any Channel, _ state: Collected) {
        (self.channel, self.state) = (channel, state)
    }

    static func open(_ url: EndpointURL) async throws -> RawConnection {
        let state = Collected()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(100))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(state))
                }
            }
            .connect(host: url.host, port: Int(url.port)).get()
        return RawConnection(channel, state)
    }

    var bytes: [UInt8] { state.bytes.withLock { $0 } }
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var isClosed: Bool { state.isClosed.withLock { $0 } }

    func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Stops reading: the other end fills up.
    func stopReading() async throws {
        try await channel.setOption(.autoRead, value: false).get()
    }

    /// The other end may have closed it already; that is no fault here.
    func close() async { try? await channel.close() }

    /// The body of the answer read so far, its chunks joined.
    var dechunkedBody: [UInt8] {
        let all = bytes
        guard let head = all.firstRange(of: Array("\r\n\r\n".utf8)) else { return [] }
        var rest = all[head.upperBound...]
        var body: [UInt8] = []
        while let line = rest.firstRange(of: [13, 10]),
            let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16),
            rest.endIndex >= line.upperBound + size + 2, size > 0
        {
            body += rest[line.upperBound..<line.upperBound + size]
            rest = rest[(line.upperBound + size + 2)...]
        }
        return body
    }
}

final class Collected: Sendable {
    let bytes = Mutex<[UInt8]>([])
    let isClosed = Mutex(false)
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let state: Collected

    init(_ state: Collected) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        state.bytes.withLock { $0 += buffer.readableBytesView }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.isClosed.withLock { $0 = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        state.isClosed.withLock { $0 = true }
        context.close(promise: nil)
    }
}

/// A server without HTTP: answers each connection, once a request's head is there, with bytes that
/// `answer` makes from that head; nil closes the connection.
final class RawServer: Sendable {
    private let channel: any Channel
    let url: EndpointURL
    private let heads: RequestHeads

    final class RequestHeads: Sendable {
        let heads = Mutex<[String]>([])
    }

    private init(_ channel: any Channel, _ url: EndpointURL, _ heads: RequestHeads) {
        (self.channel, self.url, self.heads) = (channel, url, heads)
    }

    /// Heads of all requests so far.
    var requestHeads: [String] { heads.heads.withLock { $0 } }

    /// - Parameter cutting: ends the connection behind each answer.
    static func start(
        cutting: Bool = false,
        answer: @escaping @Sendable (_ head: String) -> [[UInt8]]?
    ) async throws -> RawServer {
        let heads = RequestHeads()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Answerer(heads, cutting, answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = UInt16(channel.localAddress?.port ?? 0)
        return RawServer(
            channel, EndpointURL(scheme: .http, host: "127.0.0.1", port: port), heads)
    }

    func stop() async throws { try await channel.close() }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let heads: RequestHeads
        private let cutting: Bool
        private let answer: @Sendable (String) -> [[UInt8]]?
        private var received: [UInt8] = []

        init(
            _ heads: RequestHeads, _ cutting: Bool,
            _ answer: @escaping @Sendable (String) -> [[UInt8]]?
        ) {
            (self.heads, self.cutting, self.answer) = (heads, cutting, answer)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += unwrapInboundIn(data).readableBytesView
            guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
            let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
            received = []
            heads.heads.withLock { $0.append(head) }
            guard let pieces = answer(head) else { return context.close(promise: nil) }
            for piece in pieces {
                context.writeAndFlush(NIOAny(ByteBuffer(bytes: piece)), promise: nil)
            }
            if cutting { context.close(promise: nil) }
        }
    }
}

let isLogWanted = ProcessInfo.processInfo.environment["TRANSPORT_LOG"] != nil
