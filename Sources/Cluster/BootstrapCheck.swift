internal import RaftModel

/// The checks of a member's first start against `--initial-cluster`, before anything is written.
///
/// A start with a log on disk skips them: there, membership comes from the log.
/// Source: `reference/cli.md` §3, "Start failures".
package struct BootstrapCheck: Sendable {
    package var localName: String
    package var advertisedPeerURLs: [EndpointURL]
    package var cluster: InitialCluster
    package var token: String
    /// True for `--initial-cluster-state existing`: the member was added to a running cluster.
    package var isJoining: Bool
    package var hasDiscoveryURL: Bool

    package init(
        localName: String, advertisedPeerURLs: [EndpointURL], cluster: InitialCluster,
        token: String, isJoining: Bool, hasDiscoveryURL: Bool
    ) {
        self.localName = localName
        self.advertisedPeerURLs = advertisedPeerURLs
        self.cluster = cluster
        self.token = token
        self.isJoining = isJoining
        self.hasDiscoveryURL = hasDiscoveryURL
    }

    /// All faults, the one that etcd would stop at first.
    ///
    /// `resolve` gives a host's first address, or nil; it is asked only when URLs differ as texts.
    package func faults(resolve: HostResolver.Resolve) -> [BootstrapFault] {
        var faults: [BootstrapFault] = []
        if let own = cluster[localName] {
            let isSame = HostResolver.areEqual(own, advertisedPeerURLs, resolve: resolve)
            if !isJoining, !isSame {
                let fault = BootstrapFault.advertisedDiffers(
                    name: localName, cluster: own, advertised: advertisedPeerURLs)
                faults.append(fault)
            }
        } else {
            faults.append(
                .localNameMissing(
                    localName, advertised: advertisedPeerURLs, in: cluster))
        }
        if !cluster.duplicateURLs.isEmpty {
            faults.append(.duplicateURLs(cluster.duplicateURLs, in: cluster.description))
        }
        if isJoining, hasDiscoveryURL { faults.append(.discoveryWhileJoining) }
        let nobody = cluster.makeMembers(token: token).filter { $0.id == .none }
        faults += nobody.map { .idIsZero(name: $0.name) }
        return faults
    }
}

/// A reason not to form or join a cluster.
package enum BootstrapFault: Error, Equatable, CustomStringConvertible {
    case localNameMissing(String, advertised: [EndpointURL], in: InitialCluster)
    case advertisedDiffers(name: String, cluster: [EndpointURL], advertised: [EndpointURL])
    case duplicateURLs([EndpointURL], in: String)
    case discoveryWhileJoining
    case idIsZero(name: String)
    /// The running cluster's members are not those of `--initial-cluster`.
    case membersDiffer(reason: String, cluster: String)

    /// etcd's text.
    package var description: String {
        switch self {
        case .localNameMissing(let name, _, _):
            "couldn't find local name \(name.quotedAsGo) in the initial cluster configuration"
        case .advertisedDiffers(let name, _, let advertised):
            "--initial-cluster must include \(Self.pairs(name, advertised)) given "
                + "--initial-advertise-peer-urls=\(Self.joined(advertised))"
        case .duplicateURLs(_, let text): "initial cluster \(text) has duplicate url"
        case .discoveryWhileJoining:
            "discovery URL should not be set when joining existing initial cluster"
        case .idIsZero: "cannot use 0 as member id"
        case .membersDiffer(let reason, let cluster):
            "error validating peerURLs \(cluster): \(reason)"
        }
    }

    /// What the operator does next.
    package var advice: String {
        switch self {
        case .localNameMissing(let name, let advertised, let cluster):
            Self.advice(forMissing: name, advertised, cluster)
        case .advertisedDiffers(let name, let cluster, let advertised):
            "--initial-cluster has \(Self.pairs(name, cluster)). Write "
                + "\(Self.pairs(name, advertised)) there on every member, or set "
                + "--initial-advertise-peer-urls \(Self.joined(cluster))."
        case .duplicateURLs(let urls, _):
            "Give each member its own: \(Self.joined(urls)) is there more than once."
        case .discoveryWhileJoining:
            "Remove --discovery: --initial-cluster already says where the members are."
        case .idIsZero(let name): "Change a peer URL of \(name), or the cluster token."
        case .membersDiffer:
            "Set --initial-cluster to the value that `member add` printed, with every member's "
                + "present peer URLs."
        }
    }

    private static func advice(
        forMissing name: String, _ advertised: [EndpointURL], _ cluster: InitialCluster
    ) -> String {
        guard !cluster.isEmpty else {
            return "Set --initial-cluster \(pairs(name, advertised))."
        }
        let names = cluster.names.map(\.quotedAsGo).joined(separator: ", ")
        let facts = "--name is \(name.quotedAsGo), --initial-cluster names \(names). "
        // Whose URLs this member has, it probably is.
        if let same = cluster.members.first(where: { Set($0.urls) == Set(advertised) }) {
            return facts
                + "\(same.name.quotedAsGo) has this member's URLs: set --name \(same.name)."
        }
        return facts + "Set --name to one of those, or add \(pairs(name, advertised)) to "
            + "--initial-cluster, on every member."
    }

    private static func joined(_ urls: [EndpointURL]) -> String {
        urls.map(\.description).joined(separator: ",")
    }

    private static func pairs(_ name: String, _ urls: [EndpointURL]) -> String {
        urls.map { "\(name)=\($0)" }.joined(separator: ",")
    }
}
