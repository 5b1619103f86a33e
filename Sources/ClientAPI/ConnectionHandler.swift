internal import KVServer
internal import KeyStore
internal import KeyStore
internal import NIOCore
internal import NIOHTTP1

/// One client connection. Decides nothing: `RequestIntake` puts requests together,
/// `RequestOrder` says which may start and whose answer is next, `ClientServer` answers them; this
/// handler carries bytes and actions between them and the channel.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let server: ClientServer
    private let leftover: DecoderLeftover
    private var context: ChannelHandlerContext?
    private var place: UInt32 = 0
    private var intake = RequestIntake.idle
    private var order: RequestOrder
    /// What to answer when writes of a site have ended, by the request's number.
    private var pagesAfterWrite: [UInt32: PageAfterWrite] = [:]
    /// The request that waits to be handled again. Nothing starts before it has been.
    private var paused: PausedRequest?
    private var authChange: (number: UInt32, change: PendingAuthChange)?
    private var watch: Watch?
    /// The answer that is being made while it is sent.
    private var transfer: BodyTransfer?
    /// Answers not handed to the channel yet.
    private var outgoing = ByteBuffer()
    private var willFlush = false
    private var isAdvancing = false
    /// Not too many bytes wait in the channel.
    private var isWritable = true
    /// The channel asked for more input and was not given it.
    private var isReadHeld = false
    /// Parts that came with the read being decoded.
    private var partsInRead = 0
    private var patience: ConnectionPatience

    /// Asked for by `awaitNext` when it is first needed.
    private var socket: CInt?

    /// A connection that has sent a large answer gives its memory back.
    private static let keptBytesMax = 64 << 10

    private struct PausedRequest {
        var request: ClientRequest
        let number: UInt32
        /// It was the read itself that waited.
        let mayReadAfter: Bool
    }

    /// The request that holds the connection as a watch.
    private struct Watch {
        let number: UInt32
        let access: WatchAccess?
        let isStream: Bool
        let isHTTP10: Bool
    }

    init(_ server: ClientServer, _ leftover: DecoderLeftover) {
        self.server = server
        self.leftover = leftover
        order = RequestOrder(firstNumber: 0, inFlightMax: server.configuration.inFlightMax)
        patience = ConnectionPatience(now: ClientServer.monotonicNanoseconds())
    }

    // MARK: - From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let (place, firstNumber) = server.add(self)
        self.place = place
        order = RequestOrder(
            firstNumber: firstNumber, inFlightMax: server.configuration.inFlightMax)
        if server.isStopping { order.end() }
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    private func leave() {
        guard context != nil else { return }
        context = nil
        cancelWatch()
        transfer?.cancel()
        transfer = nil
        (paused, authChange) = (nil, nil)
        server.remove(place: place, nextNumber: order.nextNumber)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        partsInRead += 1
        leftover.partsCount += 1
        run(
            intake.received(
                unwrapInboundIn(data), formBytesMax: server.configuration.formBytesMax))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        patience.received(
            partsCount: partsInRead, isIdle: intake.isIdle, hadBytes: leftover.takeHadBytes(),
            now: server.loopTime)
        partsInRead = 0
        let isAnswered = willFlush && order.inFlightCount == 0
        server.flush()
        if isAnswered { awaitNext() }
    }

    /// See `Attention`.
    func awaitNext() {
        guard let context, server.attention.isWorthwhile(after: place) else { return }
        if socket == nil {
            // Dear, so once. It stays open at least as long as this handler has its context.
            socket = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable { $0 }
        }
        if let socket { server.attention.wait(for: socket) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            // Bytes after a fault, or a broken socket: the channel closes itself if it has to.
            if !(error is ByteToMessageDecoderError) { context.close(promise: nil) }
            return
        }
        if leftover.isTLS { server.sawTLS(from: context.remoteAddress) }
        run(intake.failed(fault(for: error)))
        server.flush()
    }

    private func fault(for error: HTTPParserError) -> RequestFault {
        if error == .headerOverflow { return .headersTooLarge }
        if error == .invalidMethod, intake.isIdle, partsInRead == 0, let fault = leftover.fault() {
            return fault
        }
        return .malformed
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            order.inputEnded()
            // As good as a hang-up for one who waits for events.
            if watch != nil {
                context.close(promise: nil)
                return
            }
            advance()
            server.flush()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if isWritable { transfer?.resume() }
        advance()
        server.flush()
        context.fireChannelWritabilityChanged()
    }

    /// Reading pauses while too much is in flight.
    func read(context: ChannelHandlerContext) {
        if order.wantsInput && isWritable {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    // MARK: - Requests

    private func run(_ action: RequestIntake.Action) {
        switch action {
        case .wait: return
        case .expectContinue: order.expectContinue()
        case .submit(var request):
            if !server.origins.isEmpty {
                request.grant = server.origins.grant(
                    to: request.head.headers.first(name: "Origin"))
            }
            // Mostly nothing is in its way, and it need not stand in line.
            if isWritable, !isAdvancing, let number = order.startAtOnce(request) {
                isAdvancing = true
                start(request, number)
                isAdvancing = false
            } else {
                order.submit(.request(request))
            }
        case .refuse(let fault): order.submit(.fault(fault))
        }
        advance()
    }

    /// Does all that can be done now.
    private func advance() {
        // What is done may end in here again; the loop under way goes on with it.
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while isWritable, let context {
            switch order.next() {
            case .wait:
                if isReadHeld, order.wantsInput {
                    isReadHeld = false
                    context.read()
                }
                return
            case .start(.request(let request), let number): start(request, number)
            case .start(.fault(let fault), let number):
                send(server.answer(to: fault), number)
            case .sendContinue:
                outgoing.writeString("HTTP/1.1 100 Continue\r\n\r\n")
                wantFlush()
            case .close(let lingers):
                flush()
                close(context, lingers: lingers)
            }
        }
    }

    private func start(_ request: ClientRequest, _ number: UInt32) {
        let ticket = Ticket(connection: place, request: number)
        server.attention.asked(by: place)
        let begun = ClientServer.monotonicNanoseconds()
        server.loopTime = begun
        patience.began(at: begun)
        (server.requestKind, server.requestOmitsNode) = (.other, false)
        let handling = server.handle(request, ticket: ticket, isReadable: false)
        order.note(
            RequestMeter.Start(
                kind: server.requestKind, omitsNode: server.requestOmitsNode, at: begun),
            of: number)
        carryOut(handling, request, number)
    }

    private func carryOut(_ handling: Handling, _ request: ClientRequest, _ number: UInt32) {
        switch handling {
        case .answer(let answer): send(answer, number)
        case .proposed: break
        case .waitsToRead: pause(request, number, mayReadAfter: true)
        case .waitsForStore, .waitsForCheck: pause(request, number, mayReadAfter: false)
        case .changesAuth(let change):
            authChange = (number, change)
            order.hold()
        case .watch(let start): open(start, request, number)
        case .stream(let start): open(start, request.framing, number)
        case .pageAfterWrite(let pages): pagesAfterWrite[number] = pages
        }
    }

    private func pause(_ request: ClientRequest, _ number: UInt32, mayReadAfter: Bool) {
        paused = PausedRequest(request: request, number: number, mayReadAfter: mayReadAfter)
        paused?.request.isResumed = true
        order.hold()
    }

    /// Sends an answer whose body lies in the server's memory.
    private func send(_ answer: Answer, _ number: UInt32) {
        let placement = order.placement(of: number)
        if placement != .gone {
            server.meter.ended(
                order.start(of: number), answer.status,
                now: ClientServer.monotonicNanoseconds())
        }
        switch placement {
        case .gone: return
        case .now(let framing):
            server.write(answer, framing: framing, into: &outgoing)
            order.sent()
            while let held = order.takeHeld() { outgoing.writeImmutableBuffer(held) }
            wantFlush()
        case .later(let framing):
            var held = ByteBuffer()
            server.write(answer, framing: framing, into: &held)
            order.hold(held, of: number)
        }
    }

    /// What the engine says to a request that had to wait.
    func take(_ outcome: Outcome, number: UInt32) {
        guard order.placement(of: number) != .gone else { return }
        if authChange?.number == number {
            proceed { server.proceed(&$0, outcome, ticket: $1) }
        } else if !pagesAfterWrite.isEmpty,
            let pages = pagesAfterWrite.removeValue(forKey: number)
        {
            send(server.answer(to: outcome, pages), number)
        } else if case .readable = outcome, let paused, paused.number == number {
            resume(paused)
        } else {
            if paused?.number == number {
                paused = nil
                order.release()
            }
            send(server.answer(to: outcome, of: order.start(of: number)), number)
        }
        advance()
    }

    /// What was found out about the credentials of a request that waits.
    func resume(_ checked: CheckedCredentials, number: UInt32) {
        guard var paused, paused.number == number else { return }
        paused.request.checked = checked
        resume(paused)
        advance()
    }

    private func resume(_ paused: PausedRequest) {
        self.paused = nil
        order.release()
        let ticket = Ticket(connection: place, request: paused.number)
        let handling = server.handle(
            paused.request, ticket: ticket, isReadable: paused.mayReadAfter)
        carryOut(handling, paused.request, paused.number)
    }

    // MARK: - Changes of users and roles

    func resume(hash: [UInt8], number: UInt32) {
        guard authChange?.number == number else { return }
        proceed { server.proceed(&$0, hash: hash, ticket: $1) }
        advance()
    }

    private func proceed(_ step: (inout PendingAuthChange, Ticket) -> Answer?) {
        guard let number = authChange?.number, var change = authChange?.change else { return }
        let answer = step(&change, Ticket(connection: place, request: number))
        authChange = (number, change)
        guard let answer else { return }
        authChange = nil
        order.release()
        send(answer, number)
    }

    // MARK: - Watches

    private func open(_ start: WatchOpening, _ request: ClientRequest, _ number: UInt32) {
        let framing = request.framing
        server.writeHeadOfStream(start.answer, framing: framing, into: &outgoing)
        wantFlush()
        watch = Watch(
            number: number, access: start.access, isStream: start.isStream,
            isHTTP10: framing.isHTTP10)
        for event in start.events {
            server.sharedEvent.encode(event)
            take(server.sharedEvent, number: number)
        }
    }

    /// An event for this connection's watch.
    func take(_ event: SharedEvent, number: UInt32) {
        guard let watch, watch.number == number, let context else { return }
        if watch.isStream && !isWritable {
            // It has not taken what it got so far: it would never catch up, only use up memory.
            server.meter.cutStream()
            context.close(promise: nil)
            return
        }
        let bytes = event.slice(isStream: watch.isStream, isHTTP10: watch.isHTTP10)
        write(bytes, context)
        if !watch.isStream { finishWatch() }
    }

    /// Ends the watch with what is in `last`, if it is over for who asked for it.
    func endWatch(_ last: SharedEvent, where isOver: (WatchAccess?) -> Bool) {
        guard let watch, isOver(watch.access) else { return }
        cancelWatch()
        self.watch = watch
        endWatch(last, number: watch.number)
    }

    /// Ends the response without an event.
    func endWatch(number: UInt32) {
        guard let watch, watch.number == number else { return }
        if !watch.isHTTP10 { outgoing.writeString(ChunkEnd.text) }
        finishWatch()
    }

    /// Ends the response with what is in `last`.
    func endWatch(_ last: SharedEvent, number: UInt32) {
        guard let watch, watch.number == number, let context else { return }
        write(last.slice(isStream: false, isHTTP10: watch.isHTTP10), context)
        finishWatch()
    }

    private func finishWatch() {
        guard let isHTTP10 = watch?.isHTTP10 else { return }
        watch = nil
        finishBody(isHTTP10: isHTTP10)
    }

    /// The answer that held the connection is out.
    private func finishBody(isHTTP10: Bool) {
        // Its body ends where the connection does.
        if isHTTP10 { order.end() }
        order.sent()
        wantFlush()
        advance()
    }

    private func cancelWatch() {
        guard let watch else { return }
        self.watch = nil
        let ticket = Ticket(connection: place, request: watch.number)
        server.engine.store.cancelWatch(ticket.watcher)
    }

    // MARK: - Answers made while they are sent

    private func open(_ start: BodyOpening, _ framing: AnswerFraming, _ number: UInt32) {
        server.writeHeadOfStream(start.answer, framing: framing, into: &outgoing)
        wantFlush()
        server.meter.ended(
            order.start(of: number), start.answer.status,
            now: ClientServer.monotonicNanoseconds())
        guard !framing.isHead else {
            start.letGo()
            return finishBody(isHTTP10: framing.isHTTP10)
        }
        let new = BodyTransfer(start, isChunked: !framing.isHTTP10, eventLoop: server.eventLoop) {
            [weak self] step in
            self?.take(step, isHTTP10: framing.isHTTP10)
        }
        transfer = new
        new.resume()
    }

    private func take(_ step: BodyTransfer.Step, isHTTP10: Bool) {
        guard let context, transfer != nil else { return }
        switch step {
        case .piece(let bytes):
            if outgoing.readableBytes > 0 { flush() }
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            if isWritable { transfer?.resume() }
        case .end:
            transfer = nil
            if !isHTTP10 { outgoing.writeString(ChunkEnd.text) }
            finishBody(isHTTP10: isHTTP10)
            server.flush()
        case .failed: context.close(promise: nil)
        }
    }

    // MARK: - Limits of time

    /// Nothing asked for, nothing under way.
    var isIdle: Bool {
        order.inFlightCount == 0 && intake.isIdle && !patience.isHeadOpen && watch == nil
            && transfer == nil
    }

    /// Monotonic nanoseconds.
    var lastUsedAt: Int64 { patience.lastUsedAt }

    /// Ends what takes too long; called about once a second.
    func patrol(now: Int64) {
        guard let context else { return }
        if patience.isRequestTooSlow(server.configuration, now: now) {
            patience.ended()
            run(intake.failed(.tooSlow))
        }
        // Only of a client that is far behind: what lies in the kernel's buffers is not seen.
        guard !isWritable else { return patience.isTaking() }
        let options = context.channel.syncOptions
        let unsent = (try? options?.getOption(.bufferedWritableBytes)) ?? 0
        guard
            patience.isAnswerUnread(unsent: unsent, server.configuration, now: now)
        else { return }
        server.cutReader()
        context.close(promise: nil)
    }

    /// Makes room for another.
    func evict() { context?.close(promise: nil) }

    // MARK: - To the channel

    private func wantFlush() {
        guard !willFlush else { return }
        willFlush = true
        server.willFlush(self)
    }

    /// Shared bytes: written as they are, unless something else goes out with them anyway.
    private func write(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        wantFlush()
        if outgoing.readableBytes > 0 {
            outgoing.writeImmutableBuffer(bytes)
        } else {
            context.write(wrapOutboundOut(bytes), promise: nil)
        }
    }

    /// One write for all answers of a batch.
    func flush() {
        willFlush = false
        guard let context else { return }
        if outgoing.readableBytes > 0 {
            context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
        } else {
            context.flush()
        }
        // If the socket took it all, the memory is ours alone again, and is used again.
        if outgoing.storageCapacity <= Self.keptBytesMax {
            outgoing.clear()
        } else {
            outgoing = ByteBuffer()
        }
    }

    func stop() {
        if let watch {
            cancelWatch()
            self.watch = watch
            endWatch(number: watch.number)
        }
        order.end()
        // Nobody waits with the end of this member for the end of such an answer, or for a hash.
        if transfer != nil || paused?.request.head.headers.contains(name: "Authorization") == true {
            context?.close(promise: nil)
        }
        advance()
    }

    private func close(_ context: ChannelHandlerContext, lingers: Bool) {
        guard lingers else {
            context.close(promise: nil)
            return
        }
        // The client may still be sending. Closing now would reset the connection, and the answer
        // could be lost with what lies unread: say that all is said, and give it a moment.
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
    }
}
