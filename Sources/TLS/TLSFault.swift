internal import Cluster

/// Something wrong with a certificate file: which file, which field, which date, and the way out.
package struct TLSFault: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// The errno's words.
        case unreadable(String)
        /// No PEM block of the kind.
        case empty(Kind)
        case malformed(Kind, String)
        /// The key is protected by a passphrase, which nobody could type in.
        case encryptedKey
        case keyMismatch(certificate: String, subject: String)
        /// Unix seconds.
        case expired(subject: String, at: Int64)
        case notYetValid(subject: String, from: Int64)
        case expiresSoon(subject: String, at: Int64)
        /// None of the certificate's names is a host that others are told to use.
        case notForHosts([String], names: String, urls: String)
        /// The extended key usage lacks this.
        case usage(String, of: String)
        /// `keyUsage` without digitalSignature.
        case noSignatures(String)
        case unknownIssuer(String, trust: String)
        case other(String)
    }

    package enum Kind: String, Sendable {
        case certificate
        case privateKey = "private key"

        var blockName: String { self == .certificate ? "CERTIFICATE" : "PRIVATE KEY" }
    }

    package let code: Code
    /// The flag that names the file.
    package let flag: String
    package let file: String

    package var description: String { "\(text). \(advice)" }

    /// What is wrong, and where.
    package var text: String { "\(flag) \(file): \(problem)" }

    private var problem: String {
        switch code {
        case .unreadable(let words): "cannot be read: \(words)"
        case .empty(let kind): "has no \(kind.rawValue) in PEM (-----BEGIN \(kind.blockName)-----)"
        case .malformed(let kind, let words): "has a \(kind.rawValue) that cannot be read: \(words)"
        case .encryptedKey:
            "the private key is encrypted, and there is nobody to ask for a passphrase"
        case .keyMismatch(let certificate, let subject):
            "is not the key of the certificate in \(certificate) (subject \(subject)): their public "
                + "keys differ"
        case .expired(let subject, let date):
            "the certificate (subject \(subject)) has expired: field notAfter is \(Self.date(date))"
        case .notYetValid(let subject, let date):
            "the certificate (subject \(subject)) is not valid yet: field notBefore is "
                + "\(Self.date(date))"
        case .expiresSoon(let subject, let date):
            "the certificate (subject \(subject)) expires soon: field notAfter is \(Self.date(date))"
        case .notForHosts(let hosts, let names, let urls):
            "the certificate is for \(names) (field subjectAltName), not for "
                + "\(hosts.joined(separator: ", ")), the host of \(urls)"
        case .usage(let usage, let who):
            "the certificate's field extendedKeyUsage lacks \(usage), so \(who) refuse it"
        case .noSignatures(let subject):
            "the certificate's (subject \(subject)) field keyUsage lacks digitalSignature, without "
                + "which no TLS from 1.3 on, nor any key exchange with forward secrecy, can use it"
        case .unknownIssuer(let issuer, let trust):
            "the certificate's issuer is \(issuer), which is not \(trust)"
        case .other(let words): words
        }
    }

    /// What to do about it.
    package var advice: String {
        switch code {
        case .unreadable: "Check the path, and that the user that kvd runs as may read it."
        case .empty, .malformed:
            "Give a PEM file; `openssl x509 -in FILE -inform der` makes one of a DER file."
        case .encryptedKey:
            "Write it without: `openssl pkey -in \(file) -out NEW`, readable by kvd's user only."
        case .keyMismatch:
            "Give the key that the certificate was requested with: `openssl x509 -noout -pubkey` of "
                + "the one and `openssl pkey -pubout` of the other must print the same."
        case .expired, .expiresSoon:
            "Put a new one in its place; a running kvd takes it up by itself."
        case .notYetValid: "Check this machine's clock, or wait."
        case .notForHosts:
            "Have it issued with these in subjectAltName, or advertise a host that it names."
        case .usage(let usage, _): "Have it issued with \(usage) in extendedKeyUsage."
        case .noSignatures: "Have it issued with digitalSignature in keyUsage."
        case .unknownIssuer:
            "Others that are given the same CA will refuse it: have it issued by that CA, put the "
                + "certificates between the two behind it in the file, or give the right CA."
        case .other: "Check the file with `openssl x509 -text -in FILE`."
        }
    }

    static func date(_ unixSeconds: Int64) -> String { CivilTime(unixSeconds: unixSeconds).rfc3339 }
}

/// All that is wrong with a set of files.
package struct TLSFaults: Error, Equatable, Sendable, CustomStringConvertible {
    package var list: [TLSFault]

    package var description: String { list.map(\.description).joined(separator: " ") }
}
