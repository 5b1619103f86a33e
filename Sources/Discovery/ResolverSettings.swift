package import Cluster
package import NIOCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Which DNS servers to ask, and how patiently: what `/etc/resolv.conf` says, or one given by
/// `--dns-server`.
package struct ResolverSettings: Equatable, Sendable {
    package var servers: [SocketAddress]
    /// For one server's answer.
    package var timeout = Duration.seconds(5)
    /// How often each server is asked before it counts as silent.
    package var attempts = 2

    static let port = 53
    /// The resolver of the C library takes no more.
    static let serversMax = 3

    package init(servers: [SocketAddress]) { self.servers = servers }

    /// Reads a resolv.conf. Without a server in it, or without the file: the local machine's.
    ///
    ///     nameserver 10.0.0.53
    ///     options timeout:2 attempts:3
    init(resolvConf text: String) {
        servers = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 1, let key = words.first, !"#;".contains(key.prefix(1)) else {
                continue
            }
            switch key {
            case "nameserver":
                guard servers.count < Self.serversMax,
                    let address = try? SocketAddress(ipAddress: String(words[1]), port: Self.port)
                else { continue }
                servers.append(address)
            case "options": words.dropFirst().forEach { take(option: $0) }
            default: continue
            }
        }
        if servers.isEmpty, let local = try? SocketAddress(ipAddress: "127.0.0.1", port: Self.port)
        {
            servers = [local]
        }
    }

    private mutating func take(option: Substring) {
        let parts = option.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let number = Int(parts[1]), number > 0 else { return }
        switch parts[0] {
        case "timeout": timeout = .seconds(min(number, 30))
        case "attempts": attempts = min(number, 5)
        default: return
        }
    }

    /// The machine's own settings.
    package static func system(_ path: String = "/etc/resolv.conf") -> ResolverSettings {
        ResolverSettings(resolvConf: readText(path) ?? "")
    }

    private static func readText(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT` as `--dns-server` gives it; nil: it is none of them, or
    /// the host has no address.
    package init?(server text: String, resolve: HostResolver.Resolve) {
        var host = text
        var port = Self.port
        if let url = try? EndpointURL("http://\(text)") {
            host = url.host
            if !url.portText.isEmpty { port = Int(url.port) }
        } else if text.hasPrefix("["), text.hasSuffix("]") {
            host = String(text.dropFirst().dropLast())
        }
        guard port > 0, let address = resolve(host),
            let server = try? SocketAddress(ipAddress: address, port: port)
        else { return nil }
        self.init(servers: [server])
    }
}
