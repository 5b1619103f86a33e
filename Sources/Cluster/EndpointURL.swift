/// An `http` or `https` URL of a member: scheme, host and port, no path.
///
/// Accepts what etcd accepts (`reference/cli.md` §3) and prints it as etcd prints it, because ids
/// are hashes of the printed form. An empty host is accepted here; whether it makes sense is
/// for the configuration to say. Two URLs are equal when they print alike.
package struct EndpointURL: Hashable, Comparable, Sendable, CustomStringConvertible {
    package enum Scheme: String, Sendable {
        case http
        case https
    }

    package let scheme: Scheme
    /// A name or address without brackets; empty when the URL has none (`http://:2379`).
    package let host: String
    /// The port as written, without its colon: digits, possibly none (`http://host:`).
    package let portText: String
    /// The canonical form.
    package let description: String

    /// The port to listen on or to dial; nothing written means the scheme's own.
    package var port: UInt16 {
        // The initialiser refuses digits beyond UInt16, so only the empty text is left over.
        UInt16(portText) ?? (scheme == .http ? 80 : 443)
    }

    /// `host:port`, the host in brackets when it is an IPv6 address.
    package var hostAndPort: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(portText)" : "\(host):\(portText)"
    }

    /// True for addresses that other machines cannot reach this one by.
    package var isUnspecifiedHost: Bool { host.isEmpty || host == "0.0.0.0" || host == "::" }

    /// True for addresses that every machine has for itself.
    package var isLoopbackHost: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// Parses one URL; spaces around it are ignored.
    package init(_ text: String) throws(EndpointURLError) {
        let trimmed = text.trimmingSpaces()
        let parts = try URLSyntax(parsing: trimmed)
        guard let scheme = Scheme(rawValue: parts.scheme) else {
            throw EndpointURLError(code: .scheme, url: trimmed)
        }
        guard let (host, port) = parts.hostAndPort else {
            throw EndpointURLError(code: .noHostAndPort, url: trimmed)
        }
        guard parts.path.isEmpty else { throw EndpointURLError(code: .path, url: trimmed) }
        guard port.isEmpty || UInt16(port) != nil else {
            throw EndpointURLError(code: .port, url: trimmed)
        }
        self.scheme = scheme
        self.host = host
        portText = port
        description = parts.description
    }

    /// A URL from parts that are known to be good, such as an address a listener has bound.
    package init(scheme: Scheme, host: String, port: UInt16) {
        let isAddressV6 = host.utf8.contains(UInt8(ascii: ":"))
        self.scheme = scheme
        self.host = host
        portText = String(port)
        let hostText = isAddressV6 ? "[\(host)]" : host
        description = "\(scheme.rawValue)://\(hostText):\(port)"
    }

    /// Parses a comma list, all or the first fault; sorted, as etcd keeps its lists.
    package static func list(_ text: String) throws(EndpointURLError) -> [EndpointURL] {
        var urls: [EndpointURL] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            urls.append(try EndpointURL(String(part)))
        }
        return urls.sorted()
    }

    /// Parses a list of URLs, such as `peerURLs` of a request body. None at all is a fault.
    package static func list(_ texts: [String]) throws(EndpointURLError) -> [EndpointURL] {
        guard !texts.isEmpty else { throw EndpointURLError(code: .noURLs, url: "") }
        var urls: [EndpointURL] = []
        for text in texts { urls.append(try EndpointURL(text)) }
        return urls.sorted()
    }

    package static func == (a: EndpointURL, b: EndpointURL) -> Bool {
        a.description == b.description
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(description) }

    /// By the printed form's bytes, as etcd sorts.
    package static func < (a: EndpointURL, b: EndpointURL) -> Bool {
        a.description.precedesBytewise(b.description)
    }
}

/// Why a URL was refused, in etcd's words.
package struct EndpointURLError: Error, Equatable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// Not a URL at all; `reason` is Go's, whose parser etcd uses.
        case malformed(reason: String)
        case scheme
        case noHostAndPort
        case path
        case port
        case noURLs
    }

    package let code: Code
    package let url: String

    package var description: String {
        switch code {
        case .malformed(let reason): "parse \(url.quotedAsGo): \(reason)"
        case .scheme: "URL scheme must be http or https: \(url)"
        case .noHostAndPort: "URL address does not have the form \"host:port\": \(url)"
        case .path: "URL must not contain a path: \(url)"
        case .port: "URL port must be a number from 0 to 65535: \(url)"
        case .noURLs: "no valid URLs given"
        }
    }

    /// What to do about it.
    package var advice: String {
        switch code {
        case .scheme where url.isEmpty: "Give at least one URL, such as http://10.0.0.1:2379."
        case .scheme: "Write http:// or https:// before the host: http://\(url)"
        case .path: "Remove everything after the port, a closing slash too."
        case .malformed, .noHostAndPort, .port, .noURLs:
            "Write it like http://10.0.0.1:2379 or http://[fd00::1]:2379."
        }
    }
}
