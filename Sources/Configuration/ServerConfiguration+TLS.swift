internal import Cluster

/// Whether the flags about TLS fit the URLs, and each other. What is in the files is for the part that
/// reads them.
extension ServerConfiguration {
    var tlsFindings: Findings {
        var findings = check(
            clientTLS, prefix: "", listenClientURLs, "listen-client-urls", advertisedClientURLs,
            "advertise-client-urls")
        findings.add(
            check(
                peerTLS, prefix: "peer-", listenPeerURLs, "listen-peer-urls", advertisedPeerURLs,
                "initial-advertise-peer-urls"))
        return findings
    }

    /// Of a proxy, which has no peer port and advertises nothing.
    var proxyTLSFindings: Findings {
        var findings = check(
            clientTLS, prefix: "", listenClientURLs, "listen-client-urls", [],
            "advertise-client-urls")
        findings.add(
            check(
                peerTLS, prefix: "peer-", [], "listen-peer-urls", [],
                "initial-advertise-peer-urls"))
        return findings
    }

    private func check(
        _ tls: TLSSettings, prefix: String, _ listening: [EndpointURL], _ listenFlag: String,
        _ advertised: [EndpointURL], _ advertiseFlag: String
    ) -> Findings {
        var findings = Findings()
        func warn(_ text: String) { findings.warnings.append(ConfigurationNote(.warning, text)) }
        let certificate = spelling("\(prefix)cert-file")
        let key = spelling("\(prefix)key-file")
        if (tls.certificateFile == nil) != (tls.keyFile == nil) {
            findings.faults.append(
                ConfigurationFault(
                    .check,
                    "KeyFile and CertFile must both be present[key: \(tls.keyFile ?? ""), cert: "
                        + "\(tls.certificateFile ?? "")]",
                    advice: "Set \(tls.keyFile == nil ? key : certificate) too"))
        }
        let secure = listening.filter { $0.scheme == .https }
        if let url = secure.first, tls.certificateFile == nil, tls.keyFile == nil, !tls.isAutomatic
        {
            findings.faults.append(
                ConfigurationFault(
                    .check,
                    "cannot listen on TLS for \(url.hostAndPort): KeyFile and CertFile are not "
                        + "presented",
                    advice:
                        "Set \(certificate) and \(key), or --\(prefix)auto-tls, or write http:// "
                        + "in \(spelling(listenFlag))"))
        }
        let kind = prefix.isEmpty ? "client" : "peer"
        for url in listening
        where url.scheme == .http && (tls.certificateFile != nil || tls.keyFile != nil) {
            // In etcd's words.
            warn(
                "The scheme of \(kind) url \(url) is http while \(kind) key/cert files are presented. "
                    + "Ignored \(kind) key/cert files.")
        }
        let isSecure = secure.count == listening.count
        if isSecure || secure.isEmpty,
            let url = advertised.first(where: { ($0.scheme == .https) != isSecure })
        {
            warn(
                "\(spelling(advertiseFlag)): \(url) is to be reached \(isSecure ? "without" : "with") "
                    + "TLS, but this member listens \(isSecure ? "with TLS only" : "without TLS") "
                    + "(\(spelling(listenFlag)))")
        }
        if !secure.isEmpty, tls.requiresClientCertificate, tls.trustedCAFiles.isEmpty {
            warn(
                "\(spelling("\(prefix)client-cert-auth")) without \(spelling("\(prefix)trusted-ca-file")) "
                    + "takes certificates of every certificate authority that this machine trusts")
        }
        if tls.isAutomatic, tls.certificateFile != nil {
            warn(
                "\(spelling("\(prefix)auto-tls")) has no effect: \(certificate) names a certificate"
            )
        }
        return findings
    }

    /// The lines with which etcd says which files it uses.
    package var tlsNotes: [ConfigurationNote] {
        [("clientTLS", clientTLS), ("peerTLS", peerTLS)].filter(\.1.isUsed).map { name, tls in
            ConfigurationNote(
                .info,
                "\(name): cert = \(tls.certificateFile ?? ""), key = \(tls.keyFile ?? ""), ca = , "
                    + "trusted-ca = \(tls.trustedCAFiles.joined(separator: ",")), client-cert-auth = "
                    + "\(tls.requiresClientCertificate)")
        }
    }
}
