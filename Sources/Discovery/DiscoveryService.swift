package import ClientAPI
package import Cluster
package import KVServer
package import KeyStore
internal import Transport

/// The service that `--discovery` talks to: tokens made, shown, and forgotten in time.
///
///     GET /new?size=3 ─▶ PUT /_etcd/registry/TOKEN              dir, prevExist=false, ttl
///                        PUT /_etcd/registry/TOKEN/_config/size value=3
///                        ─▶ http://HOST/TOKEN
///     PUT /TOKEN/MEMBER ─▶ PUT /_etcd/registry/TOKEN/MEMBER     and, if the cluster is complete now,
///                        PUT /_etcd/registry/TOKEN              dir, prevExist=true, no ttl
///
/// A token lives as a directory with a time to live, so the store itself forgets it; a completed
/// one stays. The update that makes it stay comes after the last registration, so no member that
/// waits sees it. Source: `reference/discovery.md` §3.
package final class DiscoveryService: Site {
    package struct Settings: Equatable, Sendable {
        /// Nil: tokens stay.
        package var tokenTTL: Duration?
        /// What stands before the token in an answer; nil: as the client called this server.
        package var advertisedURL: ServiceURL?
        package var scheme: EndpointURL.Scheme

        package init(
            tokenTTL: Duration?, advertisedURL: ServiceURL?, scheme: EndpointURL.Scheme = .http
        ) {
            (self.tokenTTL, self.advertisedURL, self.scheme) = (tokenTTL, advertisedURL, scheme)
        }
    }

    static let sizeDefault = 3
    /// Far beyond any cluster; a typing error rather than a wish.
    static let sizeMax = 1000

    private let settings: Settings
    private let makeToken: () -> String

    package convenience init(_ settings: Settings) {
        self.init(settings, makeToken: Self.randomToken)
    }

    init(_ settings: Settings, makeToken: @escaping () -> String) {
        (self.settings, self.makeToken) = (settings, makeToken)
    }

    /// 128 bits of the system's randomness: who knows one token knows no other.
    private static func randomToken() -> String {
        var random = SystemRandomNumberGenerator()
        let words = [random.next(), random.next()] as [UInt64]
        return words.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    // MARK: - Site

    package func route(_ request: SiteRequest, _ engine: Engine) -> SiteRoute {
        switch TokenRoute(method: request.method, path: request.path, query: request.query) {
        case .member: return .member
        case .robots: return .page(SitePage(.ok, "User-agent: *\nDisallow: /"))
        case .absent: return .page(SitePage(.notFound, "404 page not found\n"))
        case .methodNotAllowed(let allowed):
            return .page(
                SitePage(
                    .methodNotAllowed, "Method Not Allowed\n",
                    headerLines: "Allow: \(allowed)\r\n"))
        case .new: return new(request, engine)
        case .usage(let token): return usage(token, request, engine)
        case .token(let token, let rest):
            let query = request.query.isEmpty ? "" : "?\(request.query)"
            let key = "\(Discovery.registryPath)/\(token)"
            // A registration must not bring back what is gone: it would have no size and no end.
            if request.method == "PUT" {
                guard engine.isReadable else { return .page(Self.catchingUp) }
                guard TokenState(token, engine) != nil else { return .noSuchKey(key) }
            }
            return .keys("/v2/keys\(key)\(rest)\(query)")
        }
    }

    package func writes(after event: Event, _ engine: Engine) -> [SiteWrite] {
        let prefix = "/1\(Discovery.registryPath)/"
        let key = event.withKey { String(decoding: $0, as: UTF8.self) }
        guard key.hasPrefix(prefix) else { return [] }
        let token = key.dropFirst(prefix.utf8.count).prefix { $0 != "/" }
        guard let state = TokenState(String(token), engine), state.isComplete,
            state.expiration != nil
        else { return [] }
        return [SiteWrite("\(Discovery.registryPath)/\(token)", mustExist: true)]
    }

    // MARK: - Pages

    private static let catchingUp = SitePage(
        .serviceUnavailable, "This member has just started and is catching up; try again.\n")

    private func new(_ request: SiteRequest, _ engine: Engine) -> SiteRoute {
        let text =
            TokenRoute.value(of: "size", in: request.query)
            ?? TokenRoute.value(of: "size", in: request.form) ?? ""
        guard let size = text.isEmpty ? Self.sizeDefault : Int(text),
            1...Self.sizeMax ~= size
        else {
            return .page(
                SitePage(
                    .badRequest,
                    "size is \(text.quotedAsGo) and must be a number from 1 to \(Self.sizeMax)\n"))
        }
        guard let base = base(request) else {
            return .page(SitePage(.badRequest, "the header Host names no host\n"))
        }
        let token = makeToken()
        let key = "\(Discovery.registryPath)/\(token)"
        var writes: [SiteWrite] = []
        var lines = ""
        if let time = settings.tokenTTL {
            writes.append(SiteWrite(key, mustExist: false, timeToLive: time))
            let end = engine.clusterTime + time.components.seconds * 1_000_000_000
            lines = "X-Kvd-Token-Expires: \(WallClock.httpDate(end))\r\n"
        }
        writes.append(SiteWrite("\(key)/_config/size", value: "\(size)", mustExist: false))
        return .write(
            writes, then: SitePage(.ok, "\(base)/\(token)", headerLines: lines),
            otherwise: SitePage(
                .serviceUnavailable,
                "Unable to generate token: this service has no quorum now; try again.\n"))
    }

    private func base(_ request: SiteRequest) -> String? {
        if let url = settings.advertisedURL { return "\(url.endpoint)\(url.path)" }
        let text = "\(settings.scheme)://\(request.host)"
        guard let url = try? ServiceURL(text), url.path.isEmpty else { return nil }
        return text
    }

    private func usage(_ token: String?, _ request: SiteRequest, _ engine: Engine) -> SiteRoute {
        guard request.method == "GET" || request.method == "HEAD" else {
            return .page(
                SitePage(
                    .methodNotAllowed, "Method Not Allowed\n",
                    headerLines: "Allow: GET,HEAD\r\n"))
        }
        let base = base(request) ?? "\(settings.scheme)://HOST"
        guard let token else {
            return .page(SitePage(.ok, UsagePage.text(base, lifetime: settings.tokenTTL)))
        }
        guard engine.isReadable else { return .page(Self.catchingUp) }
        guard TokenRoute.isToken(token), let state = TokenState(token, engine) else {
            return .page(
                SitePage(
                    .notFound,
                    "No such token, or its time is up. Get one: curl '\(base)/new?size=3'\n"))
        }
        return .page(
            SitePage(.ok, UsagePage.text("\(base)/\(token)", state, now: engine.clusterTime)))
    }
}
