internal import Cluster
internal import Logging
package import NIOCore
package import RaftModel

/// The peer port's server side without a socket: for those who hold it to what it promises (`Fuzzing`).
///
/// All of it is the real thing, from the decoder to what the delegate is told, but for two: nobody is
/// dialled, since the one member's URL asks for TLS and there is none, and snapshots are refused when
/// their message has been read.
package final class PeerRequestBytes {
    /// What a member of the cluster has said.
    package var messages: [Message] { delegate.messages }

    private let transport: PeerTransport
    private let delegate = Delegate()

    /// - Parameters:
    ///   - peer: the one other member.
    ///   - removed: it was one once.
    package init(
        on eventLoop: any EventLoop, local: MemberID, cluster: ClusterID, peer: MemberID,
        removed: MemberID
    ) throws {
        let configuration = TransportConfiguration(
            member: local, cluster: cluster, peerURLs: [try EndpointURL("http://127.0.0.1:2380")])
        delegate.standings = [local: .member, peer: .member, removed: .removed]
        delegate.members = [Member(id: peer, peerURLs: ["https://127.0.0.1:2380"])]
        transport = PeerTransport(
            configuration, eventLoop: eventLoop, delegate: delegate,
            logger: Logger(label: Transport.logLabel) { _ in SwiftLogNoOpLogHandler() })
        transport.update(
            peers: [Peer(id: peer, urls: [try EndpointURL("https://127.0.0.1:2380")])])
    }

    /// Makes `channel` a connection that somebody opened to the peer port.
    package func accept(_ channel: any Channel) throws {
        try PeerServerHandler.install(on: channel, transport)
    }

    package func stop() { _ = transport.stop() }

    private final class Delegate: PeerTransportDelegate {
        var messages: [Message] = []
        var standings: [MemberID: PeerStanding] = [:]
        var members: [Member] = []
        var clusterVersion: SemanticVersion? { nil }

        func received(_ messages: [Message], from peer: MemberID) { self.messages += messages }
        func unreachable(_ peer: MemberID) {}
        func snapshotFinished(_ peer: MemberID, succeeded: Bool) {}
        func removedFromCluster() {}
        func learnt(_ features: PeerFeatures, of peer: MemberID) {}
        func standing(of member: MemberID) -> PeerStanding { standings[member] ?? .unknown }
    }
}
