/// The files that secure one port, as the flags name them.
package struct TLSFiles: Equatable, Sendable {
    package enum Port: Sendable {
        case client
        case peer
        /// Calls to servers that are no members. There are no flags for these.
        case none
    }

    package var port: Port
    /// Nil: nothing to show. Then no https URL can be listened on.
    package var certificate: String?
    package var key: String?
    /// None: the certificate authorities that this machine trusts.
    package var trustedCAs: [String]
    package var requiresClientCertificate: Bool
    /// They are also for calls to others. Those of the client port are only where a proxy has no
    /// others for that.
    package var makesCalls: Bool
    /// `--auto-tls`: nobody vouches for such certificates, so those of the peers are not verified.
    package var isSelfSigned: Bool

    package init(
        port: Port, certificate: String? = nil, key: String? = nil, trustedCAs: [String] = [],
        requiresClientCertificate: Bool = false, isSelfSigned: Bool = false,
        makesCalls: Bool? = nil
    ) {
        self.makesCalls = makesCalls ?? (port != .client)
        self.port = port
        self.certificate = certificate
        self.key = key
        self.trustedCAs = trustedCAs
        self.requiresClientCertificate = requiresClientCertificate
        self.isSelfSigned = isSelfSigned
    }

    /// A flag of this port: `cert-file` is `--peer-cert-file` for the peer port.
    func flag(_ name: String) -> String { port == .peer ? "--peer-\(name)" : "--\(name)" }

    var all: [String] { [certificate, key].compactMap { $0 } + trustedCAs }

    /// Who vouches for the other side, for lines that say that nobody does.
    var trustText: String {
        guard !trustedCAs.isEmpty else {
            return "a certificate authority that this machine trusts (\(SystemTrust.place))"
        }
        return "a CA in \(flag("trusted-ca-file")) \(trustedCAs.joined(separator: ", "))"
    }
}
