internal import Cluster

/// What a request to the discovery service is for.
///
///     /                        how to use it; with ?token=TOKEN the state of one
///     /new?size=3              a new token
///     /TOKEN[/]                GET
///     /TOKEN/_config/size      GET
///     /TOKEN/MEMBER            GET, PUT, DELETE
///     /v2/keys/_etcd/registry/TOKEN…   the same, under the name they have on any etcd
///     /health /version /metrics /v2/members   GET: of the member that serves
///     /robots.txt
///
/// All else is not there: whoever may ask for a token must not be able to read, or remove, those
/// of others, nor to change the service's own cluster.
enum TokenRoute: Equatable {
    case usage(token: String?)
    case new
    /// `rest` begins with a slash or is empty.
    case token(String, rest: String)
    case member
    case robots
    case methodNotAllowed(allowed: String)
    case absent

    static let tokenDigitsCount = 32

    init(method: String, path: String, query: String) {
        let long = "/v2/keys\(Discovery.registryPath)"
        switch path {
        case "/", "": self = .usage(token: Self.value(of: "token", in: query))
        case "/new", "/new/": self = .new
        case "/robots.txt": self = .robots
        case "/health", "/version", "/metrics", "/v2/members":
            self = method == "GET" ? .member : .methodNotAllowed(allowed: "GET")
        case _ where path.hasPrefix(long + "/"):
            self = Self.token(method, path.dropFirst(long.utf8.count + 1))
        default: self = Self.token(method, path.dropFirst())
        }
    }

    private static func token(_ method: String, _ path: Substring) -> TokenRoute {
        let token = path.prefix { $0 != "/" }
        var rest = path.dropFirst(token.count)
        guard isToken(token) else { return .absent }
        if rest == "/" { rest = "" }
        let allowed: [String]
        switch rest {
        case "": allowed = ["GET", "HEAD"]
        case "/_config/size": allowed = ["GET", "HEAD"]
        case _ where rest.dropFirst().utf8.allSatisfy(\.isASCIIAlphanumeric):
            allowed = ["GET", "HEAD", "PUT", "DELETE"]
        default: return .absent
        }
        guard allowed.contains(method) else {
            return .methodNotAllowed(allowed: allowed.joined(separator: ","))
        }
        return .token(String(token), rest: String(rest))
    }

    static func isToken(_ text: some StringProtocol) -> Bool {
        text.utf8.count == tokenDigitsCount
            && text.utf8.allSatisfy {
                $0.isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// The first value of a field in a query or form. What is asked for here needs no escapes.
    static func value(of field: String, in form: String) -> String? {
        for pair in form.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0] == field { return parts.count == 2 ? String(parts[1]) : "" }
        }
        return nil
    }
}
