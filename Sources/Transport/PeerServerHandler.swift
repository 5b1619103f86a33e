internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import RaftModel

/// Runs the `PeerServerConnection` of one accepted connection.
final class PeerServerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private var connection = PeerServerConnection.idle
    private let transport: PeerTransport
    private let drain: PeerRequestDecoder.Drain
    private var context: ChannelHandlerContext?
    /// The stream that the connection has become.
    private var stream: ServedStream?
    /// The snapshot that comes in on the connection.
    private var reception: SnapshotReception?
    private(set) var lastReadAt = NIODeadline.now()
    /// When the head of the request came that has not ended yet.
    private var requestSince: NIODeadline?
    /// Of the body that is coming in, if it is kept in memory.
    private var postBytes = 0

    private init(_ transport: PeerTransport, _ drain: PeerRequestDecoder.Drain) {
        (self.transport, self.drain) = (transport, drain)
    }

    /// Adds the handlers of an accepted connection.
    static func install(on channel: any Channel, _ transport: PeerTransport) throws {
        try SocketOptions.apply(to: channel, silenceMax: transport.configuration.timing.silenceMax)
        let queueMax = transport.configuration.bounds.streamQueueBytesMax
        try channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(low: queueMax / 2, high: queueMax))
        let drain = PeerRequestDecoder.Drain()
        try channel.pipeline.syncOperations.addHandlers(
            ByteToMessageHandler(PeerRequestDecoder(drain)), PeerServerHandler(transport, drain))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        transport.accepted(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        transport.gone(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastReadAt = .now()
        let part = unwrapInboundIn(data)
        switch part {
        case .head: requestSince = lastReadAt
        case .body: break
        case .end: requestSince = nil
        }
        guard admits(part, context) else { return }
        let action = connection.received(
            part, transport.rules, standing: transport.standing(of:))
        switch (part, action) {
        case (_, .decode): break
        case (.end, _): endPost()
        default: break
        }
        run(action, context)
    }

    /// The body's memory is free, or soon is.
    private func endPost() {
        if postBytes > 0 { transport.endedLongPost(on: self) }
        postBytes = 0
    }

    /// Whether there is memory for this part; if not, the request has been refused.
    private func admits(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) -> Bool {
        guard case .body(let bytes) = part, reception == nil else { return true }
        postBytes += bytes.readableBytes
        if drain.isOpen || postBytes <= transport.configuration.bounds.smallPostBytesMax
            || transport.takesLongPost(on: self)
        {
            return true
        }
        giveBackBody()
        let busy = PeerResponse.error(
            .serviceUnavailable, "another long message is being received; send it again later")
        send(PeerServerConnection.Answer(response: busy, closes: true), context)
        return false
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let stream { transport.ended(stream) }
        stream = nil
        reception?.close()
        reception = nil
        giveBackBody()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is PeerRequestDecoder.IsTLS { transport.sawTLS(from: context.remoteAddress) }
        if error is HTTPParserError {
            transport.sawNoHTTP(from: context.remoteAddress, error)
            run(connection.failed(), context)
        } else {
            context.close(promise: nil)
        }
    }

    /// Closes the connection if nothing has come for too long, or a request has taken too long to come.
    /// Streams look after themselves.
    func tick(now: NIODeadline, _ timing: TransportConfiguration.Timing) {
        guard connection.mayTimeOut else { return }
        if reception == nil, let requestSince, now - requestSince > timing.requestMax {
            return close()
        }
        guard now - lastReadAt > timing.silenceMax else { return }
        if let reception, reception.isWorking {
            // The peer gets its time when it can go on.
            lastReadAt = now
            return
        }
        close()
    }

    /// Nothing is lost with it that cannot be asked for again.
    var mayMakeRoom: Bool { connection.mayTimeOut && reception == nil }

    func close() { context?.close(promise: nil) }

    private func run(_ action: PeerServerConnection.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .wait: break
        case .answer(let answer): send(answer, context)
        case .refuseBody(let answer):
            giveBackBody()
            send(answer, context)
        case .deliver(let message, _, var answer) where !transport.takesPosts(from: message.from):
            var refusal = PeerResponse.error(.notFound, "error sender not found")
            refusal.headers += answer.response.headers
            answer.response = refusal
            send(answer, context)
            transport.refused(message)
        case .deliver(let message, let caller, let answer):
            // The answer first: what the message starts may take its time.
            send(answer, context)
            transport.learn(from: caller)
            transport.deliver([message], from: message.from)
        case .decode(let body): decode(body, context)
        case .takeSnapshot(let bytes, let request): take(bytes, request, context)
        case .endSnapshot: reception?.end()
        case .open(let request): open(request, context)
        case .meet(let caller, let answer):
            send(answer, context)
            transport.meet(caller)
        case .answerProbe(let answer): send(transport.fillProbe(answer), context)
        case .answerMembers(let answer): send(transport.fillMembers(answer), context)
        case .answerVersion(let answer): send(transport.fillVersion(answer), context)
        case .answerSnapshotOffset(let answer, let identity):
            send(transport.fillSnapshotOffset(answer, identity), context)
        }
    }

    /// Decodes a long message on a thread that has the time. Nothing more is read meanwhile.
    private func decode(_ body: ByteBuffer, _ context: ChannelHandlerContext) {
        setReads(false, context.channel)
        SnapshotTransfer.threads.runIfActive(eventLoop: transport.eventLoop) {
            PeerServerConnection.decode(body)
        }.assumeIsolated().whenComplete { [self] result in
            let message = (try? result.get()).flatMap { $0 }
            endPost()
            if let context = self.context {
                setReads(true, context.channel)
                let rules = transport.rules
                run(connection.decoded(message, rules, standing: transport.standing(of:)), context)
            }
            giveBack(message)
        }
    }

    private func setReads(_ reads: Bool, _ channel: any Channel) {
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    /// Memory of megabytes goes back to the system page by page: on another thread.
    private func giveBack(_ body: some Sendable) {
        SnapshotTransfer.threads.submit { _ in withExtendedLifetime(body) {} }
    }

    /// For the last time: nothing more is taken of it.
    private func giveBackBody() {
        guard let body = connection.answeredLast(),
            body.capacity > transport.configuration.bounds.promptPostBytesMax
        else { return }
        giveBack(body)
    }

    private func take(
        _ bytes: ByteBuffer, _ request: PeerServerConnection.SnapshotRequest,
        _ context: ChannelHandlerContext
    ) {
        if let reception { return reception.take(bytes) }
        let channel = context.channel
        let new = SnapshotReception(transport, request) { [weak self] reads in
            self?.setReads(reads, channel)
        } answer: { [weak self] response in
            guard let self, let context = self.context else { return }
            // One snapshot a connection; what is still under way of it is dropped.
            _ = connection.answeredLast()
            send(PeerServerConnection.Answer(response: response, closes: true), context)
        }
        reception = new
        new.take(bytes)
    }

    private func send(_ answer: PeerServerConnection.Answer, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: 256 + answer.response.body.count)
        answer.response.encode(
            into: &buffer, date: WallClock.httpDate(WallClock.now()), omitsBody: answer.omitsBody,
            closes: answer.closes)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        guard answer.closes else { return }
        drain.isOpen = true
        // What was written is sent before the connection ends.
        context.close(mode: .output, promise: nil)
    }

    private func open(
        _ request: PeerServerConnection.StreamRequest, _ context: ChannelHandlerContext
    ) {
        var head = context.channel.allocator.buffer(capacity: 256)
        request.response.encodeStreamHead(
            into: &head, date: WallClock.httpDate(WallClock.now()))
        context.writeAndFlush(wrapOutboundOut(head), promise: nil)
        let stream = ServedStream(
            request.kind, peer: request.peer, isKvds: !request.caller.features.isEmpty,
            channel: context.channel,
            bounds: transport.configuration.bounds)
        self.stream = stream
        transport.opened(stream, by: request.caller)
    }
}
