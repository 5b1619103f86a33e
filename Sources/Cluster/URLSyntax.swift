/// The pieces of a URL, taken apart as Go's parser does, which etcd relies on.
///
///     scheme ":" "//" [ userinfo "@" ] host [ ":" port ] [ path ] [ "?" query ] [ "#" fragment ]
///
/// Only what can decide about a member's URL is looked at: percent escapes of a path, for one,
/// need no decoding where any path at all is refused.
struct URLSyntax {
    private(set) var scheme = ""
    private(set) var userInfo: String?
    /// Host and port as written: `127.0.0.1:2379`, `[::1]:2379`, `:2379`.
    private(set) var authority = ""
    private(set) var path = ""
    private var suffix = ""
    private let url: String

    /// As Go prints it: the scheme in lower case, the rest as written.
    var description: String {
        let user = userInfo.map { $0 + "@" } ?? ""
        return "\(scheme)://\(user)\(authority)\(path)\(suffix)"
    }

    init(parsing url: String) throws(EndpointURLError) {
        self.url = url
        guard !url.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw EndpointURLError(
                code: .malformed(reason: "net/url: invalid control character in URL"), url: url)
        }
        var rest = Substring(url)
        if let mark = rest.firstIndex(of: "#") {
            suffix = String(rest[mark...])
            rest = rest[..<mark]
        }
        rest = try takeScheme(rest)
        if let mark = rest.firstIndex(of: "?") {
            suffix = rest[mark...] + suffix
            rest = rest[..<mark]
        }
        guard rest.hasPrefix("/") else {
            // "http:host" names no authority; Go calls it opaque. etcd then misses the host.
            guard scheme.isEmpty else { return }
            let segment = rest.prefix { $0 != "/" }
            guard !segment.contains(":") else {
                throw malformed("first path segment in URL cannot contain colon")
            }
            path = String(rest)
            return
        }
        guard !scheme.isEmpty || !rest.hasPrefix("///"), rest.hasPrefix("//") else {
            path = String(rest)
            return
        }
        let afterSlashes = rest.dropFirst(2)
        let end = afterSlashes.firstIndex(of: "/") ?? afterSlashes.endIndex
        path = String(afterSlashes[end...])
        try takeAuthority(afterSlashes[..<end])
    }

    /// `authority` split as Go's `SplitHostPort` does it; nil when it is not `host:port`.
    var hostAndPort: (host: String, port: String)? {
        guard let colon = authority.lastIndex(of: ":") else { return nil }
        let port = String(authority[authority.index(after: colon)...])
        var host = authority[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.count > 1 else { return nil }
            host = host.dropFirst().dropLast()
            guard !host.contains("["), !host.contains("]") else { return nil }
        } else if host.contains(where: { $0 == ":" || $0 == "[" || $0 == "]" }) {
            return nil
        }
        guard !port.contains("["), !port.contains("]") else { return nil }
        return (String(host), port)
    }

    private func malformed(_ reason: String) -> EndpointURLError {
        EndpointURLError(code: .malformed(reason: reason), url: url)
    }

    /// Takes `scheme:` off the front, if there is one, and returns what follows.
    private mutating func takeScheme(_ text: Substring) throws(EndpointURLError) -> Substring {
        for index in text.utf8.indices {
            switch text.utf8[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                UInt8(ascii: "."):
                if index == text.startIndex { return text }
            case UInt8(ascii: ":"):
                guard index != text.startIndex else { throw malformed("missing protocol scheme") }
                scheme = text[..<index].lowercased()
                return text[text.index(after: index)...]
            default:
                return text
            }
        }
        return text
    }

    private mutating func takeAuthority(_ text: Substring) throws(EndpointURLError) {
        var host = text
        if let at = text.lastIndex(of: "@") {
            userInfo = String(text[..<at])
            host = text[text.index(after: at)...]
        }
        let portStart: Substring.Index?
        if host.hasPrefix("[") {
            guard let bracket = host.lastIndex(of: "]") else {
                throw malformed("missing ']' in host")
            }
            portStart = host.index(after: bracket)
        } else {
            portStart = host.lastIndex(of: ":")
        }
        if let portStart {
            let port = host[portStart...]
            let isPort =
                port.isEmpty
                || port.hasPrefix(":") && port.utf8.dropFirst().allSatisfy(\.isASCIIDigit)
            guard isPort else {
                throw malformed("invalid port \(String(port).quotedAsGo) after host")
            }
        }
        try checkHost(host)
        authority = String(host)
    }

    private func checkHost(_ host: Substring) throws(EndpointURLError) {
        // What Go leaves unescaped in a host, beside letters, digits and non-ASCII bytes.
        let allowed = Set("-_.~!$&'()*+,;=:[]<>\"%".utf8)
        for byte in host.utf8 where byte < 0x80 && !byte.isASCIIAlphanumeric {
            guard !allowed.contains(byte) else { continue }
            let character = String(decoding: [byte], as: UTF8.self)
            throw malformed("invalid character \(character.quotedAsGo) in host name")
        }
        for index in host.utf8.indices where host.utf8[index] == UInt8(ascii: "%") {
            let escape = host.utf8[index...].prefix(3)
            // "%25" opens an IPv6 zone; anything else in ASCII must not be escaped.
            let isAllowed = escape.elementsEqual("%25".utf8) && host.hasPrefix("[")
            guard isAllowed else {
                let text = String(decoding: escape, as: UTF8.self)
                throw malformed("invalid URL escape \(text.quotedAsGo)")
            }
        }
    }
}
