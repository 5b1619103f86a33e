internal import Cluster
internal import Logging
internal import Logs
internal import NIOCore
internal import RaftModel

/// All that goes to one member and comes from it.
///
/// Which way a message goes (`reference/peer-protocol.md` §5):
///
///     snapshot    POST
///     append      msgapp stream, else message stream, else POST
///     any other   message stream, else POST
///
/// What finds no room is dropped, and raft is told that the peer is unreachable: it sends again.
/// What etcd 2.x does not know, kinds of messages and their contexts, goes to a peer only while it is known
/// to be a kvd.
final class PeerLink {
    let id: MemberID
    /// False for a caller that is no member, as far as this member knows: it gets POSTs only.
    let isMember: Bool
    unowned let transport: PeerTransport
    var urls: URLPicker
    var statistics = PeerStatistics()
    /// Nil before the peer has said anything.
    var features: PeerFeatures?
    /// Whether it has said so since a connection with it was last lost: what listens there now may be
    /// an etcd that was started on the same data.
    var isIdentified = false

    private(set) var appendStream: ServedStream?
    private(set) var messageStream: ServedStream?
    private(set) lazy var appendDialer = StreamDialer(.append, self)
    private(set) lazy var messageDialer = StreamDialer(.message, self)
    private lazy var posts = PostSender(self)
    private var hasDropped = false
    var nextProbeAt: NIODeadline
    private(set) var isStopped = false

    var configuration: TransportConfiguration { transport.configuration }
    var eventLoop: any EventLoop { transport.eventLoop }
    var dialer: Dialer { transport.dialer }

    init(_ peer: Peer, isMember: Bool, _ transport: PeerTransport) {
        id = peer.id
        self.isMember = isMember
        self.transport = transport
        urls = URLPicker(peer.urls)
        nextProbeAt = .now() + transport.configuration.timing.probeInterval
    }

    func start() {
        guard isMember else { return }
        transport.logger.info("starting to talk to peer \(id) at \(urls.current)")
        appendDialer.start()
        messageDialer.start()
    }

    /// Ends everything; the peer is a member no more, or this member stops.
    func stop() {
        isStopped = true
        appendDialer.stop()
        messageDialer.stop()
        for message in posts.stop() where message.kind == .snapshot { finishSnapshot(false) }
        appendStream?.end()
        messageStream?.end()
        (appendStream, messageStream) = (nil, nil)
        if isMember { transport.logger.info("stopped talking to peer \(id)") }
    }

    func update(_ new: [EndpointURL]) {
        guard urls.replace(with: new) else { return }
        transport.logger.info("peer \(id) is now at \(urls.current)")
        appendDialer.redial()
        messageDialer.redial()
    }

    // MARK: Sending

    /// Takes `message`; on a stream it leaves with the next `flush`.
    func add(_ message: Message) {
        var message = message
        if !isKvd {
            guard !message.kind.isKvds else { return }
            message.context = []
        }
        switch message.kind {
        case .snapshot: post(message)
        case .append: add(message, to: appendStream ?? messageStream)
        default: add(message, to: messageStream)
        }
    }

    /// Whether what takes its messages now is a kvd. An etcd 2.x takes the term of any message that is
    /// ahead of its own, and its sender for that term's leader.
    private var isKvd: Bool {
        messageStream?.isKvds ?? (isIdentified && features?.isEmpty == false)
    }

    private func add(_ message: Message, to stream: ServedStream?) {
        guard let stream else { return post(message) }
        guard stream.hasRoom else { return drop(message) }
        stream.add(message)
        statistics.sentMessageCount += 1
    }

    private func post(_ message: Message) {
        guard posts.send(message) else { return drop(message) }
        statistics.sentMessageCount += 1
    }

    private func drop(_ message: Message) {
        statistics.droppedMessageCount += 1
        hasDropped = true
        if message.kind == .snapshot { finishSnapshot(false) }
    }

    func flush() {
        var bytes = appendStream?.flush() ?? 0
        bytes += messageStream?.flush() ?? 0
        statistics.sentBytes += UInt64(bytes)
        guard hasDropped else { return }
        hasDropped = false
        transport.logger.warning(
            "dropped messages to peer \(id): more than it takes are waiting for it already")
        reportUnreachable()
    }

    var currentURL: EndpointURL { urls.current }

    func reportUnreachable() {
        let id = id
        transport.notify { $0.unreachable(id) }
    }

    func finishSnapshot(_ succeeded: Bool) {
        let id = id
        transport.notify { $0.snapshotFinished(id, succeeded: succeeded) }
    }

    // MARK: Streams that the peer dialled

    func attach(_ stream: ServedStream) {
        let old = stream.kind == .append ? appendStream : messageStream
        // Forgotten first: the end of a stream that was replaced is no news.
        switch stream.kind {
        case .append: appendStream = stream
        case .message: messageStream = stream
        }
        if let old {
            old.end()
            reportUnreachable()
        }
        transport.logger.debug("serving peer \(id) its \(stream.kind.rawValue) stream")
        peerIsAlive()
    }

    func detach(_ stream: ServedStream) {
        switch stream.kind {
        case .append where appendStream === stream: appendStream = nil
        case .message where messageStream === stream: messageStream = nil
        default: return
        }
        transport.logger.debug("peer \(id) left its \(stream.kind.rawValue) stream")
        isIdentified = false
        // What was under way on it is probably lost.
        reportUnreachable()
    }

    // MARK: Time

    func tick(now: NIODeadline) {
        let timing = configuration.timing
        for stream in [appendStream, messageStream].compactMap({ $0 }) {
            let isAlive = stream.tick(
                now: now, linkHeartbeat: timing.linkHeartbeat, silenceMax: timing.silenceMax)
            if !isAlive { stream.abort() }
        }
        posts.tick(now: now)
        guard isMember else { return }
        appendDialer.tick(now: now, silenceMax: timing.silenceMax)
        messageDialer.tick(now: now, silenceMax: timing.silenceMax)
        if now >= nextProbeAt {
            nextProbeAt = now + timing.probeInterval
            probe()
        }
    }
}
