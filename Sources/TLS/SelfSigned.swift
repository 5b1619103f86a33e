internal import Crypto
internal import FoundationEssentials
internal import StorageIO
internal import SwiftASN1
internal import X509

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The certificate of `--auto-tls` and `--peer-auto-tls`: made here, signed by itself, kept in the
/// data dir where etcd 3 keeps its own.
///
///     DATA-DIR/fixtures/client/cert.pem, key.pem      peer/cert.pem, key.pem
///
/// It hides what is said from those who listen, and proves nothing to those who are called.
package struct SelfSigned {
    private let port: TLSFiles.Port
    private let directory: String
    private let storage = PosixStorage()

    private static let daysValid: Int64 = 365

    package init(_ port: TLSFiles.Port, dataDirectory: String) {
        self.port = port
        directory = "\(dataDirectory)/\(Self.folder)/\(port == .peer ? "peer" : "client")"
    }

    /// Its name in the data dir.
    package static let folder = "fixtures"

    package var files: TLSFiles {
        TLSFiles(
            port: port, certificate: "\(directory)/cert.pem", key: "\(directory)/key.pem",
            isSelfSigned: true)
    }

    /// The files, made anew if they are not there, cannot be used, expire within 30 days, or are not
    /// for all of `hosts`. Blocks.
    ///
    /// - Returns: whether they were made.
    package func prepare(hosts: [String]) throws(TLSFaults) -> Bool {
        guard !isUsable(for: hosts) else { return false }
        do {
            try write(hosts)
        } catch {
            let fault = TLSFault(
                code: .other("the self-signed certificate cannot be made: \(error)"),
                flag: files.flag("auto-tls"), file: directory)
            throw TLSFaults(list: [fault])
        }
        return true
    }

    private func isUsable(for hosts: [String]) -> Bool {
        guard let credentials = try? Credentials(files), let leaf = credentials.own.first else {
            return false
        }
        let dates = CertificateChecks(credentials: credentials, now: PortSecurity.unixSeconds())
            .dates
        return dates.faults.isEmpty && dates.warnings.isEmpty && hosts.allSatisfy(leaf.isFor)
    }

    private func write(_ hosts: [String]) throws {
        let key = P256.Signing.PrivateKey()
        let certificate = try Self.certificate(for: hosts, key)
        try storage.createDirectories(directory)
        try write(certificate.serializeAsPEM().pemString, to: "\(directory)/cert.pem")
        try write(key.pemRepresentation, to: "\(directory)/key.pem")
        try storage.syncDirectory(directory)
    }

    private static func certificate(
        for hosts: [String], _ key: P256.Signing.PrivateKey
    ) throws -> Certificate {
        let now = PortSecurity.unixSeconds()
        let name = try DistinguishedName {
            OrganizationName("kvd")
            CommonName(hosts.first ?? "kvd")
        }
        let names = hosts.map { host -> GeneralName in
            packed(host).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
                ?? .dnsName(host)
        }
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            // Clocks differ a little.
            notValidBefore: Date(timeIntervalSince1970: Double(now - 3600)),
            notValidAfter: Date(timeIntervalSince1970: Double(now + daysValid * 24 * 3600)),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames(names)
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
    }

    /// An address's bytes as the network writes them.
    private static func packed(_ host: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, host, &bytes) == 1 { return Array(bytes[..<4]) }
        return inet_pton(AF_INET6, host, &bytes) == 1 ? bytes : nil
    }

    private func write(_ text: String, to path: String) throws(StorageError) {
        let file = try storage.open("\(path).tmp", for: .replacing)
        try file.write(Array(text.utf8), at: 0)
        try file.sync()
        try storage.rename("\(path).tmp", to: path)
    }
}
