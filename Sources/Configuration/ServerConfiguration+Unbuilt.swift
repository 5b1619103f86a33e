internal import Cluster

extension ServerConfiguration {
    /// Faults for settings that this version of kvd reads but cannot carry out yet. To start as
    /// if they had not been given could be dangerous (a port without the TLS asked for), so the
    /// server must not start while there is one. A line goes when its feature comes.
    package var faultsOfUnbuiltFeatures: [ConfigurationFault] {
        var used: [(flag: String, isUsed: Bool)] = [
            ("discovery", setFlags.contains("discovery")),
            ("discovery-srv", setFlags.contains("discovery-srv")),
            ("initial-cluster-state existing", initialClusterState == .existing),
            ("proxy", proxy.mode != .off),
            ("force-new-cluster", forcesNewCluster),
            ("experimental-v3demo", enablesV3Preview),
            ("wal-dir", walDirectory != nil),
        ]
        for prefix in ["", "peer-"] {
            for file in ["cert-file", "key-file", "trusted-ca-file", "ca-file"] {
                used.append((prefix + file, setFlags.contains(prefix + file)))
            }
        }
        used.append(("client-cert-auth", clientTLS.requiresClientCertificate))
        used.append(("peer-client-cert-auth", peerTLS.requiresClientCertificate))
        let usesTLSURL = (listenClientURLs + listenPeerURLs).contains { $0.scheme == .https }
        used.append(("listen-…-urls with https", usesTLSURL))
        return used.filter(\.isUsed).map { flag, _ in
            ConfigurationFault(
                .check, "-\(flag) is not supported by kvd \(ProductVersion.own)",
                advice: "Remove it, or run a version that supports it.")
        }
    }
}
