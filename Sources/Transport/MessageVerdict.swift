internal import RaftModel

/// Whether a message that came in may go on to raft.
///
/// Raft takes many things for granted that only the sender's honesty or the right wiring of
/// connections can promise; what can be checked without knowing raft's state is checked here.
enum MessageVerdict: Equatable {
    case deliver
    /// Of a kind that means something only within a member: etcd ignores those silently.
    case ignore
    case refuse(MessageFault)

    /// - Parameters:
    ///   - local: this member.
    ///   - peer: who is at the other end of the connection; nil where only the message says it.
    static func judge(
        _ message: Message, local: MemberID, peer: MemberID?
    ) -> MessageVerdict {
        if message.kind.isLocal { return .ignore }
        guard message.to == local else { return .refuse(.addressedTo(message.to)) }
        guard message.from != .none, peer == nil || message.from == peer else {
            return .refuse(.sentBy(message.from))
        }
        switch message.kind {
        case .append where !message.hasContinuousEntries: return .refuse(.brokenEntries)
        case .snapshot where message.snapshot == nil: return .refuse(.missingSnapshot)
        default: return .deliver
        }
    }
}

/// Why a message was refused.
enum MessageFault: Error, Equatable, CustomStringConvertible {
    case addressedTo(MemberID)
    case sentBy(MemberID)
    /// An append's entries do not follow each other, or the entry before them.
    case brokenEntries
    case missingSnapshot

    var description: String {
        switch self {
        case .addressedTo(let member): "it is addressed to member \(member)"
        case .sentBy(let member): "it says it is from member \(member)"
        case .brokenEntries: "its entries do not follow each other"
        case .missingSnapshot: "it is a snapshot without one"
        }
    }
}

extension Message.Kind {
    /// Kinds that never leave a member. Source: `reference/peer-protocol.md` §4.
    var isLocal: Bool {
        switch self {
        case .hup, .beat, .unreachable, .snapshotStatus, .checkQuorum: true
        default: false
        }
    }
}

extension Message {
    /// Whether an append's entries are `index + 1`, `index + 2`, … in terms that never go down.
    fileprivate var hasContinuousEntries: Bool {
        var last = (index: index, term: logTerm)
        for entry in entries {
            guard entry.index == last.index &+ 1, entry.term >= last.term else { return false }
            last = (entry.index, entry.term)
        }
        return last.term <= term
    }
}
