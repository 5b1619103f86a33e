internal import ClientAPI
internal import NIOCore
internal import NIOHTTP1

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What a client is sent: the answer of a member as it comes, or one of the proxy's own.
extension FrontHandler {
    // MARK: - From the member

    /// Whether more of the answer may be read.
    var canTake: Bool { context?.channel.isWritable ?? true }

    func memberTakesMore() { resumeReading() }

    func answerBegan(_ head: HTTPResponseHead) {
        if let backend = current?.backend,
            let problem = server.answered(backend.url, head.status)
        {
            if let step = current?.exchange.declined(problem) {
                current?.backend = nil
                backend.abandon()
                return carryOut(step)
            }
            server.failed(Refusal.Try(url: backend.url, problem: problem))
        }
        guard var current, let context else { return }
        self.current = nil
        current.exchange.answered()
        current.status = head.status.code
        // A member that answers before it has all takes the rest no more.
        if !current.exchange.hasEnded { current.framing.keepsAlive = false }
        if hasInputEnded || server.isStopping { current.framing.keepsAlive = false }
        var answer = ForwardedHead.answer(head, framing: &current.framing)
        current.endsWithConnection =
            current.framing.isHTTP10 && !answer.headers.contains(name: "content-length")
        server.addCrossOrigins(to: &answer.headers, of: current.head)
        self.current = current
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
    }

    func answerWentOn(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    func answerEnded() {
        guard let current else { return }
        server.meter.ended(
            current.head.method.rawValue, status: current.status,
            nanoseconds: current.isWatch ? nil : server.now - current.startedAt)
        endAnswer()
    }

    func memberLost(_ problem: String) {
        current?.backend = nil
        carryOut(current?.exchange.lost(problem))
    }

    func flush() { context?.flush() }

    // MARK: - Answers

    func answer(_ answer: LocalAnswer) {
        guard var current, let context else { return }
        current.exchange.finish()
        if !current.exchange.hasEnded || hasInputEnded || server.isStopping {
            current.framing.keepsAlive = false
        }
        var headers = HTTPHeaders(answer.fields.map { ($0.name, $0.value) })
        headers.add(name: "Date", value: server.date)
        headers.add(name: "Content-Length", value: "\(answer.body.count)")
        server.addCrossOrigins(to: &headers, of: current.head)
        ForwardedHead.addConnection(current.framing, to: &headers)
        self.current = current
        let head = HTTPResponseHead(
            version: current.framing.isHTTP10 ? .http1_0 : .http1_1, status: answer.status,
            headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !current.framing.isHead, !answer.body.isEmpty {
            answerWentOn(ByteBuffer(bytes: answer.body))
        }
        endAnswer()
    }

    /// The last byte of an answer is written.
    private func endAnswer() {
        guard let context, let ended = current else { return }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        current = nil
        guard ended.framing.keepsAlive, !hasInputEnded, !server.isStopping else {
            return close(context, lingers: !ended.exchange.hasEnded)
        }
        takeFromQueue()
        refuseIfDue()
        resumeReading()
    }

    private func close(_ context: ChannelHandlerContext, lingers: Bool) {
        isEnding = true
        queue.removeAll()
        guard lingers else { return context.close(promise: nil) }
        // Closing while input lies unread would reset the connection, and the answer could be lost.
        context.close(mode: .output, promise: nil)
        resumeReading()
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
    }

    /// A part of the answer is out and the rest will not come: it must not look whole.
    func cut() {
        guard let context, let current else { return }
        server.meter.cut()
        if current.endsWithConnection {
            // Here the connection's end would be the body's: a reset is not.
            let socket = context.channel as? any SocketOptionProvider
            _ = socket?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        isEnding = true
        current.backend?.abandon()
        self.current?.backend = nil
        context.flush()
        context.close(promise: nil)
    }
}
