/// A connection that watches everything below the prefix.
final class WatchConnection {
    enum Phase: Equatable {
        /// Connecting, or the watch is asked for and not confirmed.
        case opening
        /// The server sent 200: it will tell of every event from now on.
        case watching
    }

    let link: Link
    var phase = Phase.opening
    var status = 0
    var scanner = WatchEventScanner()
    /// Index of the last event seen, to ask on from; nil: from now on.
    var lastIndex: UInt64?
    private let mode: BenchPlan.WatchMode
    private let path: String

    init(_ plan: BenchPlan, endpoint: Endpoint, token: Int) {
        link = Link(endpoint, token: token)
        mode = plan.watchMode
        path = "/v2/keys/\(plan.prefix)?wait=true&recursive=true"
    }

    /// The bytes that ask for the next event, or for all events.
    func request() -> [UInt8] {
        var path = path
        switch mode {
        case .stream: path += "&stream=true"
        // A stream asked for with an index gives at most one event from history, then none.
        case .longPoll: if let lastIndex { path += "&waitIndex=\(lastIndex + 1)" }
        }
        return Array("GET \(path) HTTP/1.1\r\nHost: \(link.endpoint.hostAndPort)\r\n\r\n".utf8)
    }
}
