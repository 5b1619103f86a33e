import Cluster
import Logging
import NIOCore
import NIOPosix
import ProcessSupport
import RaftModel
import Synchronization
import Testing

@testable import Transport

/// Polls until `condition` holds; a condition that never does is a failure, not a hang.
/// The limit is for the slowest: under ThreadSanitizer on a busy machine.
func eventually(
    _ what: String, within limit: Duration = .seconds(120),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let limit = limit * Patience.factor
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(
                "not within \(limit): \(what); the lines of all transports:\n\(KeptLines.text)",
                sourceLocation: sourceLocation)
            throw TimedOut()
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}

struct TimedOut: Error {}

/// Remembers what a transport reports, and answers what it asks.
final class Recorder: PeerTransportDelegate, Sendable {
    struct State {
        var messages: [Message] = []
        var senders: [MemberID] = []
        /// Messages of each call of `received`.
        var callSizes: [Int] = []
        var unreachable: [MemberID: Int] = [:]
        var snapshots: [Bool] = []
        var removalCount = 0
        var features: [MemberID: PeerFeatures] = [:]
        /// Names of these two calls, in the order of the first one of each.
        var firsts: [String] = []
        var standings: [MemberID: PeerStanding] = [:]
        var members: [Member] = []
        var clusterVersion: SemanticVersion?
        /// Says what becomes of a snapshot that comes in; without it all are refused.
        var sinks: (@Sendable (Message, _ sizeBytes: Int) -> SnapshotSinkVerdict)?
        /// Takes them instead, and goes on with what was cut off.
        var resuming: ResumingSinks?
        /// Does not know what it has got.
        var isBusy = false
    }

    private let state = Mutex(State())

    var seen: State { state.withLock { $0 } }

    func change(_ body: (inout sending State) -> Void) { state.withLock { body(&$0) } }

    func received(_ messages: [Message], from peer: MemberID) {
        state.withLock { state in
            state.messages += messages
            state.senders += messages.map { _ in peer }
            state.callSizes.append(messages.count)
            if state.callSizes.count == 1 { state.firsts.append("received") }
        }
    }

    func unreachable(_ peer: MemberID) {
        state.withLock { $0.unreachable[peer, default: 0] += 1 }
    }

    func snapshotFinished(_ peer: MemberID, succeeded: Bool) {
        state.withLock { $0.snapshots.append(succeeded) }
    }

    func snapshotSink(
        for message: Message, from peer: MemberID, _ part: SnapshotPart
    ) -> SnapshotSinkVerdict {
        if let resuming = seen.resuming { return resuming.take(part) }
        guard let sinks = seen.sinks else { return .refuse(reason: "none is wanted") }
        return sinks(message, part.sizeBytes)
    }

    func snapshotOffset(of identity: String) -> Int? {
        if seen.isBusy { return nil }
        return seen.resuming?.offset(of: identity) ?? 0
    }

    func removedFromCluster() { state.withLock { $0.removalCount += 1 } }

    func learnt(_ features: PeerFeatures, of peer: MemberID) {
        state.withLock { state in
            if state.features.isEmpty { state.firsts.append("learnt") }
            state.features[peer] = features
        }
    }

    func standing(of member: MemberID) -> PeerStanding {
        state.withLock { $0.standings[member] ?? .member }
    }

    var members: [Member] { state.withLock { $0.members } }

    var clusterVersion: SemanticVersion? { state.withLock { $0.clusterVersion } }
}

/// A transport with its event loop, listening on a free port of 127.0.0.1.
final class TestNode: Sendable {
    let id: MemberID
    let url: EndpointURL
    let recorder: Recorder
    let loop: any EventLoop
    private let transport: NIOLoopBoundBox<PeerTransport>
    private let isStopped = Mutex(false)

    static let cluster = ClusterID(0xc1)

    private init(
        _ id: MemberID, _ url: EndpointURL, _ recorder: Recorder, _ loop: any EventLoop,
        _ transport: NIOLoopBoundBox<PeerTransport>
    ) {
        (self.id, self.url, self.recorder, self.loop) = (id, url, recorder, loop)
        self.transport = transport
    }

    static func start(
        _ id: MemberID, cluster: ClusterID = cluster, scheme: EndpointURL.Scheme = .http,
        change: @Sendable @escaping (inout TransportConfiguration) -> Void = { _ in }
    ) async throws -> TestNode {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let recorder = Recorder()
        let url = EndpointURL(scheme: scheme, host: "127.0.0.1", port: 0)
        let (box, listener) = try await loop.submit {
            // The port is known only once it is bound, so the header names another host.
            let advertised = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            var configuration = TransportConfiguration(
                member: id, cluster: cluster, peerURLs: [advertised])
            configuration.timing.redialDelay = .milliseconds(20)
            configuration.timing.redialDelayMax = .milliseconds(100)
            // A machine that is busy, or stands still for a while, must not look like a dead peer.
            configuration.timing.dialTimeout = .seconds(100)
            configuration.timing.silenceMax = .seconds(100)
            configuration.timing.snapshotAnswerMax = .seconds(100)
            configuration.timing.snapshotSilenceMax = .seconds(100)
            change(&configuration)
            let transport = PeerTransport(
                configuration, eventLoop: loop, delegate: recorder, logger: quietLogger)
            return (NIOLoopBoundBox(transport, eventLoop: loop), transport.listen(on: url))
        }.get()
        return TestNode(id, try await listener.get().url, recorder, loop, box)
    }

    var peer: Peer { Peer(id: id, urls: [url]) }
    var seen: Recorder.State { recorder.seen }

    /// Runs `body` on the node's loop.
    @discardableResult
    func run<T: Sendable>(
        _ body: @escaping @Sendable (PeerTransport) throws -> T
    ) async throws -> T {
        let transport = transport
        return try await loop.submit { try body(transport.value) }.get()
    }

    func update(_ peers: [Peer]) async throws { try await run { $0.update(peers: peers) } }

    func send(_ messages: [Message]) async throws { try await run { $0.send(messages) } }

    func statistics(of peer: MemberID) async throws -> PeerStatistics? {
        try await run { $0.statistics(of: peer) }
    }

    /// Whether `peer` has dialled both of its streams here.
    func serves(_ peer: MemberID) async throws -> Bool {
        try await run {
            let link = $0[member: peer]
            return link?.appendStream != nil && link?.messageStream != nil
        }
    }

    func stop() async throws {
        let wasStopped = isStopped.withLock { stopped in
            defer { stopped = true }
            return stopped
        }
        guard !wasStopped else { return }
        let transport = transport
        try await loop.flatSubmit { transport.value.stop() }.get()
    }
}

/// Set TRANSPORT_LOG to see the lines as they come.
let quietLogger = Logger(label: "rafthttp") { label in
    if isLogWanted {
        var handler = StreamLogHandler.standardError(label: label)
        handler.logLevel = .trace
        return handler
    }
    return KeptLines()
}

/// Keeps what transports say, for the report of a test that fails: but for what is said all the time.
struct KeptLines: LogHandler {
    private static let sameMax = 10
    private struct Kept {
        var lines: [String] = []
        var counts: [String: Int] = [:]
    }
    private static let kept = Mutex(Kept())

    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    static var text: String { kept.withLock { $0.lines.joined(separator: "\n") } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let text = "\(event.level) \(event.message) \(event.metadata ?? [:])"
        Self.kept.withLock { kept in
            kept.counts[text, default: 0] += 1
            guard kept.counts[text, default: 0] <= Self.sameMax else { return }
            kept.lines.append("\(ContinuousClock.now) \(text)")
        }
    }
}

/// Starts `count` nodes that know each other, runs `body`, stops them.
func withNodes(
    _ count: Int, scheme: EndpointURL.Scheme = .http,
    change: @Sendable @escaping (inout TransportConfiguration) -> Void = { _ in },
    _ body: ([TestNode]) async throws -> Void
) async throws {
    var nodes: [TestNode] = []
    for number in 1...count {
        nodes.append(
            try await TestNode.start(MemberID(UInt64(number)), scheme: scheme, change: change))
    }
    do {
        try await body(nodes)
    } catch {
        for node in nodes { try await node.stop() }
        throw error
    }
    for node in nodes { try await node.stop() }
}

/// Makes the nodes each other's peers and waits for all streams.
func connect(_ nodes: [TestNode]) async throws {
    for node in nodes { try await node.update(nodes.map(\.peer)) }
    for node in nodes {
        for other in nodes where other.id != node.id {
            try await eventually("streams of \(other.id) at \(node.id)") {
                try await node.serves(other.id)
            }
        }
    }
}
