internal import Cluster

extension ServerConfiguration {
    /// Settings that this version of kvd reads but cannot carry out yet, and when each is in use.
    /// A line goes when its feature comes.
    private static let unbuilt: [(flag: String, isUsed: @Sendable (ServerConfiguration) -> Bool)] =
        [
            ("discovery", { $0.discoversOverTLS }),
            ("proxy", { $0.proxy.mode != .off }),
            ("experimental-v3demo", { $0.enablesV3Preview }),
            ("cert-file", { $0.clientTLS.certificateFile != nil }),
            ("key-file", { $0.clientTLS.keyFile != nil }),
            ("trusted-ca-file", { $0.clientTLS.trustedCAFile != nil }),
            ("client-cert-auth", { $0.clientTLS.requiresClientCertificate }),
            ("peer-cert-file", { $0.peerTLS.certificateFile != nil }),
            ("peer-key-file", { $0.peerTLS.keyFile != nil }),
            ("peer-trusted-ca-file", { $0.peerTLS.trustedCAFile != nil }),
            ("peer-client-cert-auth", { $0.peerTLS.requiresClientCertificate }),
            ("listen-client-urls", { $0.listenClientURLs.contains(where: Self.isHTTPS) }),
            ("listen-peer-urls", { $0.listenPeerURLs.contains(where: Self.isHTTPS) }),
        ]

    /// Flags that have no effect yet but a refusal, whatever their value.
    static let unbuiltFlags = Set(unbuilt.map(\.flag)).subtracting([
        "discovery", "listen-client-urls", "listen-peer-urls",
    ])

    /// Faults for such settings. To start as if they had not been given could be dangerous (a
    /// port without the TLS asked for), so the server must not start while there is one.
    package var faultsOfUnbuiltFeatures: [ConfigurationFault] {
        Self.unbuilt.filter { $0.isUsed(self) }.map { flag, _ in
            ConfigurationFault(
                .check, "-\(flag) is set to what kvd \(ProductVersion.own) does not have yet",
                advice: "Remove -\(flag), or run a version of kvd that has it.")
        }
    }

    private static func isHTTPS(_ url: EndpointURL) -> Bool { url.scheme == .https }
}
