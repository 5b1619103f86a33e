internal import Cluster
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// Runs one peer's `PostPipeline`.
final class PostSender {
    private unowned let link: PeerLink
    private var pipeline: PostPipeline
    private var connections: [Connection?]
    private var isStopped = false

    private struct Connection {
        var handler: PostConnectionHandler
        var url: EndpointURL
    }

    init(_ link: PeerLink) {
        self.link = link
        let bounds = link.configuration.bounds
        pipeline = PostPipeline(
            connectionsMax: bounds.postConnectionsMax, queueMax: bounds.postQueueMessagesMax)
        connections = Array(repeating: nil, count: bounds.postConnectionsMax)
    }

    /// Queues or sends; false when there is no room.
    func send(_ message: Message) -> Bool {
        guard !isStopped, let action = pipeline.submit(message) else { return false }
        run(action)
        return true
    }

    func stop() -> [Message] {
        isStopped = true
        let open = connections
        connections = Array(repeating: nil, count: connections.count)
        open.forEach { $0?.handler.close() }
        return pipeline.stop()
    }

    func tick(now: NIODeadline) {
        let timing = link.configuration.timing
        for case let connection? in connections {
            let slot = connection.handler.slot
            let (time, isWritten) = connection.handler.stillness(now: now)
            guard let message = pipeline.message(in: slot) else {
                // Before the peer gives it up: it allows `silenceMax` itself.
                if time > timing.silenceMax / 2 { connection.handler.close() }
                continue
            }
            let isSnapshotWorkedOn = message.kind == .snapshot && isWritten
            let timeMax = isSnapshotWorkedOn ? timing.snapshotAnswerMax : timing.silenceMax
            guard time > timeMax else { continue }
            lost(
                connection.handler, hasBegun: true,
                "nothing moved for \(time.nanoseconds / 1_000_000) ms")
            connection.handler.close()
        }
    }

    private func run(_ action: PostPipeline.Action) {
        switch action {
        case .none: break
        case .connect(let slot): connect(slot)
        case .post(let message, let slot): post(message, slot)
        }
    }

    private func connect(_ slot: Int) {
        let url = link.urls.current
        link.dialer.connect(to: url, timeout: link.configuration.timing.dialTimeout)
            .assumeIsolated().whenComplete { [weak self] result in
                switch result {
                case .success(let channel):
                    guard let self, !isStopped else { return channel.close(promise: nil) }
                    connected(channel, slot, url)
                case .failure(let error): self?.connectFailed(slot, url, DialError.text(of: error))
                }
            }
    }

    private func connected(_ channel: any Channel, _ slot: Int, _ url: EndpointURL) {
        guard channel.isActive else {
            return connectFailed(slot, url, "the connection was closed at once")
        }
        let handler = PostConnectionHandler(self, slot: slot)
        do {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            channel.close(promise: nil)
            return connectFailed(slot, url, "\(error)")
        }
        connections[slot] = Connection(handler: handler, url: url)
        run(pipeline.connected(slot: slot))
    }

    private func connectFailed(_ slot: Int, _ url: EndpointURL, _ problem: String) {
        guard !isStopped else { return }
        let messages = pipeline.connectFailed(slot: slot)
        link.postFailed(messages, at: url, .connection(problem))
    }

    private func post(_ message: Message, _ slot: Int) {
        guard let connection = connections[slot] else {
            preconditionFailure("a slot that posts has its connection")
        }
        let head = HTTPRequestHead.toPeer(
            .POST, "/raft", at: connection.url, headers: link.transport.requestHeaders)
        connection.handler.post(message, head)
    }

    // MARK: What a connection reports

    func answered(_ answer: PostConnectionHandler.Answer, by handler: PostConnectionHandler) {
        guard let connection = connections[handler.slot], connection.handler === handler,
            let (message, action) = pipeline.answered(
                slot: handler.slot, keepsAlive: answer.keepsAlive)
        else { return }
        if !answer.keepsAlive {
            connections[handler.slot] = nil
            handler.close()
        }
        if answer.status == 204 {
            link.posted(message, answer.features)
        } else {
            let text = String(buffer: answer.text).prefix { !$0.isNewline }
            link.postFailed([message], at: connection.url, .status(answer.status, String(text)))
        }
        run(action)
    }

    func lost(_ handler: PostConnectionHandler, hasBegun: Bool, _ problem: String) {
        guard let connection = connections[handler.slot], connection.handler === handler else {
            return
        }
        connections[handler.slot] = nil
        let (messages, action) = pipeline.lost(slot: handler.slot, hasBegun: hasBegun)
        if !messages.isEmpty {
            link.postFailed(messages, at: connection.url, .connection(problem))
        }
        run(action)
    }
}
