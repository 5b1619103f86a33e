internal import NIOCore
internal import NIOSSL
internal import StorageIO
internal import X509

/// One set of files, read: ready for connections.
struct Credentials: Sendable {
    let files: TLSFiles
    /// This member's certificate, then those between it and its CA. Empty: none is given.
    let own: [CertificateFacts]
    let trusted: [CertificateFacts]
    /// For connections that come in; nil without a certificate.
    let server: NIOSSLContext?
    /// For calls to others; nil: there are none.
    let client: NIOSSLContext?

    /// Blocks on the disk. Throws all that is wrong at once.
    init(_ files: TLSFiles) throws(TLSFaults) {
        var reader = Reader(files: files)
        var chain: [NIOSSLCertificate] = []
        var key: NIOSSLPrivateKey?
        if let path = files.certificate {
            chain = reader.certificates(path, flag: files.flag("cert-file"))
        }
        if let path = files.key { key = reader.key(path, flag: files.flag("key-file")) }
        let roots = files.trustedCAs.flatMap {
            reader.certificates($0, flag: files.flag("trusted-ca-file"))
        }
        let isSystemAsked = files.makesCalls || files.requiresClientCertificate
        let trust: NIOSSLTrustRoots =
            !roots.isEmpty
            ? .certificates(roots) : isSystemAsked ? reader.systemTrust() : .certificates([])
        let own = reader.facts(chain, files.certificate ?? "", flag: files.flag("cert-file"))
        trusted = reader.facts(
            roots, files.trustedCAs.first ?? "", flag: files.flag("trusted-ca-file"))
        guard reader.faults.isEmpty else { throw TLSFaults(list: reader.faults) }
        self.files = files
        self.own = own
        let identity = key.map { (chain, $0) }
        do throws(TLSFault) {
            server = try identity.map { identity throws(TLSFault) in
                try Self.context(Self.serverConfiguration(files, identity, trust), files, own)
            }
            client =
                !files.makesCalls
                ? nil
                : try Self.context(Self.clientConfiguration(files, identity, trust), files, own)
        } catch {
            throw TLSFaults(list: [error])
        }
    }

    private static func serverConfiguration(
        _ files: TLSFiles, _ identity: ([NIOSSLCertificate], NIOSSLPrivateKey),
        _ trust: NIOSSLTrustRoots
    ) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: identity.0.map { .certificate($0) },
            privateKey: .privateKey(identity.1))
        if files.requiresClientCertificate {
            // A client's address says nothing of who it is: names are not compared.
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = trust
        }
        return configuration
    }

    private static func clientConfiguration(
        _ files: TLSFiles, _ identity: ([NIOSSLCertificate], NIOSSLPrivateKey)?,
        _ trust: NIOSSLTrustRoots
    ) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let identity {
            configuration.certificateChain = identity.0.map { .certificate($0) }
            configuration.privateKey = .privateKey(identity.1)
        }
        configuration.certificateVerification = files.isSelfSigned ? .none : .fullVerification
        configuration.trustRoots = trust
        return configuration
    }

    private static func context(
        _ configuration: TLSConfiguration, _ files: TLSFiles, _ own: [CertificateFacts]
    ) throws(TLSFault) -> NIOSSLContext {
        var configuration = configuration
        configuration.minimumTLSVersion = .tlsv12
        // A peer that is gone must not hold up the end of a connection.
        configuration.shutdownTimeout = .seconds(1)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw fault(error, files, own.first)
        }
    }

    /// The parts were read before: what is left is that they do not fit, or not for TLS.
    private static func fault(
        _ error: any Error, _ files: TLSFiles, _ leaf: CertificateFacts?
    ) -> TLSFault {
        guard let key = files.key, let certificate = files.certificate, let leaf else {
            return TLSFault(
                code: .other("BoringSSL refuses it: \(error)"), flag: files.flag("trusted-ca-file"),
                file: files.trustedCAs.joined(separator: ","))
        }
        if case NIOSSLError.failedToLoadPrivateKey = error {
            return TLSFault(
                code: .keyMismatch(certificate: certificate, subject: leaf.subject),
                flag: files.flag("key-file"), file: key)
        }
        let isForSignatures = leaf.keyUsage?.digitalSignature ?? true
        return TLSFault(
            code: isForSignatures
                ? .other("BoringSSL refuses it: \(error)") : .noSignatures(leaf.subject),
            flag: files.flag("cert-file"), file: certificate)
    }

    /// Reads files, and gathers what is wrong with them.
    private struct Reader {
        let files: TLSFiles
        var faults: [TLSFault] = []

        mutating func bytes(_ path: String, flag: String) -> [UInt8]? {
            do throws(StorageError) {
                return try PosixStorage().open(path, for: .reading).readAll()
            } catch {
                add(.unreadable(error.problem), path, flag)
                return nil
            }
        }

        mutating func certificates(_ path: String, flag: String) -> [NIOSSLCertificate] {
            guard let bytes = bytes(path, flag: flag) else { return [] }
            guard Self.text(bytes).contains("-----BEGIN CERTIFICATE-----") else {
                add(.empty(.certificate), path, flag)
                return []
            }
            do { return try NIOSSLCertificate.fromPEMBytes(bytes) } catch {
                add(.malformed(.certificate, "\(error)"), path, flag)
                return []
            }
        }

        /// A file that the environment names is read here, so that what is wrong with it is said.
        mutating func systemTrust() -> NIOSSLTrustRoots {
            guard let path = SystemTrust.file else { return .default }
            return .certificates(certificates(path, flag: SystemTrust.variable))
        }

        mutating func key(_ path: String, flag: String) -> NIOSSLPrivateKey? {
            guard let bytes = bytes(path, flag: flag) else { return nil }
            let text = Self.text(bytes)
            guard text.contains("PRIVATE KEY-----") else {
                add(.empty(.privateKey), path, flag)
                return nil
            }
            guard !text.contains("BEGIN ENCRYPTED PRIVATE KEY"), !text.contains(",ENCRYPTED") else {
                add(.encryptedKey, path, flag)
                return nil
            }
            do { return try NIOSSLPrivateKey(bytes: bytes, format: .pem) } catch {
                add(.malformed(.privateKey, "\(error)"), path, flag)
                return nil
            }
        }

        mutating func facts(
            _ certificates: [NIOSSLCertificate], _ path: String, flag: String
        ) -> [CertificateFacts] {
            certificates.compactMap { certificate in
                do { return try CertificateFacts(certificate) } catch {
                    add(.malformed(.certificate, "\(error)"), path, flag)
                    return nil
                }
            }
        }

        private mutating func add(_ code: TLSFault.Code, _ path: String, _ flag: String) {
            faults.append(TLSFault(code: code, flag: flag, file: path))
        }

        private static func text(_ bytes: [UInt8]) -> String {
            String(decoding: bytes, as: UTF8.self)
        }
    }
}
