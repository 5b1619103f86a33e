/// What a member can do beyond etcd 2.3, as it says in the header `X-Kvd-Features` of its requests
/// and answers on the peer port: a comma list of names. No etcd sends the header or looks at it.
///
///     X-Kvd-Features: prevote,checkquorum,readindex,transfer,batch,snapshots,newcomers
///
/// Unknown names are passed over, so that a newer kvd can say more than an older one knows.
package struct PeerFeatures: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Answers pre-votes.
    package static let preVote = PeerFeatures(rawValue: 1 << 0)
    /// Ignores candidates while it hears its leader, and tells a leader of a past term so.
    package static let checkQuorum = PeerFeatures(rawValue: 1 << 1)
    /// Answers read-index requests, and returns the context of heartbeats.
    package static let readIndex = PeerFeatures(rawValue: 1 << 2)
    /// Takes a leader's "start an election now".
    package static let leaderTransfer = PeerFeatures(rawValue: 1 << 3)
    /// Takes many proposals in one message.
    package static let batchedProposals = PeerFeatures(rawValue: 1 << 4)

    /// Takes snapshots as streamed files.
    package static let snapshots = PeerFeatures(rawValue: 1 << 5)

    /// Knows members that do not vote yet, and makes voters of them when it leads.
    package static let newcomers = PeerFeatures(rawValue: 1 << 6)

    /// All that this kvd can do.
    package static let supported: PeerFeatures = [
        .preVote, .checkQuorum, .readIndex, .leaderTransfer, .batchedProposals, .snapshots,
        .newcomers,
    ]

    package static let headerName = "X-Kvd-Features"

    private static let names: [(name: String, feature: PeerFeatures)] = [
        ("prevote", .preVote), ("checkquorum", .checkQuorum), ("readindex", .readIndex),
        ("transfer", .leaderTransfer), ("batch", .batchedProposals), ("snapshots", .snapshots),
        ("newcomers", .newcomers),
    ]

    /// Reads the header's value; nil is an absent header: a member that is not kvd.
    package init(header: String?) {
        self = []
        guard let header else { return }
        for part in header.split(separator: ",") {
            let name = part.drop { $0 == " " }.prefix { $0 != " " }
            for (known, feature) in Self.names where known == name { insert(feature) }
        }
    }

    package var header: String {
        Self.names.filter { contains($0.feature) }.map(\.name).joined(separator: ",")
    }
}
