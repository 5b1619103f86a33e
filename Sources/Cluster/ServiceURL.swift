/// The URL of a service on some server, such as `--discovery` gives: an endpoint and a path.
///
///     http://disc:2379/v2/keys/_etcd/registry/TOKEN    https://discovery.example/TOKEN
///
/// Unlike a member's URL it may leave out the port. What follows a `?` or `#` is not looked at, as
/// in etcd.
package struct ServiceURL: Equatable, Sendable, CustomStringConvertible {
    /// Scheme, host and port; the scheme's own port where none was written.
    package let endpoint: EndpointURL
    /// Begins with a slash and does not end in one; empty for none.
    package let path: String
    /// As it was given: it is hashed into ids.
    package let description: String

    package init(_ text: String) throws(EndpointURLError) {
        let parts = try URLSyntax(parsing: text)
        guard let scheme = EndpointURL.Scheme(rawValue: parts.scheme) else {
            throw EndpointURLError(code: .scheme, url: text)
        }
        guard parts.userInfo == nil else {
            throw EndpointURLError(
                code: .malformed(reason: "a user name cannot be used"), url: text)
        }
        let port = scheme == .http ? 80 : 443
        guard let (host, portText) = parts.hostAndPort ?? Self.bare(parts.authority),
            !host.isEmpty
        else { throw EndpointURLError(code: .noHostAndPort, url: text) }
        guard let number = portText.isEmpty ? UInt16(port) : UInt16(portText) else {
            throw EndpointURLError(code: .port, url: text)
        }
        endpoint = EndpointURL(scheme: scheme, host: host, port: number)
        var path = parts.path[...]
        while path.hasSuffix("/") { path = path.dropLast() }
        self.path = String(path)
        description = text
    }

    /// A host without a port.
    private static func bare(_ authority: String) -> (String, String)? {
        guard authority.hasPrefix("[") else { return (authority, "") }
        guard authority.hasSuffix("]") else { return nil }
        return (String(authority.dropFirst().dropLast()), "")
    }
}
