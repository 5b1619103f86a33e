internal import Cluster
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// Runs a `StreamDial`: the connections on which one peer's messages come to us.
final class StreamDialer {
    let kind: StreamKind
    private unowned let link: PeerLink
    private var dial: StreamDial
    private var url: EndpointURL?
    private var channel: (any Channel)?
    private var lastReadAt = NIODeadline.now()
    /// The last failure's text, for the line that says that the peer is gone.
    private(set) var lastFault: DialFault?

    init(_ kind: StreamKind, _ link: PeerLink) {
        self.kind = kind
        self.link = link
        let timing = link.configuration.timing
        dial = StreamDial(delay: timing.redialDelay, delayMax: timing.redialDelayMax)
    }

    var isOpen: Bool { dial.state == .open }

    func start() { run(dial.start()) }

    func peerIsAlive() { run(dial.peerIsAlive()) }

    func stop() {
        dial.stop()
        channel?.close(promise: nil)
        channel = nil
    }

    /// Gives up a stream on which nothing has come for too long.
    func tick(now: NIODeadline, silenceMax: TimeAmount) {
        guard let channel, now - lastReadAt > silenceMax else { return }
        fail(.silent(silenceMax), attempt: dial.attempt)
        channel.close(promise: nil)
    }

    /// Drops the connection, if there is one, and dials the peer's present URL.
    func redial() {
        guard let channel else { return }
        channel.close(promise: nil)
    }

    private func run(_ action: StreamDial.Action) {
        switch action {
        case .none: break
        case .dial(let attempt): connect(attempt)
        case .wait(let time, let attempt):
            _ = link.eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
                guard let self else { return }
                run(dial.woken(attempt: attempt))
            }
        }
    }

    private func connect(_ attempt: UInt64) {
        let url = link.urls.current
        self.url = url
        let timing = link.configuration.timing
        link.dialer.connect(to: url, timeout: timing.dialTimeout).assumeIsolated().whenComplete {
            [weak self] result in
            switch result {
            case .success(let channel): self?.connected(channel, url, attempt)
            case .failure(let error):
                self?.fail(
                    .connection(DialError.text(of: error)), attempt: attempt)
            }
            if self == nil, case .success(let channel) = result { channel.close(promise: nil) }
        }
    }

    private func connected(_ channel: any Channel, _ url: EndpointURL, _ attempt: UInt64) {
        guard dial.isCurrent(attempt) else { return channel.close(promise: nil) }
        guard channel.isActive else { return fail(.ended, attempt: attempt) }
        self.channel = channel
        lastReadAt = .now()
        do {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(makeHandler(url, attempt))
        } catch {
            fail(.connection("\(error)"), attempt: attempt)
            channel.close(promise: nil)
        }
    }

    private func makeHandler(_ url: EndpointURL, _ attempt: UInt64) -> any ChannelHandler {
        let configuration = link.configuration
        var headers = link.transport.requestHeaders
        headers.add(name: PeerHeader.to, value: "\(link.id)")
        let head = HTTPRequestHead.toPeer(
            .GET, "\(kind.path)/\(configuration.member)", at: url, headers: headers)
        let bytesMax = configuration.bounds.streamMessageBytesMax
        switch kind {
        case .append:
            let decoder = AppendStreamDecoder(
                local: configuration.member, peer: link.id, frameBytesMax: bytesMax)
            return StreamReadHandler(self, attempt, head, decoder)
        case .message:
            let decoder = MessageStreamDecoder(messageBytesMax: bytesMax)
            return StreamReadHandler(self, attempt, head, decoder)
        }
    }

    // MARK: What the handler reports

    func opened(_ features: PeerFeatures, attempt: UInt64) {
        guard dial.isCurrent(attempt) else { return }
        dial.opened(attempt: attempt)
        lastFault = nil
        link.opened(self, features)
    }

    func wasRead(attempt: UInt64) {
        guard dial.isCurrent(attempt) else { return }
        lastReadAt = .now()
    }

    func received(_ messages: [Message], bytes: Int, attempt: UInt64) {
        guard dial.isCurrent(attempt) else { return }
        link.received(messages, bytes: bytes)
    }

    func fail(_ fault: DialFault, attempt: UInt64) {
        guard dial.isCurrent(attempt) else { return }
        let wasOpen = isOpen
        channel = nil
        lastFault = fault
        let action = dial.failed(attempt: attempt)
        if let url { link.failed(self, fault, at: url, wasOpen: wasOpen) }
        run(action)
    }
}
