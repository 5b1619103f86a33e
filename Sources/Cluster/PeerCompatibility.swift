/// Whether a peer's version lets the two of us talk: the check of every `/raft…` request.
///
/// Source: `reference/peer-protocol.md` §2; only major and minor count.
package struct PeerCompatibility: Equatable, Sendable {
    package enum Verdict: Equatable, Sendable {
        case compatible
        /// The peer is older than the oldest that we can live with.
        case peerTooOld(SemanticVersion)
        /// We are older than the oldest that the peer can live with.
        case localTooOld(required: SemanticVersion)
        /// A header that is no version. (A real 2.3.8 panics; we answer 412 like the others.)
        case unreadable(String)
    }

    package let local: SemanticVersion
    package let minimum: SemanticVersion

    package init(
        local: SemanticVersion = .served, minimum: SemanticVersion = .minimumCluster
    ) {
        precondition(minimum <= local, "nobody demands more than they are themselves")
        (self.local, self.minimum) = (local, minimum)
    }

    /// Judges `X-Server-Version` and `X-Min-Cluster-Version`; nil is an absent header.
    package func check(version: String?, minimumClusterVersion: String?) -> Verdict {
        let versionText = version ?? SemanticVersion.unstated.description
        let minimumText = minimumClusterVersion ?? SemanticVersion.unstated.description
        guard let peer = SemanticVersion(versionText) else { return .unreadable(versionText) }
        guard let required = SemanticVersion(minimumText) else { return .unreadable(minimumText) }
        if peer.withoutPatch < minimum.withoutPatch { return .peerTooOld(peer) }
        if required.withoutPatch > local.withoutPatch { return .localTooOld(required: required) }
        return .compatible
    }
}
