internal import KVServer
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

    let server: ClientServer
    private let leftover: DecoderLeftover
    var context: ChannelHandlerContext?
    var place: UInt32 = 0
    var intake = RequestIntake.idle
    var order: RequestOrder
    /// What to answer when writes of a site have ended, by the request's number.
    private var pagesAfterWrite: [UInt32: PageAfterWrite] = [:]
    /// The request that waits to be handled again. Nothing starts before it has been.
    var paused: PausedRequest?
    var authChange: (number: UInt32, change: PendingAuthChange)?
    var watch: Watch?
    /// The answer that is being made while it is sent.
    var transfer: BodyTransfer?
    /// Answers not handed to the channel yet.
    var outgoing = ByteBuffer()
    private var willFlush = false
    private var isAdvancing = false
    /// Not too many bytes wait in the channel.
    var isWritable = true
    private var share = LoopShare()
    private var isResting = false
    /// The channel asked for more input and was not given it.
    private var isReadHeld = false
    /// Parts that came with the read being decoded.
    private var partsInRead = 0
    var patience: ConnectionPatience

    /// Asked for by `awaitNext` when it is first needed.
    private var socket: CInt?

    /// A connection that has sent a large answer gives its memory back.
    private static let keptBytesMax = 64 << 10

    struct PausedRequest {
        var request: ClientRequest
        let number: UInt32
        /// It was the read itself that waited.
        let mayReadAfter: Bool
    }

    /// The request that holds the connection as a watch.
    struct Watch {
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
        let fault = leftover.fault(
            for: error, isIdle: intake.isIdle, partsInRead: partsInRead,
            origins: server.origins)
        run(intake.failed(fault))
        server.flush()
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

    /// Whether more answers may be made: those that were are in memory until the client takes them.
    private var hasRoom: Bool {
        isWritable && outgoing.readableBytes < server.configuration.pipelinedBytesMax
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

    func run(_ action: RequestIntake.Action) {
        switch action {
        case .wait: return
        case .expectContinue: order.expectContinue()
        case .submit(var request):
            if !server.origins.isEmpty {
                request.grant = server.origins.grant(
                    to: request.head.headers.first(name: "Origin"))
            }
            // Mostly nothing is in its way, and it need not stand in line.
            if hasRoom, !share.isUsedUp, !isAdvancing, let number = order.startAtOnce(request) {
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
    func advance() {
        // What is done may end in here again; the loop under way goes on with it.
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while hasRoom, let context {
            if share.isUsedUp, order.hasWaiting { return rest() }
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
                flush(all: true)
                close(context, lingers: lingers)
            }
        }
    }

    private func rest() {
        guard !isResting else { return }
        isResting = true
        server.rest(self)
    }

    /// The turn of this connection has come, after a rest. Returns how much of the loop it took.
    func goOn() -> Int {
        isResting = false
        let unsent = outgoing.readableBytes
        guard unsent == 0 else {
            flush()
            advance()
            return unsent - outgoing.readableBytes
        }
        share.renew()
        advance()
        return share.spent
    }

    private func start(_ request: ClientRequest, _ number: UInt32) {
        let ticket = Ticket(connection: place, request: number)
        server.attention.asked(by: place)
        let begun = ClientServer.monotonicNanoseconds()
        server.loopTime = begun
        patience.began(at: begun)
        server.asked = RequestMeter.Start(at: begun)
        let handling = server.handle(request, ticket: ticket, isReadable: false)
        order.note(server.asked, of: number)
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
    func send(_ answer: Answer, _ number: UInt32) {
        let placement = order.placement(of: number)
        if placement != .gone {
            server.meter.ended(
                order.start(of: number), answer.status,
                now: ClientServer.monotonicNanoseconds())
        }
        switch placement {
        case .gone: return
        case .now(let framing):
            let before = outgoing.readableBytes
            server.write(answer, framing: framing, into: &outgoing)
            share.spend(bytes: outgoing.readableBytes - before)
            order.sent()
            while let held = order.takeHeld() { outgoing.writeImmutableBuffer(held) }
            wantFlush()
        case .later(let framing):
            var held = ByteBuffer()
            server.write(answer, framing: framing, into: &held)
            share.spend(bytes: held.readableBytes)
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

    // MARK: - To the channel

    func wantFlush() {
        guard !willFlush else { return }
        willFlush = true
        server.willFlush(self)
    }

    /// Shared bytes: written as they are, unless something else goes out with them anyway.
    func write(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        wantFlush()
        if outgoing.readableBytes > 0 {
            outgoing.writeImmutableBuffer(bytes)
        } else {
            context.write(wrapOutboundOut(bytes), promise: nil)
        }
    }

    /// One write for all answers of a batch, but of a large one a slice a turn: the kernel copies all that
    /// it is given at once.
    func flush(all: Bool = false) {
        willFlush = false
        guard let context else { return }
        let wasFull = !hasRoom
        if !all, outgoing.readableBytes > LoopShare.wholeBytesMax,
            let slice = outgoing.readSlice(length: LoopShare.sliceBytesMax)
        {
            context.writeAndFlush(wrapOutboundOut(slice), promise: nil)
            return rest()
        }
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
        share.endBatch()
        if wasFull { advance() }
    }

    func stop() {
        if let watch {
            cancelWatch()
            self.watch = watch
            endWatch(number: watch.number)
        }
        // There are no more turns to send slices in.
        if outgoing.readableBytes > 0 { flush(all: true) }
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
