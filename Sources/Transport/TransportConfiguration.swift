package import Cluster
package import NIOCore
package import RaftModel

/// What a `PeerTransport` needs to know and does not change while it runs.
package struct TransportConfiguration: Sendable {
    package var member: MemberID
    package var cluster: ClusterID
    /// Where peers reach this member: the header `X-PeerURLs`.
    package var peerURLs: [EndpointURL]
    /// Where members were when this one was configured: asked about strangers as known members are,
    /// which may all be gone by now.
    package var referees: [EndpointURL] = []
    package var features: PeerFeatures = .supported
    package var compatibility = PeerCompatibility()
    package var timing: Timing
    package var bounds = Bounds()
    package var tls = TransportSecurity()

    /// `electionTimeout` stretches the dial timeout, as etcd's.
    package init(
        member: MemberID, cluster: ClusterID, peerURLs: [EndpointURL],
        electionTimeout: Duration = .seconds(1)
    ) {
        precondition(member != .none, "id 0 is nobody")
        self.member = member
        self.cluster = cluster
        self.peerURLs = peerURLs
        timing = Timing()
        timing.dialTimeout = .seconds(1) + TimeAmount(electionTimeout) / 5
    }

    /// Source of the figures: `reference/peer-protocol.md` §3, §5 and §9.
    package struct Timing: Sendable {
        package var dialTimeout: TimeAmount = .milliseconds(1200)
        /// Between the end of a stream, or a failed dial, and the next dial.
        package var redialDelay: TimeAmount = .milliseconds(100)
        /// What the delay grows to, by doubling, after ten failures in a row. A peer that calls
        /// us is dialled at once, so this delays only the finding out by ourselves.
        package var redialDelayMax: TimeAmount = .seconds(1)
        /// A served stream carries something at least this often.
        package var linkHeartbeat: TimeAmount = .nanoseconds(5_000_000_000 / 3)
        /// A connection on which nothing moves for this long is dead.
        package var silenceMax: TimeAmount = .seconds(5)
        /// A request that somebody sends us, from its head to its end, however steadily it comes; but
        /// for a snapshot, whose pace is ours.
        package var requestMax: TimeAmount = .seconds(600)
        /// As `silenceMax`, from the last byte of a snapshot to the answer: the receiver may
        /// have to write it to its disk first.
        package var snapshotAnswerMax: TimeAmount = .seconds(60)
        /// As `silenceMax`, while a snapshot is being sent: the receiver's disk may be slow.
        package var snapshotSilenceMax: TimeAmount = .seconds(30)
        package var probeInterval: TimeAmount = .seconds(4)
        package var clockDifferenceMax: TimeAmount = .seconds(1)

        package init() {}
    }

    package struct Bounds: Sendable {
        /// One message on a stream; also all entries of one frame.
        package var streamMessageBytesMax = 64 << 20
        /// The body of a POST: a snapshot of an etcd member comes in one.
        package var postBytesMax = 512 << 20
        /// Encoded and not yet taken by the kernel, for each stream.
        package var streamQueueBytesMax = 64 << 20
        package var streamQueueMessagesMax = 4096
        /// Connections that others opened. Anybody can open some: past it the one that has said
        /// nothing for the longest makes room. Well within the descriptors that clients do not get.
        package var connectionsMax = 128
        /// The body of a POST that many may be sending at once; longer ones come one at a time, as
        /// each is kept in memory until it is whole.
        package var smallPostBytesMax = 8 << 20
        /// The body of a POST that is decoded on the loop: in a millisecond or two, whatever it is.
        package var promptPostBytesMax = 256 << 10
        /// Messages waiting for one of the peer's POST connections.
        package var postQueueMessagesMax = 64
        package var postConnectionsMax = 4
        /// Of a snapshot's file: what is left of the machine and the network is for raft's messages.
        package var snapshotBytesPerSecond = 64 << 20
        /// An answer to a GET of ours.
        package var answerBytesMax = 16 << 20
        /// Callers we do not know that we answer by POST.
        package var remotesMax = 16

        package init() {}
    }
}

/// Where TLS goes in: handlers put between the socket and HTTP.
package struct TransportSecurity: Sendable {
    /// Prepares a connection that was accepted; runs on its loop, before any other handler.
    package var prepareServer: (@Sendable (any Channel) throws -> Void)?
    /// Prepares a connection to an `https` URL, which stands; the future ends with the handshake.
    package var prepareClient: PrepareClient?

    package typealias PrepareClient =
        @Sendable (any Channel, EndpointURL) throws -> EventLoopFuture<Void>

    package init(
        prepareServer: (@Sendable (any Channel) throws -> Void)? = nil,
        prepareClient: PrepareClient? = nil
    ) {
        self.prepareServer = prepareServer
        self.prepareClient = prepareClient
    }
}

extension TimeAmount {
    /// `TimeAmount` has no division, and nanoseconds suffice here.
    static func / (amount: TimeAmount, divisor: Int64) -> TimeAmount {
        .nanoseconds(amount.nanoseconds / divisor)
    }
}
