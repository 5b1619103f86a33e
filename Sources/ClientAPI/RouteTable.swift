internal import NIOHTTP1

/// The methods that a route may take.
struct MethodSet: OptionSet {
    let rawValue: UInt8

    static let get = MethodSet(rawValue: 1)
    static let head = MethodSet(rawValue: 2)
    static let put = MethodSet(rawValue: 4)
    static let post = MethodSet(rawValue: 8)
    static let delete = MethodSet(rawValue: 16)
    /// All others.
    static let other = MethodSet(rawValue: 32)
    static let all: MethodSet = [.get, .head, .put, .post, .delete, .other]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ method: HTTPMethod) {
        switch method {
        case .GET: self = .get
        case .HEAD: self = .head
        case .PUT: self = .put
        case .POST: self = .post
        case .DELETE: self = .delete
        default: self = .other
        }
    }
}

/// What answers a request.
enum Endpoint: Equatable {
    case keys
    case members, machines
    case statsSelf, statsStore, statsLeader
    case auth(ClientServer.AuthPage), invalidAuthPath
    case version, health, status
    case backup
    case metrics
    case debugVariables, logLevel
}

/// One line of the route table.
struct Route {
    enum Scope { case exact, child, below }

    let path: StaticString
    /// `below`: everything that continues `path`, which ends in a slash. `child`: by one component,
    /// which may have a slash after it.
    let scope: Scope
    let methods: MethodSet
    /// The `Allow` header of a 405, in etcd's order.
    let allow: StaticString
    let endpoint: Endpoint

    init(
        _ path: StaticString, _ scope: Scope, _ methods: MethodSet, _ allow: StaticString,
        _ endpoint: Endpoint
    ) {
        (self.path, self.scope, self.methods) = (path, scope, methods)
        (self.allow, self.endpoint) = (allow, endpoint)
    }

    @inline(__always)
    func matches(_ path: UnsafeRawBufferPointer) -> Bool {
        switch scope {
        case .exact: ByteSearch.equal(path, self.path)
        case .child: isParent(of: path)
        case .below: ByteSearch.hasPrefix(path, self.path)
        }
    }

    private func isParent(of path: UnsafeRawBufferPointer) -> Bool {
        guard ByteSearch.hasPrefix(path, self.path) else { return false }
        let rest = UnsafeRawBufferPointer(rebasing: path[self.path.utf8CodeUnitCount...])
        let slash = ByteSearch.first(UInt8(ascii: "/"), in: rest) ?? rest.count
        return slash > 0 && slash + 1 >= rest.count
    }
}

/// The paths of the client port. First match wins; anything else is the 404 page.
/// Source: `reference/client-api.md` §1; `/v2/status` and `/v2/admin` are kvd's own.
enum RouteTable {
    /// Where a request goes.
    enum Resolution {
        case endpoint(Endpoint, RequestTarget)
        /// 400: the target is no path.
        case badTarget
        /// 301
        case redirection(RequestTarget)
        case notFound
        case methodNotAllowed(Route)
    }

    /// - Parameters:
    ///   - line: the target as it stands in the request line.
    ///   - scratch: emptied, and used if there is something to decode.
    static func resolve(
        _ line: UnsafeRawBufferPointer, _ method: MethodSet, scratch: inout ByteWriter
    ) -> Resolution {
        scratch.removeAll()
        guard let target = RequestTarget.parse(line, scratch: &scratch) else {
            return .badTarget
        }
        if target.needsCleaning { return .redirection(target) }
        for route in routes where route.matches(target.path) {
            guard route.methods.contains(method) else { return .methodNotAllowed(route) }
            return .endpoint(route.endpoint, target)
        }
        return .notFound
    }

    private static let keysMethods: MethodSet = [.get, .head, .put, .post, .delete]
    private static let keysAllow: StaticString = "HEAD,GET,PUT,POST,DELETE"
    private static let memberMethods: MethodSet = [.get, .post, .delete, .put]
    private static let memberAllow: StaticString = "GET,POST,DELETE,PUT"
    private static let authMethods: MethodSet = [.get, .put, .delete]
    private static let authAllow: StaticString = "GET,PUT,DELETE"

    static let routes: [Route] = [
        Route("/v2/keys/", .below, keysMethods, keysAllow, .keys),
        Route("/v2/keys", .exact, keysMethods, keysAllow, .keys),
        Route("/v2/members", .exact, memberMethods, memberAllow, .members),
        Route("/v2/members/", .below, memberMethods, memberAllow, .members),
        Route("/v2/machines", .exact, [.get, .head], "GET,HEAD", .machines),
        Route("/v2/stats/self", .exact, .get, "GET", .statsSelf),
        Route("/v2/stats/leader", .exact, .get, "GET", .statsLeader),
        Route("/v2/stats/store", .exact, .get, "GET", .statsStore),
        Route("/v2/auth/roles", .exact, .get, "GET", .auth(.roles)),
        Route("/v2/auth/roles/", .exact, .get, "GET", .auth(.roles)),
        Route("/v2/auth/roles/", .child, authMethods, authAllow, .auth(.roles)),
        Route("/v2/auth/roles/", .below, .all, "", .invalidAuthPath),
        Route("/v2/auth/users", .exact, .get, "GET", .auth(.users)),
        Route("/v2/auth/users/", .exact, .get, "GET", .auth(.users)),
        Route("/v2/auth/users/", .child, authMethods, authAllow, .auth(.users)),
        Route("/v2/auth/users/", .below, .all, "", .invalidAuthPath),
        Route("/v2/auth/enable", .exact, authMethods, authAllow, .auth(.enabled)),
        Route("/version", .exact, .get, "GET", .version),
        Route("/health", .exact, .get, "GET", .health),
        Route("/v2/status", .exact, .get, "GET", .status),
        Route("/v2/admin/backup", .exact, .get, "GET", .backup),
        Route("/metrics", .exact, .all, "", .metrics),
        Route("/debug/vars", .exact, .get, "GET", .debugVariables),
        Route("/config/local/log", .exact, .put, "PUT", .logLevel),
    ]
}

extension RequestFault {
    /// The methods of the path that an unknown one was meant for, as `Allow` names them; nil: it has
    /// none, or takes all, or this is another fault.
    package var allowedMethods: String? {
        guard case .unknownMethod(var target, _, _) = self else { return nil }
        return target.withUTF8 { line in
            var scratch = ByteWriter()
            let line = UnsafeRawBufferPointer(line)
            guard
                case .methodNotAllowed(let route) = RouteTable.resolve(
                    line, .other, scratch: &scratch)
            else { return nil }
            return "\(route.allow)"
        }
    }
}
