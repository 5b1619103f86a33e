internal import Cluster
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// One connection to a member: in use by a client's connection, or idle in the pool.
///
///     idle ──begin──▶ in use ──answer whole, and both sides want to go on──▶ idle
///                       └──────anything else──▶ closed
final class BackendConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    let url: EndpointURL
    private let pool: BackendPool
    private var context: ChannelHandlerContext?
    private var user: FrontHandler?
    /// The channel asked for more input and was not given it.
    private var isReadHeld = false
    /// The request is out, whole.
    private var isRequestOver = false
    private var mayBeKept = false
    private(set) var isReused = false
    private(set) var idleSince: Int64 = 0
    private var lastRead = NIODeadline.now()
    private var unsent = (bytes: 0, since: NIODeadline.now())

    init(_ url: EndpointURL, _ pool: BackendPool) { (self.url, self.pool) = (url, pool) }

    /// Adds the handlers of a connection that stands.
    func install(on channel: any Channel) throws {
        let unsentMax = ProxyConfiguration.unsentBytesMax
        try channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(low: unsentMax / 2, high: unsentMax))
        var framing = HTTPRequestEncoder.Configuration()
        framing.automaticallySetFramingHeaders = false
        try channel.pipeline.syncOperations.addHandlers(
            HTTPRequestEncoder(configuration: framing),
            ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)),
            self)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: - The user's side

    var isWritable: Bool { context?.channel.isWritable ?? true }

    func begin(_ head: HTTPRequestHead, for user: FrontHandler) {
        precondition(self.user == nil, "one request at a time")
        self.user = user
        (isRequestOver, mayBeKept) = (false, false)
        lastRead = .now()
        unsent = (0, lastRead)
        write(.head(head))
        resumeReading()
    }

    func send(_ bytes: ByteBuffer) { write(.body(.byteBuffer(bytes))) }

    func endRequest() {
        isRequestOver = true
        write(.end(nil))
    }

    private func write(_ part: HTTPClientRequestPart) {
        context?.write(wrapOutboundOut(part), promise: nil)
    }

    func flush() { context?.flush() }

    /// The user can take more.
    func resumeReading() {
        guard isReadHeld, user?.canTake ?? true else { return }
        isReadHeld = false
        lastRead = .now()
        context?.read()
    }

    /// Nobody wants the rest of the answer.
    func abandon() {
        user = nil
        close()
    }

    func becomeIdle(at now: Int64) { (idleSince, isReused) = (now, true) }

    func close() {
        pool.closed(self)
        context?.close(promise: nil)
    }

    var isOpen: Bool { context?.channel.isActive ?? false }

    /// What has taken too long, in words; nil: nothing has.
    func overdue(write writeMax: TimeAmount?, read readMax: TimeAmount?) -> String? {
        guard let context, user != nil else { return nil }
        let now = NIODeadline.now()
        if let writeMax, let bytes = unsentBytes(context), bytes > 0 {
            if unsent.bytes == 0 || bytes < unsent.bytes { unsent = (bytes, now) }
            if now - unsent.since > writeMax {
                return "it took nothing of the request for \(Self.text(writeMax)) "
                    + "(--proxy-write-timeout)"
            }
        } else {
            unsent.bytes = 0
        }
        if let readMax, !isReadHeld, isRequestOver, now - lastRead > readMax {
            return "nothing came from it for \(Self.text(readMax)) (--proxy-read-timeout)"
        }
        return nil
    }

    private func unsentBytes(_ context: ChannelHandlerContext) -> Int? {
        try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
    }

    private static func text(_ time: TimeAmount) -> String {
        "\(time.nanoseconds / 1_000_000) ms"
    }

    // MARK: - From the channel

    func read(context: ChannelHandlerContext) {
        if user?.canTake ?? true {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        guard let user else { return close() }
        switch unwrapInboundIn(data) {
        case .head(let head):
            mayBeKept = head.isKeepAlive
            user.answerBegan(head)
        case .body(let bytes): user.answerWentOn(bytes)
        case .end:
            self.user = nil
            let isKept = mayBeKept && isRequestOver && context.channel.isActive
            if isKept { pool.giveBack(self) } else { close() }
            user.answerEnded()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        user?.flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        user?.memberTakesMore()
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        pool.closed(self)
        lose("it ended the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: lose("it ended the connection")
        case let error as HTTPParserError: lose("what it answers is no HTTP: \(error)")
        default: lose(DialError.text(of: error))
        }
        close()
    }

    private func lose(_ problem: String) {
        guard let user else { return }
        self.user = nil
        user.memberLost(problem)
    }

    /// The user gives the member up.
    func giveUp(_ problem: String) {
        lose(problem)
        close()
    }
}
