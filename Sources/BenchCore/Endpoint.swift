internal import Glibc

/// A server's client URL, resolved: `http://host:port`.
package struct Endpoint: Sendable, Equatable {
    /// As given.
    package let url: String
    /// `host:port`, for the Host header.
    package let hostAndPort: String
    /// A `sockaddr`, ready for `connect` and `bind`.
    let address: [UInt8]

    var family: Int32 {
        address.withUnsafeBytes { Int32($0.loadUnaligned(as: sockaddr.self).sa_family) }
    }

    /// Parses and resolves. Blocks while a name is looked up.
    ///
    /// Throws `.badURL`.
    package init(url: String) throws(BenchError) {
        func bad(_ advice: String) -> BenchError { BenchError(.badURL(url), advice: advice) }
        var rest = Substring(url)
        if rest.hasPrefix("https://") {
            throw bad("kvd-bench speaks plain HTTP: give an http:// client URL.")
        }
        if rest.hasPrefix("http://") { rest = rest.dropFirst("http://".count) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains("/"), let colon = rest.lastIndex(of: ":"),
            let port = UInt16(rest[rest.index(after: colon)...])
        else { throw bad("Write it as http://HOST:PORT, for example http://127.0.0.1:2379.") }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw bad("Name the host before the port.") }
        guard let address = Self.resolve(host: String(host), port: port) else {
            throw bad("Check the host name: it cannot be resolved.")
        }
        self.url = url
        hostAndPort = String(rest)
        self.address = address
    }

    /// An IPv4 address if there is one: `localhost` has both, and servers mostly listen there.
    private static func resolve(host: String, port: UInt16) -> [UInt8]? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else {
            return nil
        }
        defer { freeaddrinfo(list) }
        let all = sequence(first: first) { $0.pointee.ai_next }
        let chosen = all.first { $0.pointee.ai_family == AF_INET } ?? first
        guard let address = chosen.pointee.ai_addr else { return nil }
        return Array(
            UnsafeRawBufferPointer(start: address, count: Int(chosen.pointee.ai_addrlen)))
    }
}
