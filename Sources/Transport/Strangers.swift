internal import Cluster
internal import Logging
internal import Logs
internal import NIOCore
internal import RaftModel

/// Senders of messages that are no members as far as this member knows.
///
/// Who can reach the peer port can say that it is anybody: one made-up message of a high term would
/// make a member leave its leader. So a message is taken from members only. But a member that is
/// behind may not know the newest ones, and one of them may lead: when a stranger calls, the known
/// members are asked whether it is one of them, and when one says so, its next message is taken.
/// A member that knows nobody, since it joins, takes what comes.
final class Strangers {
    /// Whom a member vouched for. Few: it takes changes that this member has not heard of yet.
    private var vouchedFor: Set<MemberID> = []
    private var askedAt: NIODeadline?

    static let vouchedMax = 64
    static let pause = TimeAmount.seconds(1)

    func isVouchedFor(_ id: MemberID) -> Bool { vouchedFor.contains(id) }

    func vouch(for id: MemberID) {
        if vouchedFor.count == Self.vouchedMax { vouchedFor.removeAll() }
        vouchedFor.insert(id)
    }

    /// They are members now.
    func known(_ members: [MemberID]) { vouchedFor.subtract(members) }

    /// Whether to ask now; not again for a while.
    func mayAsk(now: NIODeadline) -> Bool {
        if let askedAt, now - askedAt < Self.pause { return false }
        askedAt = now
        return true
    }
}

extension PeerTransport {
    /// Whether a message is taken from `sender`, who is not one of the removed.
    func takesPosts(from sender: MemberID) -> Bool {
        self[member: sender] != nil || strangers.isVouchedFor(sender) || knowsNobody
    }

    /// A message was refused since its sender is not known.
    func refused(_ message: Message) {
        let sender = message.from
        // Which one is no part of the line's identity: with made-up ids and terms nobody fills the log.
        logger.warning(
            "refused a message of \(message.kind): its sender is no member of this cluster that is known here",
            metadata: ["sender": "\(sender)", "term": "\(message.term)"])
        guard sender != configuration.member, strangers.mayAsk(now: .now()) else { return }
        let asked = memberURLs + configuration.referees.map { [$0] }
        let answers = asked.map { urls in
            client.fetchMembers(from: urls, timeout: .seconds(2)).assumeIsolated().map {
                [weak self] answer in
                self?.heard(of: answer.members, in: answer.cluster, about: sender) ?? false
            }.nonisolated()
        }
        EventLoopFuture.whenAllComplete(answers, on: eventLoop).assumeIsolated().whenSuccess {
            [weak self] results in
            let isAnswered = results.contains { (try? $0.get()) ?? false }
            if !isAnswered { self?.nobodyVouches(asked.flatMap { $0 }) }
        }
    }

    /// What one that was asked about `sender` says. Returns whether it is of this cluster.
    private func heard(
        of members: [Member], in cluster: ClusterID, about sender: MemberID
    ) -> Bool {
        guard cluster == configuration.cluster else { return false }
        guard members.contains(where: { $0.id == sender }), !strangers.isVouchedFor(sender) else {
            return true
        }
        logger.info("\(sender) is a member, as another one says: taking its messages")
        strangers.vouch(for: sender)
        return true
    }

    /// Nobody can say who the sender is. Whoever it is says so of itself; to ask it would be to believe it.
    private func nobodyVouches(_ urls: [EndpointURL]) {
        let list = Set(urls).sorted().map(\.description).joined(separator: ", ")
        logger.error(
            """
            cannot find out whether the sender of refused messages is a member: of those that this member \
            knows (\(list.isEmpty ? "nobody" : list)) none answers as one of cluster \
            \(configuration.cluster). If they were all replaced while this member was down, start it again \
            with the present members in --initial-cluster, beside its own entry; or remove it (at one of \
            them: DELETE /v2/members/\(configuration.member)) and add it anew with an empty data dir
            """)
    }
}
