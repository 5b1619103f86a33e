import Cluster
import NIOCore
import NIOPosix
import Synchronization

/// Stands before a peer port; cuts connections that carry a snapshot after so many bytes.
final class CuttingProxy: Sendable {
    let url: EndpointURL
    private let channel: any Channel
    private let state: SharedState

    final class SharedState: Sendable {
        struct Values {
            /// Bytes until the cut, for each connection with a snapshot in turn.
            var cuts: [Int]
            var passedBytes = 0
        }

        let values: Mutex<Values>

        init(cuts: [Int]) { values = Mutex(Values(cuts: cuts)) }
    }

    private init(_ channel: any Channel, _ url: EndpointURL, _ state: SharedState) {
        (self.channel, self.url, self.state) = (channel, url, state)
    }

    /// Of connections that carried snapshots, on their way to the receiver.
    var passedBytes: Int { state.values.withLock { $0.passedBytes } }

    static func start(to target: EndpointURL, cuts: [Int]) async throws -> CuttingProxy {
        let state = SharedState(cuts: cuts)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await ServerBootstrap(group: loop)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        FrontHandler(target, state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = UInt16(channel.localAddress?.port ?? 0)
        return CuttingProxy(
            channel, EndpointURL(scheme: .http, host: "127.0.0.1", port: port), state)
    }

    func stop() async throws { try await channel.close() }
}

/// The caller's side: passes on what comes, until the cut.
private final class FrontHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let target: EndpointURL
    private let state: CuttingProxy.SharedState
    private var back: (any Channel)?
    private var isSnapshot: Bool?
    /// Nil: it is not cut.
    private var left: Int?

    init(_ target: EndpointURL, _ state: CuttingProxy.SharedState) {
        (self.target, self.state) = (target, state)
    }

    func channelActive(context: ChannelHandlerContext) {
        let front = context.channel
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(BackHandler(front))
                }
            }
            .connect(host: target.host, port: Int(target.port))
            .assumeIsolated().whenComplete { [self] result in
                guard case .success(let channel) = result else {
                    return front.close(promise: nil)
                }
                back = channel
                try? front.syncOptions?.setOption(.autoRead, value: true)
                front.read()
            }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isSnapshot == nil { begin(bytes) }
        if let left {
            let passed = bytes.readSlice(length: min(left, bytes.readableBytes)) ?? ByteBuffer()
            self.left = left - passed.readableBytes
            bytes = passed
        }
        if isSnapshot == true {
            let count = bytes.readableBytes
            state.values.withLock { $0.passedBytes += count }
        }
        let isCut = left == 0
        let (front, back) = (context.channel, back)
        back?.writeAndFlush(bytes).assumeIsolated().whenComplete { _ in
            guard isCut else { return }
            front.close(promise: nil)
            back?.close(promise: nil)
        }
    }

    private func begin(_ bytes: ByteBuffer) {
        let isSnapshot = bytes.readableBytesView.starts(with: Array("POST /raft/snapshot".utf8))
        self.isSnapshot = isSnapshot
        guard isSnapshot else { return }
        left = state.values.withLock { $0.cuts.isEmpty ? nil : $0.cuts.removeFirst() }
    }

    func channelInactive(context: ChannelHandlerContext) { back?.close(promise: nil) }
}

/// The peer's side: passes on its answers.
private final class BackHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let front: any Channel

    init(_ front: any Channel) { self.front = front }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        front.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { front.close(promise: nil) }
}
