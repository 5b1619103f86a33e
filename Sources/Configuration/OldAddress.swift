internal import Cluster
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// etcd 0.4's `IP:PORT`. Source: `reference/cli.md` §2, "Old 0.4 flags".
struct OldAddress: Equatable, CustomStringConvertible {
    let host: String
    let port: UInt16

    /// Every interface, IPv4 included, as 0.4 bound when it was told an address only.
    static func everywhere(port: UInt16) -> OldAddress { OldAddress(host: "::", port: port) }

    init(host: String, port: UInt16) {
        (self.host, self.port) = (host, port)
    }

    init(_ text: String) throws(ValueError) {
        let trimmed = text.trimmingSpaces()
        guard let colon = trimmed.lastIndex(of: ":") else {
            throw ValueError("address \(trimmed): missing port in address")
        }
        var host = trimmed[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ValueError("address \(trimmed): too many colons in address")
        }
        guard Self.isAddress(String(host)) else {
            throw ValueError("bad IP in address specification")
        }
        guard let port = UInt16(trimmed[trimmed.index(after: colon)...]) else {
            throw ValueError("bad port in address specification")
        }
        self.init(host: String(host), port: port)
    }

    var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isAddress(_ host: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    }
}
