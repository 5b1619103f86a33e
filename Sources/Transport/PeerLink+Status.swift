internal import Cluster
internal import Logging
internal import Logs
internal import NIOCore
internal import RaftModel

/// What a link finds out about its peer, and says in the log.
extension PeerLink {
    // MARK: Streams that we dialled

    func opened(_ dialer: StreamDialer, _ features: PeerFeatures) {
        transport.logger.debug("reading peer \(id)'s \(dialer.kind.rawValue) stream")
        learn(features)
        setActive()
    }

    func failed(
        _ dialer: StreamDialer, _ fault: DialFault, at url: EndpointURL, wasOpen: Bool
    ) {
        urls.failed(url)
        isIdentified = false
        let stream = "peer \(id)'s \(dialer.kind.rawValue) stream"
        switch fault {
        case .removed:
            transport.removed(by: id)
        case .notRecognised(let text):
            transport.logger.warning(
                """
                peer \(id) at \(url) does not know this member, \(configuration.member) (\(text)); \
                trying again until it does
                """)
        case .mismatch(let text):
            transport.logger.error(
                """
                peer \(id) at \(url) refuses this member: \(text). This is member \
                \(configuration.member) of cluster \(configuration.cluster), version \
                \(configuration.compatibility.local): check what listens at that URL
                """)
        case .faulty:
            transport.logger.error("closed \(stream): \(fault)")
        default:
            let lost = wasOpen ? "lost" : "cannot read"
            transport.logger.warning("\(lost) \(stream) at \(url): \(fault)")
        }
        if !appendDialer.isOpen, !messageDialer.isOpen { setInactive() }
    }

    func received(_ messages: [Message], bytes: Int) {
        statistics.receivedBytes += UInt64(bytes)
        transport.deliver(messages, from: id)
    }

    // MARK: POSTs

    func posted(_ message: Message, _ features: PeerFeatures) {
        statistics.sentBytes += UInt64(message.encodedSize)
        if message.kind == .snapshot { finishSnapshot(true) }
        learn(features)
        setActive()
    }

    func postFailed(_ messages: [Message], at url: EndpointURL, _ fault: DialFault) {
        guard !isStopped, !messages.isEmpty else { return }
        statistics.failedPostCount += UInt64(messages.count)
        urls.failed(url)
        // Of a member its streams say when it was lost.
        if !isMember { isIdentified = false }
        transport.logger.warning("cannot post to peer \(id) at \(url): \(fault)")
        for message in messages where message.kind == .snapshot { finishSnapshot(false) }
        reportUnreachable()
        if !appendDialer.isOpen, !messageDialer.isOpen { setInactive() }
    }

    // MARK: What the peer is and whether it is there

    func learn(_ new: PeerFeatures) {
        isIdentified = true
        guard features != new else { return }
        features = new
        statistics.features = new
        // Also that it is an etcd: it may have been a kvd before this member was restarted.
        transport.learnt(new, of: id)
    }

    /// The peer has called: dials that wait for it to come back need not wait longer.
    func peerIsAlive() {
        guard isMember else { return }
        appendDialer.peerIsAlive()
        messageDialer.peerIsAlive()
    }

    private func setActive() {
        guard isMember, !statistics.isActive else { return }
        (statistics.isActive, statistics.wasActive) = (true, true)
        statistics.changedAt = NIODeadline.now().uptimeNanoseconds
        transport.logger.info("the connection with \(id) became active")
    }

    private func setInactive() {
        guard isMember, statistics.isActive else { return }
        statistics.isActive = false
        statistics.changedAt = NIODeadline.now().uptimeNanoseconds
        transport.logger.info("the connection with \(id) became inactive")
    }

    // MARK: Probing

    func probe() {
        let url = urls.current
        let sentAt = WallClock.now()
        transport.client.get("/raft/probing", from: url, timeout: configuration.timing.silenceMax)
            .assumeIsolated().whenComplete { [weak self] result in
                guard let self, !isStopped else { return }
                switch result {
                case .success(let answer): probed(answer, sentAt: sentAt)
                case .failure(let error): lostProbe("\(error)")
                }
            }
    }

    private func probed(_ answer: PeerClient.Answer, sentAt: Int64) {
        guard answer.status == 200, let json = try? JSONValue(parsing: answer.body),
            json["OK"] == .bool(true), let text = try? json.string("Now"),
            let now = WallClock.nanoseconds(rfc3339: text)
        else { return lostProbe("its answer to a probe has status \(answer.status)") }
        let halfway = sentAt + Int64(answer.roundTrip / .nanoseconds(2))
        let difference = Duration.nanoseconds(now - halfway)
        statistics.health.answered(roundTrip: answer.roundTrip, clockDifference: difference)
        let limit = Duration.nanoseconds(configuration.timing.clockDifferenceMax.nanoseconds)
        guard difference > limit || difference < .zero - limit else { return }
        transport.logger.warning(
            """
            the clock of peer \(id) differs from this machine's by more than \(limit): check that both \
            follow a time server
            """)
    }

    private func lostProbe(_ problem: String) {
        statistics.health.lost()
        transport.logger.warning("the connection to peer \(id) is unhealthy: \(problem)")
    }
}
