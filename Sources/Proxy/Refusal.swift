internal import Cluster
internal import NIOHTTP1

/// Why no member's answer can be given to a request.
///
/// 503: nothing has been done, the client may send it again. 502: it may have been.
enum Refusal: Equatable {
    struct Try: Equatable {
        let url: EndpointURL
        let problem: String
    }

    /// The cluster has not told any client URL yet.
    case noEndpoints(lastAnswer: String)
    /// All failed a moment ago, and are not tried yet again.
    case allRest([Try])
    /// All that could be tried have been.
    case allFailed([Try])
    /// The member had the request, or some of it, and did not answer.
    case unanswered(method: String, Try)
    case tooManyConnections(limit: Int)

    var status: HTTPResponseStatus {
        if case .unanswered = self { return .badGateway }
        return .serviceUnavailable
    }

    /// etcd's label of it in `etcd_proxy_dropped_total`.
    var label: String {
        switch self {
        case .noEndpoints, .allRest: "zero_endpoints"
        case .allFailed, .tooManyConnections: "failed_sending_request"
        case .unanswered: "failed_getting_response"
        }
    }

    /// Begins with etcd's words.
    var text: String {
        switch self {
        case .noEndpoints(let lastAnswer):
            "proxy: zero endpoints currently available: no member has told its client URLs yet "
                + "(\(lastAnswer))"
        case .allRest(let tries):
            "proxy: zero endpoints currently available: each has failed a moment ago: "
                + Self.text(of: tries)
        case .allFailed(let tries):
            "proxy: unable to get response from \(tries.count) endpoint(s): "
                + Self.text(of: tries)
        case .unanswered(let method, let attempt):
            "proxy: unable to get response from 1 endpoint(s): \(Self.text(of: [attempt])). "
                + "The \(method) may have been carried out there, so it was not sent to another"
        case .tooManyConnections(let limit):
            "proxy: \(limit) connections to members are open, the most this proxy opens "
                + "(--max-connections)"
        }
    }

    private static func text(of tries: [Try]) -> String {
        tries.map { "\($0.url): \($0.problem)" }.joined(separator: "; ")
    }
}
