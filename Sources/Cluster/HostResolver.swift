#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Compares URLs by where they lead: `localhost` and `127.0.0.1` are the same host.
package enum HostResolver {
    /// A host's first address as text, or nil if it has none.
    package typealias Resolve = (String) -> String?

    /// Whether two lists of URLs are the same set, host names resolved where texts differ.
    package static func areEqual(
        _ a: [EndpointURL], _ b: [EndpointURL], resolve: Resolve
    ) -> Bool {
        if Set(a) == Set(b) { return true }
        guard a.count == b.count else { return false }
        return Set(a.map { resolved($0, resolve) }) == Set(b.map { resolved($0, resolve) })
    }

    private static func resolved(_ url: EndpointURL, _ resolve: Resolve) -> EndpointURL {
        let address = resolve(url.host) ?? url.host
        return EndpointURL(scheme: url.scheme, host: address, port: url.port)
    }

    /// Asks the system's resolver (hosts file, DNS); IPv4 before IPv6, as etcd's does. Blocks.
    package static func system(_ host: String) -> String? {
        guard !host.isEmpty else { return nil }
        return firstAddress(host, family: AF_INET) ?? firstAddress(host, family: AF_INET6)
    }

    private static func firstAddress(_ host: String, family: Int32) -> String? {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, let list else { return nil }
        defer { freeaddrinfo(list) }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = getnameinfo(
            list.pointee.ai_addr, list.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
            NI_NUMERICHOST)
        guard status == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
