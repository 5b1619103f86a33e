package import Cluster

extension ServerConfiguration {
    /// The first members as `--initial-cluster` names them; with discovery or DNS this member
    /// alone, until the others are known.
    package var initialCluster: InitialCluster {
        switch bootstrap {
        case .cluster(let cluster): cluster
        case .discovery, .dns:
            discovered
                ?? InitialCluster([InitialCluster.Named(name: name, urls: advertisedPeerURLs)])
        }
    }

    /// Whether the flags let this process be a proxy: asked for, or because discovery finds its cluster
    /// full.
    package var mayBeProxy: Bool {
        if case .discovery = bootstrap, discoveryFallback == .proxy { return true }
        return proxy.mode != .off
    }

    /// What is hashed into the ids of the first members.
    package var clusterToken: String {
        switch bootstrap {
        case .cluster, .dns: initialClusterToken
        case .discovery(let url): url
        }
    }

    /// The checks of a first start, to be run when there is no log on disk.
    package var bootstrapCheck: BootstrapCheck {
        let hasDiscoveryURL =
            switch bootstrap {
            case .discovery: true
            case .cluster, .dns: false
            }
        return BootstrapCheck(
            localName: name, advertisedPeerURLs: advertisedPeerURLs, cluster: initialCluster,
            token: clusterToken, isJoining: initialClusterState == .existing,
            hasDiscoveryURL: hasDiscoveryURL)
    }

    /// The log lines that report faults of a first start; exit 1 follows.
    /// Source of the first ones: `reference/cli.md` §3, "Start failures".
    package func notes(for faults: [BootstrapFault]) -> [ConfigurationNote] {
        faults.flatMap(notes(for:))
    }

    private func notes(for fault: BootstrapFault) -> [ConfigurationNote] {
        var notes: [ConfigurationNote] = []
        if case .advertisedDiffers = fault {
            notes.append(ConfigurationNote(.info, fault.description))
            if !setFlags.contains("initial-cluster") {
                notes.append(ConfigurationNote(.info, "forgot to set --initial-cluster flag?"))
                let hint = "if you want to use discovery service, please set --discovery flag."
                notes.append(ConfigurationNote(.info, hint))
            }
            if !setFlags.contains("initial-advertise-peer-urls") {
                let hint = "forgot to set --initial-advertise-peer-urls flag?"
                notes.append(ConfigurationNote(.info, hint))
            }
        } else {
            notes.append(ConfigurationNote(.critical, fault.description))
        }
        notes.append(ConfigurationNote(.info, fault.advice))
        return notes
    }
}
