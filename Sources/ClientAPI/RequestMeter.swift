internal import Metrics

/// What a request is counted under.
enum RequestKind: UInt8, CaseIterable {
    // Of `/v2/keys`.
    case get, quorumGet, head, put, post, delete, watch
    case members, machines, stats, auth, version, health, status, backup, metrics, debug, log
    /// What never became a request for anything: unknown paths, faults.
    case other

    /// etcd's label for requests of `/v2/keys`.
    var keysMethod: String? {
        switch self {
        case .get, .watch: "GET"
        case .quorumGet: "QGET"
        case .head: "HEAD"
        case .put: "PUT"
        case .post: "POST"
        case .delete: "DELETE"
        default: nil
        }
    }

    var isWrite: Bool { self == .put || self == .post || self == .delete }

    /// Those of `/v2/keys` with etcd's label; watches count under GET.
    static let ofKeys = allCases.filter { $0 != .watch }.compactMap { kind in
        kind.keysMethod.map { (kind: kind, method: $0) }
    }
    /// All others, which kvd's own figures tell by their names.
    static let ofRoutes = allCases.filter { $0.keysMethod == nil }
}

extension RequestKind {
    init(_ keys: KeysRequest) {
        switch keys.operation {
        case .watch: self = .watch
        case .quorumRead: self = .quorumGet
        case .read: self = keys.method == .head ? .head : .get
        case .write:
            switch keys.method {
            case .put: self = .put
            case .post: self = .post
            default: self = .delete
            }
        }
    }

    init(_ endpoint: Endpoint) {
        switch endpoint {
        case .keys: self = .other  // Refused before it was known what it wants.
        case .members: self = .members
        case .machines: self = .machines
        case .statsSelf, .statsStore, .statsLeader: self = .stats
        case .auth, .invalidAuthPath: self = .auth
        case .version: self = .version
        case .health: self = .health
        case .status: self = .status
        case .backup: self = .backup
        case .metrics: self = .metrics
        case .debugVariables: self = .debug
        case .logLevel: self = .log
        }
    }
}

/// Counts requests and their times. Fed on the event loop: two readings of the clock and a few
/// additions a request.
struct RequestMeter {
    /// When a request began, and as what.
    struct Start {
        var kind = RequestKind.other
        /// `noValueOnSuccess`
        var omitsNode = false
        /// Monotonic nanoseconds; 0: nothing to be measured.
        var at: Int64 = 0
    }

    private var received = [UInt64](repeating: 0, count: RequestKind.allCases.count)
    /// From the start of the handling to the answer made, by kind. Etcd's bounds, which double from
    /// 0.5 ms, and finer ones below: a read takes some ten microseconds.
    private var durations: [DurationHistogram]
    /// By kind and status.
    private var failures: [UInt64]
    /// Writes that changed the store, from the proposal to the answer.
    private(set) var proposals = DurationHistogram(firstNanoseconds: 1_000_000, boundsCount: 14)
    private(set) var refusedProposals: UInt64 = 0
    private(set) var recursiveReads: UInt64 = 0
    /// Streams whose client did not keep up.
    private(set) var cutStreams: UInt64 = 0
    /// Watches refused because the history has dropped what they missed.
    private(set) var clearedWatches: UInt64 = 0
    /// Watches that ended because a snapshot took the place of the state.
    private(set) var endedWatches: UInt64 = 0

    /// Clients beyond the limit, and idle ones that made room for others.
    private(set) var refusedConnections: UInt64 = 0
    private(set) var evictedConnections: UInt64 = 0
    /// Clients that did not take their answer.
    private(set) var cutReaders: UInt64 = 0

    private static let statusCount = Status.allCases.count

    init() {
        let histogram = DurationHistogram(firstNanoseconds: 31_250, boundsCount: 18)
        durations = Array(repeating: histogram, count: RequestKind.allCases.count)
        failures = Array(repeating: 0, count: RequestKind.allCases.count * Self.statusCount)
    }

    mutating func began(_ kind: RequestKind) { received[Int(kind.rawValue)] += 1 }

    mutating func ended(_ start: Start, _ status: Status, now: Int64) {
        let kind = Int(start.kind.rawValue)
        guard !status.isFailure else {
            failures[kind * Self.statusCount + status.rawValue] += 1
            // What the store refuses has another status: it was committed all the same.
            if start.kind.isWrite, status == .internalServerError { refusedProposals += 1 }
            return
        }
        guard start.at != 0 else { return }
        durations[kind].record(nanoseconds: now - start.at)
        if start.kind.isWrite { proposals.record(nanoseconds: now - start.at) }
    }

    mutating func readRecursively() { recursiveReads += 1 }
    mutating func cutStream() { cutStreams += 1 }
    mutating func clearedWatch() { clearedWatches += 1 }
    mutating func endedWatch() { endedWatches += 1 }
    mutating func refusedConnection() { refusedConnections += 1 }
    mutating func evictedConnection() { evictedConnections += 1 }
    mutating func cutReader() { cutReaders += 1 }

    func received(_ kind: RequestKind) -> UInt64 { received[Int(kind.rawValue)] }
    func durations(of kind: RequestKind) -> DurationHistogram { durations[Int(kind.rawValue)] }

    func failures(of kind: RequestKind) -> [(status: Status, count: UInt64)] {
        let base = Int(kind.rawValue) * Self.statusCount
        return Status.allCases.compactMap { status in
            let count = failures[base + status.rawValue]
            return count == 0 ? nil : (status, count)
        }
    }
}
