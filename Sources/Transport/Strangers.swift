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
        let cluster = configuration.cluster
        for urls in memberURLs {
            let asked = client.fetchMembers(from: urls, timeout: .seconds(2))
            asked.assumeIsolated().whenSuccess { [weak self] answer in
                guard let self, answer.cluster == cluster,
                    answer.members.contains(where: { $0.id == sender }),
                    !strangers.isVouchedFor(sender)
                else { return }
                logger.info("\(sender) is a member, as another one says: taking its messages")
                strangers.vouch(for: sender)
            }
        }
    }
}
