internal import X509

/// What is found to be wrong with a member's own certificates before anybody complains.
package struct TLSFindings: Equatable, Sendable {
    /// Nobody could use the port.
    package var faults: [TLSFault] = []
    /// Some could not, or not for long.
    package var warnings: [TLSFault] = []

    package init() {}
}

/// Checks one set of files against the clock, and against what others are told of this member.
struct CertificateChecks {
    let credentials: Credentials
    /// Unix seconds.
    let now: Int64

    private static let day: Int64 = 24 * 3600
    static let warningDays: Int64 = 30

    private var files: TLSFiles { credentials.files }

    /// - Parameters:
    ///   - hosts: those of the https URLs that others are told to use.
    ///   - urls: the flag that has them.
    func findings(hosts: [String], urls: String) -> TLSFindings {
        var findings = dates
        guard let leaf = credentials.own.first else { return findings }
        let missing = hosts.filter { !leaf.isFor($0) }
        // Nobody verifies one that nobody vouches for.
        if !missing.isEmpty, !files.isSelfSigned {
            let fault = own(.notForHosts(missing, names: leaf.names, urls: urls))
            findings.warnings.append(fault)
        }
        findings.warnings += usages(of: leaf)
        if let fault = issuer { findings.warnings.append(fault) }
        return findings
    }

    /// Expiry, of our own certificates and of those that we trust.
    var dates: TLSFindings {
        var findings = TLSFindings()
        for facts in credentials.own {
            let fault = own(
                code(of: facts) ?? .expiresSoon(subject: facts.subject, at: facts.notAfter))
            if code(of: facts) != nil {
                findings.faults.append(fault)
            } else if facts.notAfter - now < Self.warningDays * Self.day {
                findings.warnings.append(fault)
            }
        }
        for facts in credentials.trusted {
            guard let code = code(of: facts) else { continue }
            findings.warnings.append(
                TLSFault(
                    code: code, flag: files.flag("trusted-ca-file"),
                    file: files.trustedCAs.joined(separator: ",")))
        }
        return findings
    }

    private func code(of facts: CertificateFacts) -> TLSFault.Code? {
        if facts.notAfter < now { return .expired(subject: facts.subject, at: facts.notAfter) }
        if facts.notBefore > now {
            return .notYetValid(subject: facts.subject, from: facts.notBefore)
        }
        return nil
    }

    private func usages(of leaf: CertificateFacts) -> [TLSFault] {
        var faults: [TLSFault] = []
        if !leaf.allows(.serverAuth) {
            faults.append(own(.usage("serverAuth", of: "clients of this port")))
        }
        // A member calls the others with the same certificate.
        if files.port == .peer, files.requiresClientCertificate, !leaf.allows(.clientAuth) {
            faults.append(own(.usage("clientAuth", of: "other members, when this one calls them,")))
        }
        if let usage = leaf.keyUsage, !usage.digitalSignature {
            faults.append(own(.noSignatures(leaf.subject)))
        }
        return faults
    }

    /// On the peer port all members are given the same CA, so it should know ours.
    private var issuer: TLSFault? {
        guard files.port == .peer, !credentials.trusted.isEmpty, let leaf = credentials.own.first
        else { return nil }
        var last = leaf
        // Each further certificate of the file signed the one before.
        for next in credentials.own.dropFirst() where last.isSigned(by: next) { last = next }
        let isKnown = credentials.trusted.contains { root in
            last.isSigned(by: root) || last.certificate == root.certificate
        }
        return isKnown ? nil : own(.unknownIssuer(last.issuer, trust: files.trustText))
    }

    private func own(_ code: TLSFault.Code) -> TLSFault {
        TLSFault(code: code, flag: files.flag("cert-file"), file: files.certificate ?? "")
    }
}
