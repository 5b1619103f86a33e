internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
internal import X509

/// What one certificate says, for checks and for people. Whether to trust it is BoringSSL's to say.
struct CertificateFacts: Sendable {
    let certificate: Certificate
    let subject: String
    let issuer: String
    let dnsNames: [String]
    let addresses: [String]
    /// The subject's, which stands for a name in a certificate without any.
    let commonName: String?
    /// Unix seconds.
    let notBefore: Int64
    let notAfter: Int64
    /// Nil: for any use.
    let extendedKeyUsage: ExtendedKeyUsage?
    let keyUsage: KeyUsage?

    init(_ certificate: NIOSSLCertificate) throws {
        let parsed = try Certificate(derEncoded: certificate.toDERBytes())
        self.certificate = parsed
        subject = Self.bounded(parsed.subject.description)
        issuer = Self.bounded(parsed.issuer.description)
        let names = (try? parsed.extensions.subjectAlternativeNames).map(Array.init) ?? []
        dnsNames = names.compactMap { name in
            if case .dnsName(let text) = name { Self.bounded(text) } else { nil }
        }
        addresses = names.compactMap { name in
            guard case .ipAddress(let bytes) = name else { return nil }
            let packed = ByteBuffer(bytes: bytes.bytes)
            return (try? SocketAddress(packedIPAddress: packed, port: 0))?.ipAddress
        }
        commonName = parsed.subject.lazy.flatMap { $0 }
            .first { $0.type == .RDNAttributeType.commonName }
            .flatMap { String($0.value) }
        notBefore = Int64(certificate.notValidBefore)
        notAfter = Int64(certificate.notValidAfter)
        extendedKeyUsage = try? parsed.extensions.extendedKeyUsage
        keyUsage = try? parsed.extensions.keyUsage
    }

    /// Certificates come from strangers, and lines should stay readable.
    private static func bounded(_ text: String) -> String {
        text.utf8.count <= 200 ? text : text.prefix(200) + "…"
    }

    /// Its names in one line.
    var names: String {
        let all = dnsNames + addresses
        guard !all.isEmpty else { return commonName.map { "\($0) (by its subject)" } ?? "no name" }
        let shown = all.prefix(8).joined(separator: ", ")
        return all.count > 8 ? "\(shown) and \(all.count - 8) more" : shown
    }

    var description: String { "subject \(subject); names \(names); issuer \(issuer)" }

    /// Whether it is for `host`, a name or an address. As BoringSSL's caller (swift-nio-ssl) and Go
    /// have it: an address must be there as such; `*` stands for a whole first label; a subject's
    /// name counts where there are no others.
    func isFor(_ host: String) -> Bool {
        if let address = try? SocketAddress(ipAddress: host, port: 0).ipAddress {
            return addresses.contains(address)
        }
        let names = dnsNames.isEmpty && addresses.isEmpty ? [commonName ?? ""] : dnsNames
        return names.contains { Self.matches(host.lowercased(), $0.lowercased()) }
    }

    private static func matches(_ host: String, _ pattern: String) -> Bool {
        guard pattern.hasPrefix("*."), let dot = host.firstIndex(of: "."), dot > host.startIndex
        else { return !host.isEmpty && host == pattern }
        return host[dot...] == pattern.dropFirst()
    }

    func allows(_ usage: ExtendedKeyUsage.Usage) -> Bool {
        guard let extendedKeyUsage else { return true }
        return extendedKeyUsage.contains(usage) || extendedKeyUsage.contains(.any)
    }

    /// Whether `authority` signed it. Says nothing of dates and constraints.
    func isSigned(by authority: CertificateFacts) -> Bool {
        certificate.issuer == authority.certificate.subject
            && authority.certificate.publicKey.isValidSignature(
                certificate.signature, for: certificate)
    }
}
