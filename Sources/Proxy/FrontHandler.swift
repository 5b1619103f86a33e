internal import ClientAPI
internal import Cluster
internal import NIOCore
internal import NIOHTTP1

/// One client connection. Its requests are forwarded, or answered, one after the other; `Exchange`
/// decides what becomes of each.
///
/// Whoever pipelines is read as far as the socket's last read went, and then waits. Either side is
/// read only while the other takes it.
final class FrontHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPServerResponsePart

    /// The request that is dealt with.
    struct Current {
        let head: HTTPRequestHead
        var exchange: Exchange
        var framing: ForwardedHead.Framing
        let startedAt: Int64
        let isWatch: Bool
        var backend: BackendConnection?
        /// What is answered when the request is here, whole.
        var local: LocalAnswer?
        var status: UInt = 0
        /// The body's end is the connection's.
        var endsWithConnection = false
    }

    let server: ProxyServer
    private let leftover: DecoderLeftover
    var context: ChannelHandlerContext?
    var current: Current?
    private var currentNumber = 0
    /// Parts of later requests.
    var queue = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 4)
    private var isTakingFromQueue = false
    /// What came behind all of them is no request.
    private var fault: LocalAnswer?
    var isReadHeld = false
    /// Nothing that comes is looked at any more.
    var isEnding = false
    var hasInputEnded = false
    private var partsInRead = 0
    var patience: ConnectionPatience

    init(_ server: ProxyServer, _ leftover: DecoderLeftover) {
        (self.server, self.leftover) = (server, leftover)
        patience = ConnectionPatience(now: server.now)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        server.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    private func leave() {
        guard context != nil else { return }
        context = nil
        current?.backend?.abandon()
        current = nil
        queue.removeAll()
        server.remove(self)
    }

    // MARK: - From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        partsInRead += 1
        leftover.partsCount += 1
        queue.append(unwrapInboundIn(data))
        takeFromQueue()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        patience.received(
            partsCount: partsInRead, isIdle: isBetweenRequests, hadBytes: leftover.takeHadBytes(),
            now: server.now)
        partsInRead = 0
        current?.backend?.flush()
        context.flush()
    }

    /// Nothing of a request is here without its end.
    var isBetweenRequests: Bool {
        queue.isEmpty && (current?.exchange.hasEnded ?? true)
    }

    func takeFromQueue() {
        // What is taken may end a request, and that ends in here again.
        guard !isTakingFromQueue else { return }
        isTakingFromQueue = true
        defer { isTakingFromQueue = false }
        while !isEnding, current?.exchange.hasEnded != true, let part = queue.popFirst() {
            take(part)
        }
        if isEnding { queue.removeAll() }
    }

    private func take(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let bytes):
            guard current?.exchange.received(bytes) == true else { return }
            current?.backend?.send(bytes)
        case .end:
            if current?.exchange.ended() == true {
                current?.backend?.endRequest()
                current?.backend?.flush()
            }
            if let local = current?.local { answer(local) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            hasInputEnded = true
            // As good as a hang-up for one who waits for events, or who has asked for nothing.
            if current?.isWatch ?? true { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            if !(error is ByteToMessageDecoderError) { context.close(promise: nil) }
            return
        }
        guard !isEnding else { return }
        if leftover.isTLS { server.sawTLS(from: context.remoteAddress) }
        let found = leftover.fault(
            for: error, isIdle: isBetweenRequests, partsInRead: partsInRead,
            origins: server.origins)
        fault = server.answer(to: found)
        refuseIfDue()
    }

    /// Answers what was no request, once everything before it has been.
    func refuseIfDue() {
        guard let fault, queue.isEmpty, current?.exchange.hasEnded != true else { return }
        self.fault = nil
        if current?.exchange.isAnswering == true { return cut() }
        refuse(fault)
    }

    /// Ends the connection with an answer to something that is no request, or no whole one.
    func refuse(_ answer: LocalAnswer) {
        current?.backend?.abandon()
        current?.backend = nil
        if current == nil {
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
            current = makeCurrent(head, keepsAlive: false)
        }
        current?.framing.keepsAlive = false
        self.answer(answer)
    }

    func read(context: ChannelHandlerContext) {
        if wantsInput { context.read() } else { isReadHeld = true }
    }

    private var wantsInput: Bool {
        guard queue.isEmpty, let current else { return queue.isEmpty }
        guard !current.exchange.hasEnded else { return true }
        return current.exchange.wantsInput && current.backend?.isWritable ?? true
    }

    func resumeReading() {
        guard isReadHeld, wantsInput, let context else { return }
        isReadHeld = false
        // The pause was ours, not the client's.
        if !isBetweenRequests {
            patience.received(partsCount: 1, isIdle: false, hadBytes: true, now: server.now)
        }
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        current?.backend?.resumeReading()
        context.fireChannelWritabilityChanged()
    }

    // MARK: - A request

    private func makeCurrent(_ head: HTTPRequestHead, keepsAlive: Bool) -> Current {
        Current(
            head: head,
            exchange: Exchange(
                method: head.method.rawValue, keptBytesMax: server.keptBytesMax),
            framing: ForwardedHead.Framing(
                isHead: head.method == .HEAD, isHTTP10: head.version.minor == 0,
                keepsAlive: keepsAlive),
            startedAt: server.now, isWatch: head.uri.contains("wait=true"))
    }

    private func begin(_ head: HTTPRequestHead) {
        let facts = HeadFacts(head.headers)
        currentNumber &+= 1
        // The decoder reads nothing behind a request for another protocol.
        current = makeCurrent(
            head, keepsAlive: head.isKeepAlive && !facts.isUpgrade && head.method != .CONNECT)
        server.meter.began(head.method.rawValue)
        patience.began(at: server.now)
        if let fault = facts.fault(version: head.version) { return refuse(LocalAnswer(fault)) }
        if let local = server.localAnswer(to: head) {
            current?.local = local
            current?.exchange.finish()
            // Whoever asks before sending a body need not send this one.
            if facts.expectsContinue { answer(local) }
            return
        }
        if facts.expectsContinue, head.version.minor > 0 { sendContinue() }
        carryOut(current?.exchange.start(server.candidates, otherwise: server.nobody))
    }

    private func sendContinue() {
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context?.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    func carryOut(_ step: Exchange.Step?) {
        guard let step, current != nil else { return }
        if let failed = step.failed { server.failed(failed) }
        switch step.action {
        case .connect(let url, let mayReuse):
            if mayReuse, let connection = server.pool.takeIdle(url) { return use(connection) }
            dial(url)
        case .refuse(let refusal):
            server.refused(refusal, current?.head.method.rawValue ?? "")
            answer(LocalAnswer(refusal))
        case .cut: cut()
        }
    }

    private func dial(_ url: EndpointURL) {
        let number = currentNumber
        server.pool.dial(url) { [weak self, pool = server.pool] result in
            guard let self, self.current != nil, self.currentNumber == number, !self.isEnding
            else {
                // The client has gone meanwhile; another will use it.
                if case .success(let connection) = result { pool.giveBack(connection) }
                return
            }
            switch result {
            case .success(let connection): self.use(connection)
            case .failure(.failed(let problem)):
                self.carryOut(self.current?.exchange.connectFailed(problem))
            case .failure(.full):
                let refusal = Refusal.tooManyConnections(limit: pool.connectionsMax)
                self.carryOut(self.current?.exchange.refuse(refusal))
            }
        }
    }

    private func use(_ connection: BackendConnection) {
        guard let head = current?.head else { return }
        current?.backend = connection
        let forwarded = ForwardedHead.request(
            head, to: connection.url, client: context?.remoteAddress?.ipAddress,
            name: server.name)
        let body = current?.exchange.connected(isReused: connection.isReused) ?? []
        connection.begin(forwarded, for: self)
        for bytes in body { connection.send(bytes) }
        if current?.exchange.hasEnded == true { connection.endRequest() }
        connection.flush()
        resumeReading()
    }
}
