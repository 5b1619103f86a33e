package import Cluster
package import Logging
internal import Logs
package import NIOCore
internal import NIOHTTP1
package import RaftModel

/// One member's talk with the others: see `Transport` for how the parts hang together.
///
/// Lives on one event loop, on which all of its methods are called and all of its sockets are.
/// Its owner binds (`listen`), says who is there (`update`), hands out messages (`send`, once a
/// pump), and stops it; it must be stopped before it is let go.
package final class PeerTransport {
    package let configuration: TransportConfiguration
    package let eventLoop: any EventLoop
    private weak var delegate: (any PeerTransportDelegate)?

    let logger: Logger
    let dialer: Dialer
    /// Asks members for versions and member lists.
    package let client: PeerClient
    let rules: PeerServerConnection.Rules
    let requestHeaders: HTTPHeaders

    /// Sorted by id. Few enough that looking through them beats hashing.
    private var links: [PeerLink] = []
    /// Members or callers that are sent POSTs only.
    private var remotes: [PeerLink] = []
    let strangers = Strangers()
    private var connections: [ObjectIdentifier: PeerServerHandler] = [:]
    /// The one that sends a POST with a long body.
    private weak var longPost: PeerServerHandler?
    private var listeners: [Listener] = []
    private var snapshotSenders: [SnapshotSender] = []
    /// Members whose snapshots are coming in.
    var receivingFrom: [MemberID] = []
    private var isStopped = false
    private var toldOfRemoval = false

    package init(
        _ configuration: TransportConfiguration, eventLoop: any EventLoop,
        delegate: any PeerTransportDelegate, logger: Logger = Logger(label: Transport.logLabel)
    ) {
        eventLoop.preconditionInEventLoop()
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.delegate = delegate
        self.logger = logger
        dialer = Dialer(
            eventLoop: eventLoop, security: configuration.tls,
            silenceMax: configuration.timing.silenceMax)
        client = PeerClient(
            eventLoop: eventLoop, security: configuration.tls,
            answerBytesMax: configuration.bounds.answerBytesMax)
        requestHeaders = configuration.requestHeaders
        rules = PeerServerConnection.Rules(
            local: configuration.member, cluster: configuration.cluster,
            compatibility: configuration.compatibility, features: configuration.features,
            bodyBytesMax: configuration.bounds.postBytesMax,
            promptBodyBytesMax: configuration.bounds.promptPostBytesMax)
        scheduleTick()
    }

    /// Binds a peer URL and serves on it. Fails with a `ListenerError`.
    package func listen(on url: EndpointURL) -> EventLoopFuture<Listener> {
        eventLoop.preconditionInEventLoop()
        precondition(!isStopped, "a stopped transport does not listen")
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let listener = Listener.bind(
            url, on: eventLoop, secure: configuration.tls.prepareServer
        ) { channel in
            try PeerServerHandler.install(on: channel, bound.value)
        }
        listener.assumeIsolated().whenSuccess { listener in
            if self.isStopped { listener.channel.close(promise: nil) }
            self.listeners.append(listener)
        }
        return listener
    }

    /// Says who the other members are, and where; this member itself is passed over.
    package func update(peers: [Peer]) {
        eventLoop.preconditionInEventLoop()
        guard !isStopped else { return }
        let others = peers.filter { $0.id != configuration.member }.sorted { $0.id < $1.id }
        let old = links
        links = others.map { peer in
            guard let link = old.first(where: { $0.id == peer.id }) else {
                return PeerLink(peer, isMember: true, self)
            }
            link.update(peer.urls)
            return link
        }
        for link in old where !links.contains(where: { $0 === link }) { link.stop() }
        strangers.known(links.map(\.id))
        for remote in remotes where self[member: remote.id] != nil { remote.stop() }
        remotes.removeAll(where: \.isStopped)
        for link in links where !old.contains(where: { $0 === link }) { link.start() }
    }

    /// The members of the running cluster that this one joins with an empty log. Until that says that
    /// they are members, they are answered by POST, and what they say is taken: it may have come only
    /// as far as members who are long gone when one of these leads.
    package func join(_ hosts: [Peer]) {
        addRemotes(hosts)
        for host in hosts where host.id != configuration.member { strangers.vouch(for: host.id) }
    }

    /// Callers that this member's log does not know: they are answered by POST. Past the bound, the
    /// one added first is forgotten.
    func addRemotes(_ peers: [Peer]) {
        eventLoop.preconditionInEventLoop()
        guard !isStopped else { return }
        for peer in peers where peer.id != configuration.member && self[member: peer.id] == nil {
            if let known = remotes.first(where: { $0.id == peer.id }) {
                known.update(peer.urls)
                continue
            }
            if remotes.count >= configuration.bounds.remotesMax { remotes.removeFirst().stop() }
            remotes.append(PeerLink(peer, isMember: false, self))
        }
    }

    /// Where the other members are, as far as this one knows.
    var memberURLs: [[EndpointURL]] { links.map(\.urls.all) }

    /// This member joins, and its log has not told it yet whom.
    var knowsNobody: Bool { links.isEmpty && delegate?.members.isEmpty ?? true }

    /// Sends messages, those to one peer on one stream in one write. Never fails: what cannot go
    /// is dropped, and the delegate is told later. Messages of local kinds stay here.
    package func send(_ messages: [Message]) {
        eventLoop.preconditionInEventLoop()
        guard !isStopped else { return }
        for message in messages where !message.kind.isLocal {
            if let link = link(of: message.to) {
                link.add(message)
            } else if message.kind == .snapshot {
                notify { $0.snapshotFinished(message.to, succeeded: false) }
            }
        }
        for link in links { link.flush() }
        for remote in remotes { remote.flush() }
    }

    /// Sends a snapshot that lies in a file, beside the message that tells of it, to a member that
    /// is a kvd. What came of it is reported once (`snapshotFinished`), as for any other.
    package func sendSnapshot(_ message: Message, source: any SnapshotSource) {
        eventLoop.preconditionInEventLoop()
        precondition(message.kind == .snapshot && message.snapshot?.data == [])
        snapshotSenders.removeAll(where: \.isOver)
        guard !isStopped, let link = link(of: message.to) else {
            return notify { $0.snapshotFinished(message.to, succeeded: false) }
        }
        let sender = SnapshotSender(self, message, source, to: link.currentURL)
        snapshotSenders.append(sender)
        sender.start()
    }

    /// One snapshot a member at a time: two would be written to the same file.
    func hasRoomForSnapshot(from peer: MemberID) -> Bool {
        receivingFrom.count < SnapshotTransfer.receptionsMax && !receivingFrom.contains(peer)
    }

    func sink(for message: Message, _ part: SnapshotPart) -> SnapshotSinkVerdict {
        guard !isStopped, let delegate else { return .refuse(reason: "the member is stopping") }
        return delegate.snapshotSink(for: message, from: message.from, part)
    }

    /// Closes listeners and connections; nothing is sent or reported any more.
    package func stop() -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        isStopped = true
        let closing = listeners.map { $0.close() }
        listeners = []
        for link in links + remotes { link.stop() }
        for sender in snapshotSenders { sender.stop() }
        snapshotSenders = []
        (links, remotes) = ([], [])
        for connection in Array(connections.values) { connection.close() }
        return EventLoopFuture.whenAllComplete(closing, on: eventLoop).map { _ in }
    }

    /// One peer's figures; nil for an id that is no peer.
    package func statistics(of peer: MemberID) -> PeerStatistics? {
        eventLoop.preconditionInEventLoop()
        return self[member: peer]?.statistics
    }

    // MARK: For links and connections

    subscript(member id: MemberID) -> PeerLink? { links.first { $0.id == id } }

    private func link(of id: MemberID) -> PeerLink? {
        self[member: id] ?? remotes.first { $0.id == id }
    }

    /// Tells the delegate something in a later turn of the loop.
    func notify(_ body: @escaping (any PeerTransportDelegate) -> Void) {
        eventLoop.assumeIsolated().execute { [self] in
            guard !isStopped, let delegate else { return }
            body(delegate)
        }
    }

    /// At once: what a peer says behind it must not be taken for another's.
    func learnt(_ features: PeerFeatures, of peer: MemberID) {
        guard !isStopped else { return }
        delegate?.learnt(features, of: peer)
    }

    /// Hands on what came in, but for what must not come in.
    func deliver(_ messages: [Message], from peer: MemberID) {
        guard !isStopped, let delegate else { return }
        let local = configuration.member
        var accepted = messages
        let isClean = messages.allSatisfy {
            MessageVerdict.judge($0, local: local, peer: peer) == .deliver
        }
        if !isClean {
            accepted.removeAll { message in
                let verdict = MessageVerdict.judge(message, local: local, peer: peer)
                if case .refuse(let fault) = verdict {
                    logger.error(
                        "dropped a message of \(message.kind) from peer \(peer): \(fault)")
                }
                return verdict != .deliver
            }
            guard !accepted.isEmpty else { return }
        }
        link(of: peer)?.statistics.receivedMessageCount += UInt64(accepted.count)
        delegate.received(accepted, from: peer)
    }

    /// A peer answered 410.
    func removed(by peer: MemberID) {
        logger.error("peer \(peer) says that this member was removed from the cluster")
        guard !toldOfRemoval else { return }
        toldOfRemoval = true
        notify { $0.removedFromCluster() }
    }

    private func scheduleTick() {
        let timing = configuration.timing
        let shortest = min(timing.linkHeartbeat, timing.silenceMax, timing.probeInterval)
        _ = eventLoop.assumeIsolated().scheduleTask(in: shortest / 4) { [self] in
            guard !isStopped else { return }
            let now = NIODeadline.now()
            for link in links + remotes { link.tick(now: now) }
            for sender in snapshotSenders { sender.tick(now: now) }
            for connection in Array(connections.values) {
                connection.tick(now: now, timing)
            }
            scheduleTick()
        }
    }
}

/// What connections that others opened ask for.
extension PeerTransport {
    func accepted(_ connection: PeerServerHandler) {
        guard !isStopped else { return connection.close() }
        connections[ObjectIdentifier(connection)] = connection
        guard connections.count > configuration.bounds.connectionsMax else { return }
        // Streams stay: only members have them, two each.
        let idle = connections.values.lazy.filter { $0.mayMakeRoom && $0 !== connection }
        guard let oldest = idle.min(by: { $0.lastReadAt < $1.lastReadAt }) else { return }
        // Now: its handler goes only later, and others may be accepted before.
        connections[ObjectIdentifier(oldest)] = nil
        oldest.close()
    }

    func gone(_ connection: PeerServerHandler) {
        connections[ObjectIdentifier(connection)] = nil
        if longPost === connection { longPost = nil }
    }

    /// Whether the body that `connection` sends may become a long one.
    func takesLongPost(on connection: PeerServerHandler) -> Bool {
        if longPost == nil { longPost = connection }
        return longPost === connection
    }

    /// It is over, one way or the other.
    func endedLongPost(on connection: PeerServerHandler) {
        if longPost === connection { longPost = nil }
    }

    /// A member that `update` has not named yet cannot be served, so it counts as unknown.
    func standing(of member: MemberID) -> PeerStanding {
        guard delegate?.standing(of: member) != .removed else { return .removed }
        return self[member: member] == nil ? .unknown : .member
    }

    func opened(_ stream: ServedStream, by caller: PeerCaller) {
        guard let link = self[member: stream.peer] else { return stream.end() }
        link.learn(caller.features)
        link.attach(stream)
    }

    func ended(_ stream: ServedStream) { self[member: stream.peer]?.detach(stream) }

    /// What a caller says of itself, whose messages are taken: a member, or one that was vouched for. It
    /// may lead in an earlier term than this member's, and is told so only if it is known as a kvd.
    func learn(from caller: PeerCaller) {
        guard let id = caller.member, let link = link(of: id),
            link.isMember || strangers.isVouchedFor(id)
        else { return }
        link.learn(caller.features)
        link.peerIsAlive()
    }

    /// Somebody who is no member here wanted a stream: a new member, if this one is behind.
    func meet(_ caller: PeerCaller) {
        guard let id = caller.member, delegate?.standing(of: id) != .member else { return }
        // The id is no part of the line's identity: with made-up ones nobody fills the log.
        logger.warning(
            "a member that is unknown here asked for a stream; refused it",
            metadata: ["member": "\(id)"])
        guard !caller.urls.isEmpty else { return }
        addRemotes([Peer(id: id, urls: caller.urls)])
    }

    /// On a port without it.
    func sawTLS(from address: SocketAddress?) {
        logger.warning(
            """
            a peer at \(address?.ipAddress ?? "?") speaks TLS to a port without it: its URL for this \
            member has to be http://, or --listen-peer-urls https:// with --peer-cert-file and \
            --peer-key-file
            """)
    }

    /// What a scanner of ports sends, too: so it is told to those only who look for it.
    func sawNoHTTP(from address: SocketAddress?, _ error: any Error) {
        logger.debug(
            "what \(address?.ipAddress ?? "?") sent to the peer port is no HTTP: \(error)")
    }

    func fillProbe(_ answer: PeerServerConnection.Answer) -> PeerServerConnection.Answer {
        let text = "{\"OK\":true,\"Now\":\"\(WallClock.rfc3339(WallClock.now()))\"}\n"
        return fill(answer, "text/plain; charset=utf-8", Array(text.utf8))
    }

    func fillMembers(_ answer: PeerServerConnection.Answer) -> PeerServerConnection.Answer {
        var filled = fill(
            answer, "application/json", MemberJSON.peerList(delegate?.members ?? []))
        filled.response.headers.append((PeerHeader.cluster, "\(configuration.cluster)"))
        return filled
    }

    func fillVersion(_ answer: PeerServerConnection.Answer) -> PeerServerConnection.Answer {
        let body = MemberVersions.json(
            server: configuration.compatibility.local, cluster: delegate?.clusterVersion)
        return fill(answer, "application/json", body)
    }

    func fillSnapshotOffset(
        _ answer: PeerServerConnection.Answer, _ identity: String
    ) -> PeerServerConnection.Answer {
        guard let delegate, !identity.isEmpty else { return fill(answer, offset: 0) }
        guard let offset = delegate.snapshotOffset(of: identity) else {
            var refusal = answer
            refusal.response = .error(
                .serviceUnavailable, "busy with what has come of this snapshot; ask again later")
            return refusal
        }
        return fill(answer, offset: offset)
    }

    private func fill(
        _ answer: PeerServerConnection.Answer, offset: Int
    ) -> PeerServerConnection.Answer {
        fill(answer, "text/plain; charset=utf-8", Array("\(offset)\n".utf8))
    }

    private func fill(
        _ answer: PeerServerConnection.Answer, _ type: String, _ body: [UInt8]
    ) -> PeerServerConnection.Answer {
        var filled = answer
        filled.response.headers.append(("Content-Type", type))
        filled.response.body = body
        return filled
    }
}
