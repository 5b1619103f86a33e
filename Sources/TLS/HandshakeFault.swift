internal import NIOSSL
internal import X509

/// Why a TLS connection failed, in words: whose certificate, and which rule.
struct HandshakeFault: Error, Equatable, CustomStringConvertible {
    enum Rule: Equatable {
        /// The other side went away.
        case ended
        case timedOut
        case noCertificate
        /// Theirs, and what is wrong with it.
        case badCertificate(String, [String])
        /// Ours, in the words of their alert.
        case refused(String)
        case oldVersion
        case noCipher
        case notTLS
        case other(String)
    }

    let rule: Rule
    /// Of the port, or of the calls that it makes.
    let files: TLSFiles
    let isServer: Bool

    var description: String {
        switch rule {
        case .ended: "it ended the connection during the TLS handshake"
        case .timedOut: "it did not finish the TLS handshake in time"
        case .noCertificate:
            "it showed no certificate, which \(files.flag("client-cert-auth")) asks for: give it one "
                + "that \(files.trustText) signed"
        case .badCertificate(let who, let problems):
            "its certificate (\(who)) \(problems.joined(separator: ", and "))"
        case .refused(let alert): "it refuses this member's certificate\(own): \(alert)"
        case .oldVersion: "it speaks no TLS version from 1.2 on: update it"
        case .noCipher: "it and this member have no cipher in common: update it"
        case .notTLS where isServer: "what it sent is neither TLS nor HTTP"
        case .notTLS: "it answers without TLS: is it to be reached by http:// instead?"
        case .other(let words): "TLS: \(words)"
        }
    }

    private var own: String {
        files.certificate.map { " (\(files.flag("cert-file")) \($0))" } ?? ""
    }
}

extension HandshakeFault {
    /// What BoringSSL says of a certificate is one word; what the certificate says, the rest.
    ///
    /// - Parameter host: of the URL that was called; nil for a caller.
    init(
        _ error: any Error, peer: CertificateFacts?, host: String?, _ credentials: Credentials,
        now: Int64
    ) {
        files = credentials.files
        isServer = host == nil
        rule = Self.rule(error, peer, host, credentials, now: now)
    }

    init(_ rule: Rule, host: String?, _ files: TLSFiles) {
        (self.rule, self.files, isServer) = (rule, files, host == nil)
    }

    private static func rule(
        _ error: any Error, _ peer: CertificateFacts?, _ host: String?,
        _ credentials: Credentials, now: Int64
    ) -> Rule {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            return badCertificate(peer, problems(of: peer, host, credentials, now: now))
        }
        let words = words(of: error)
        if words.contains("EOF during") { return .ended }
        if words.contains("CERTIFICATE_VERIFY_FAILED") {
            return badCertificate(peer, problems(of: peer, host, credentials, now: now))
        }
        for (word, rule) in Self.rules where words.contains(word) { return rule }
        for (word, alert) in Self.alerts where words.contains(word) { return .refused(alert) }
        return .other(words)
    }

    private static func badCertificate(_ peer: CertificateFacts?, _ problems: [String]) -> Rule {
        .badCertificate(peer?.description ?? "not legible", problems)
    }

    private static func words(of error: any Error) -> String {
        switch error {
        case NIOSSLError.handshakeFailed(let inner): "\(inner)"
        default: "\(error)"
        }
    }

    private static let rules: [(String, Rule)] = [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", .noCertificate),
        ("UNSUPPORTED_PROTOCOL", .oldVersion), ("ALERT_PROTOCOL_VERSION", .oldVersion),
        ("NO_SHARED_CIPHER", .noCipher), ("ALERT_HANDSHAKE_FAILURE", .noCipher),
        ("WRONG_VERSION_NUMBER", .notTLS), ("HTTP_REQUEST", .notTLS),
    ]

    /// BoringSSL's names of alerts, and what the other side means by them.
    private static let alerts = [
        ("ALERT_UNKNOWN_CA", "no CA that it trusts signed it"),
        ("ALERT_CERTIFICATE_EXPIRED", "it has expired"),
        ("ALERT_CERTIFICATE_REVOKED", "it has been revoked"),
        ("ALERT_CERTIFICATE_REQUIRED", "it wants one, and got none"),
        ("ALERT_UNSUPPORTED_CERTIFICATE", "it is not for this use"),
        ("ALERT_BAD_CERTIFICATE", "bad certificate"),
        ("ALERT_CERTIFICATE_UNKNOWN", "it cannot verify it, or it is not for the host it called"),
        ("ALERT_ACCESS_DENIED", "it denies access"),
        ("ALERT_DECRYPT_ERROR", "it cannot verify its signature"),
    ]

    /// Everything that speaks against a certificate.
    private static func problems(
        of peer: CertificateFacts?, _ host: String?, _ credentials: Credentials, now: Int64
    ) -> [String] {
        guard let peer else { return ["cannot be verified"] }
        var problems: [String] = []
        if peer.notAfter < now {
            problems.append("has expired: it was valid until \(TLSFault.date(peer.notAfter))")
        }
        if peer.notBefore > now {
            problems.append("is not valid before \(TLSFault.date(peer.notBefore))")
        }
        if let host, !peer.isFor(host) {
            problems.append("is not for \(host), the host of the URL")
        }
        let usage: ExtendedKeyUsage.Usage = host == nil ? .clientAuth : .serverAuth
        if !peer.allows(usage) {
            problems.append(
                "is not for such a use: its extendedKeyUsage lacks "
                    + (host == nil ? "clientAuth" : "serverAuth"))
        }
        if problems.isEmpty || !isTrusted(peer, credentials) {
            problems.append("is not signed by \(credentials.files.trustText)")
        }
        return problems
    }

    /// As far as that can be told without the certificates in between.
    private static func isTrusted(_ peer: CertificateFacts, _ credentials: Credentials) -> Bool {
        credentials.trusted.isEmpty
            || credentials.trusted.contains {
                peer.isSigned(by: $0) || peer.certificate == $0.certificate
            }
    }
}
