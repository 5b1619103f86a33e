package import Cluster
internal import NIOCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Why a port cannot be listened on. The first words are those of etcd (of Go's net package),
/// which tools look for: `listen tcp ADDRESS: bind: address already in use`.
package struct ListenerError: Error, Equatable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// The host has no address.
        case noSuchHost
        /// The resolver failed with this code of `getaddrinfo`.
        case lookup(Int32)
        /// `bind` or `listen` failed with this errno.
        case bind(errno: Int32)
        /// An https URL, and no certificate to serve it with.
        case noTLS
        case other(String)
    }

    package let code: Code
    package let url: EndpointURL
    /// `address:port` as it was tried; the URL's own if it came to no address.
    package let address: String

    init(_ code: Code, url: EndpointURL, address: SocketAddress? = nil) {
        self.code = code
        self.url = url
        let tried = address.flatMap { address in
            address.ipAddress.map { ip in
                let host = address.protocol == .inet6 ? "[\(ip)]" : ip
                return "\(host):\(url.port)"
            }
        }
        self.address = tried ?? url.hostAndPort
    }

    package var description: String {
        switch code {
        case .noSuchHost: "listen tcp: lookup \(url.host): no such host"
        case .lookup(let status):
            "listen tcp: lookup \(url.host): \(Self.smallFirst(gai_strerror(status)))"
        case .bind(let number): "listen tcp \(address): bind: \(Self.text(of: number))"
        case .noTLS: "listen tcp \(address): https without a certificate"
        case .other(let problem): "listen tcp \(address): \(problem)"
        }
    }

    /// What to do about it.
    package var advice: String {
        switch code {
        case .noSuchHost, .lookup:
            "Use an address of this machine in \(url), or add \(url.host) to /etc/hosts or DNS."
        case .bind(EADDRINUSE):
            "Stop the program that has the port (ss -ltnp shows it), or choose another port."
        case .bind(EADDRNOTAVAIL):
            "\(url.host) is no address of this machine: listen on one that `ip address` shows."
        case .bind(EACCES):
            "Choose a port above 1023, or give the program the capability cap_net_bind_service."
        case .bind, .other: "Check the listen URL \(url)."
        case .noTLS: "Give a certificate and key for \(url), or write http://."
        }
    }

    /// The system's text, first letter small, as Go writes it.
    static func text(of number: Int32) -> String {
        smallFirst(strerror(number))
    }

    private static func smallFirst(_ text: UnsafePointer<CChar>?) -> String {
        guard let text else { return "unknown error" }
        let full = String(cString: text)
        return full.prefix(1).lowercased() + full.dropFirst()
    }
}
