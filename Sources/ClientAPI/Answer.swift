internal import KVServer
internal import Metrics

/// The statuses that the client port gives.
enum Status: Int, CaseIterable {
    case ok, created, noContent
    case movedPermanently
    case badRequest, unauthorized, forbidden, notFound, methodNotAllowed, preconditionFailed
    case requestTimeout, conflict, gone, bodyTooLarge, unsupportedMediaType
    case expectationFailed, tooManyRequests, headersTooLarge
    case internalServerError, notImplemented, serviceUnavailable

    /// No failure: a redirection too, since it says what was asked.
    var isFailure: Bool {
        switch self {
        case .ok, .created, .noContent, .movedPermanently: false
        default: true
        }
    }

    /// Status and reason, as in a status line.
    var text: StaticString {
        switch self {
        case .ok: "200 OK"
        case .created: "201 Created"
        case .noContent: "204 No Content"
        case .movedPermanently: "301 Moved Permanently"
        case .badRequest: "400 Bad Request"
        case .unauthorized: "401 Unauthorized"
        case .forbidden: "403 Forbidden"
        case .notFound: "404 Not Found"
        case .methodNotAllowed: "405 Method Not Allowed"
        case .preconditionFailed: "412 Precondition Failed"
        case .requestTimeout: "408 Request Timeout"
        case .conflict: "409 Conflict"
        case .gone: "410 Gone"
        case .bodyTooLarge: "413 Request Entity Too Large"
        case .unsupportedMediaType: "415 Unsupported Media Type"
        case .expectationFailed: "417 Expectation Failed"
        case .tooManyRequests: "429 Too Many Requests"
        case .headersTooLarge: "431 Request Header Fields Too Large"
        case .internalServerError: "500 Internal Server Error"
        case .notImplemented: "501 Not Implemented"
        case .serviceUnavailable: "503 Service Unavailable"
        }
    }
}

/// Everything of an answer but its body, the date, and what depends on the connection.
///
/// Which header an answer has is settled in `reference/client-api.md` §1, §3 and §8.
struct Answer {
    enum ContentType {
        case json, jsonUTF8, plainText, html, bytes, metrics

        var text: StaticString {
            switch self {
            case .json: "application/json"
            case .jsonUTF8: "application/json; charset=utf-8"
            case .plainText: "text/plain; charset=utf-8"
            case .html: "text/html; charset=utf-8"
            case .bytes: "application/octet-stream"
            case .metrics: Metrics.contentType
            }
        }
    }

    var status: Status
    var contentType: ContentType?
    /// `X-Etcd-Cluster-Id`
    var hasClusterID = false
    /// `X-Etcd-Index`
    var storeIndex: UInt64?
    /// `X-Raft-Index` and `X-Raft-Term`
    var appliedAt: AppliedAt?
    /// `Allow`
    var allow: StaticString?
    /// `X-Content-Type-Options: nosniff`
    var forbidsSniffing = false
    /// `Location`
    var location: [UInt8] = []
    /// Header lines that few answers have, each with its end.
    var extraLines: [UInt8] = []
    /// The connection cannot be used after this answer.
    var closes = false

    init(_ status: Status, _ contentType: ContentType?) {
        (self.status, self.contentType) = (status, contentType)
    }

    /// A JSON answer of a route that names its cluster.
    static func json(_ status: Status) -> Answer {
        var answer = Answer(status, .json)
        answer.hasClusterID = true
        return answer
    }

    /// The success of a keys request.
    static func keys(_ status: Status, storeIndex: UInt64, at appliedAt: AppliedAt) -> Answer {
        var answer = json(status)
        answer.storeIndex = storeIndex
        answer.appliedAt = appliedAt
        return answer
    }

    /// The failure of a keys request.
    static func keysError(_ status: Status, storeIndex: UInt64) -> Answer {
        var answer = json(status)
        answer.storeIndex = storeIndex
        return answer
    }

    /// One of the plain pages for people: 404 and 405.
    static func page(_ status: Status) -> Answer {
        var answer = Answer(status, .plainText)
        answer.forbidsSniffing = true
        return answer
    }
}

/// What of a request decides how its answer is framed.
struct AnswerFraming: Equatable {
    /// The request was a HEAD: headers only.
    var isHead = false
    /// The client speaks HTTP/1.0: no chunks, and no keep-alive unless it asked for it.
    var isHTTP10 = false
    /// The client wants to go on using the connection.
    var keepsAlive = true
    /// The web page that the client is, if it may see the answer.
    var grant = CrossOrigins.Grant.none
}
