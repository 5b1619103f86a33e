internal import NIOSSL

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The certificate authorities that this machine trusts. As with Go's programs and curl, a file that
/// the variable `SSL_CERT_FILE` names stands in the place of the system's.
enum SystemTrust {
    static let variable = "SSL_CERT_FILE"

    static var file: String? {
        guard let value = getenv(variable) else { return nil }
        let path = String(cString: value)
        return path.isEmpty ? nil : path
    }

    /// For lines.
    static var place: String {
        file.map { "\(variable)=\($0)" } ?? "package ca-certificates, or \(variable)"
    }
}
