package import KVServer
package import KeyStore

/// Paths that a server has in place of, or beside, those of a member; asked before the route table.
///
/// A site decides; the client port carries out. What it maps onto keys is served by the very
/// code that serves `/v2/keys`: statuses, headers, watches. Called on the engine's loop.
package protocol Site: AnyObject {
    func route(_ request: SiteRequest, _ engine: Engine) -> SiteRoute
    /// Writes to be made now that `event` came of a client's write on this member.
    func writes(after event: Event, _ engine: Engine) -> [SiteWrite]
}

/// A request as a site sees it.
package struct SiteRequest: Sendable {
    /// As in the request line.
    package var method: String
    /// Without the query, as sent.
    package var path: String
    package var query: String
    /// The body, if it is a form.
    package var form: String
    /// The header `Host`.
    package var host: String

    package init(
        method: String, path: String, query: String = "", form: String = "", host: String = ""
    ) {
        (self.method, self.path, self.query) = (method, path, query)
        (self.form, self.host) = (form, host)
    }
}

/// What becomes of a request.
package enum SiteRoute: Equatable, Sendable {
    /// As on any member.
    case member
    /// As if this had been the request's target: path and query.
    case keys(String)
    case page(SitePage)
    /// The error that the keys API has for a key that is not there.
    case noSuchKey(String)
    /// Make these writes, in this order; if the last one succeeds, the answer is the page.
    case write([SiteWrite], then: SitePage, otherwise: SitePage)
}

/// A whole answer.
package struct SitePage: Equatable, Sendable {
    package enum Status: Equatable, Sendable {
        case ok, badRequest, notFound, methodNotAllowed, serviceUnavailable
    }

    package var status: Status
    /// Plain text.
    package var body: String
    /// Further header lines, each with its end.
    package var headerLines: String

    package init(_ status: Status, _ body: String, headerLines: String = "") {
        (self.status, self.body, self.headerLines) = (status, body, headerLines)
    }
}

/// A PUT of a key.
package struct SiteWrite: Equatable, Sendable {
    /// The client's key, such as `/a/b`.
    package var key: String
    /// Nil: a directory.
    package var value: String?
    package var mustExist: Bool
    /// Nil: for ever.
    package var timeToLive: Duration?

    package init(
        _ key: String, value: String? = nil, mustExist: Bool, timeToLive: Duration? = nil
    ) {
        (self.key, self.value) = (key, value)
        (self.mustExist, self.timeToLive) = (mustExist, timeToLive)
    }
}
