package import Cluster
package import RaftModel

/// What members say to each other, and how: HTTP/1.1 on the peer URLs, as etcd 2.3 speaks it.
///
/// `PeerTransport` is the whole of it for one member. It lives on one event loop, the engine's:
/// nothing in here takes a lock, and no message changes threads.
///
///     engine ── send(messages) ──▶ PeerTransport ──▶ PeerLink (one for each peer)
///                                                      ├─ ServedStream   peer dialled: msgapp
///                                                      ├─ ServedStream   peer dialled: message
///                                                      └─ PostSender     POST /raft
///
///     PeerServerHandler   connections that peers opened: POST, streams, probing, members, version
///     StreamDialer        connections we opened: a peer's msgapp and message streams to us
///              └──────────▶ delegate.received(messages, from:) ──▶ engine
///
/// Streams are pulled: the *receiver* dials `GET /raft/stream/KIND/SELF`, and the body of the
/// answer carries the callee's messages to it. What may go where, and in which frames, is in
/// `PeerLink`, `AppendStream` and `MessageStream`.
///
/// Everything with a protocol in it is a value that takes events and returns actions, without a
/// channel: `PeerServerConnection`, `StreamDial`, `StreamAnswer`, `PostPipeline`, the decoders.
/// Handlers and runners only carry the actions out.
///
/// Sources: `reference/peer-protocol.md`; captures with notes in `Fixtures/peer`.
package enum Transport {
    /// The label of all log lines of this target, as etcd's.
    package static let logLabel = "rafthttp"
}

/// A member to talk to.
package struct Peer: Equatable, Sendable {
    package var id: MemberID
    /// Where its peer listener is; tried one after the other. Never empty.
    package var urls: [EndpointURL]

    package init(id: MemberID, urls: [EndpointURL]) {
        precondition(!urls.isEmpty, "a peer has at least one URL")
        self.id = id
        self.urls = urls
    }

    /// A member as the log has it; nil if it has no usable peer URL. URLs that cannot be parsed are
    /// left out: whoever added the member got the error.
    package init?(_ member: Member) {
        var urls: [EndpointURL] = []
        for text in member.peerURLs {
            guard let url = try? EndpointURL(text) else { continue }
            urls.append(url)
        }
        guard !urls.isEmpty else { return nil }
        self.init(id: member.id, urls: urls)
    }
}

/// What this member's log says of a sender.
package enum PeerStanding: Sendable {
    case member
    /// It was one; its id will never be one again.
    case removed
    case unknown
}

/// Who gets what the transport receives, and knows what the transport has to ask.
///
/// All calls are made on the transport's event loop, and none while `PeerTransport.send` or
/// `update` runs: what those find out is reported in a later turn of the loop.
package protocol PeerTransportDelegate: AnyObject {
    /// Messages in the order in which `peer` sent them on one connection: all that one read of the
    /// socket brought. None is of a local kind, all are addressed to this member.
    func received(_ messages: [Message], from peer: MemberID)
    /// Messages to `peer` were lost, or are likely to have been.
    func unreachable(_ peer: MemberID)
    /// What came of a snapshot message handed to `send`; called exactly once for each.
    func snapshotFinished(_ peer: MemberID, succeeded: Bool)
    /// `peer` wants to send a snapshot, or the rest of one. When the sink has it all, `message`, which
    /// has no data, is received like any other.
    func snapshotSink(
        for message: Message, from peer: MemberID, _ part: SnapshotPart
    ) -> SnapshotSinkVerdict
    /// How many bytes of that snapshot's file are here, of a transfer that was cut off; nil while that is
    /// not known yet: the last of them are still being written, or read after a restart.
    func snapshotOffset(of identity: String) -> Int?
    /// A peer says that this member was removed from the cluster.
    func removedFromCluster()
    /// `peer` has said for the first time what it is, a kvd (`features` is not empty) or an etcd, or
    /// is found to be another now. Called before anything that it said with that is received.
    func learnt(_ features: PeerFeatures, of peer: MemberID)
    func standing(of member: MemberID) -> PeerStanding
    /// For `GET /members`.
    var members: [Member] { get }
    /// For `GET /version`; nil before the cluster has decided.
    var clusterVersion: SemanticVersion? { get }
}

extension PeerTransportDelegate {
    package func snapshotSink(
        for message: Message, from peer: MemberID, _ part: SnapshotPart
    ) -> SnapshotSinkVerdict {
        .refuse(reason: "this member takes no snapshots")
    }

    package func snapshotOffset(of identity: String) -> Int? { 0 }
}
