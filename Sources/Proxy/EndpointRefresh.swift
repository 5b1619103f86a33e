internal import Cluster
internal import Logging
internal import Logs
internal import NIOCore
internal import NIOPosix
internal import RaftModel
internal import StorageIO
internal import Transport

/// Asks the cluster for its members, by a timer and when an endpoint has failed.
///
/// Asked are the peer URLs that were learnt, and behind them those that were configured: these are
/// never forgotten, so that a proxy finds a cluster again whose members have all been replaced by
/// ones it never heard of, as long as one of the seeds leads there. One question at a time, and at
/// most one a second.
final class EndpointRefresh {
    /// What a list of members comes to.
    struct Found {
        var endpoints: [EndpointURL]
        var peers: [EndpointURL]
    }

    private let seeds: [EndpointURL]
    private var learnt: [EndpointURL]
    private let interval: TimeAmount
    private let client: PeerClient
    private let eventLoop: any EventLoop
    private let directory: ProxyDirectory<PosixStorage>?
    /// Takes client URLs.
    private let take: ([EndpointURL]) -> Void
    private let hasEndpoints: () -> Bool
    private let log = Logger(label: Proxy.mainLabel)

    private var cluster: ClusterID?
    private var isAsking = false
    /// An endpoint failed while the cluster was being asked: the answer may be older than that.
    private var mustAskAgain = false
    private var isStopped = false
    private var askedAt: NIODeadline?
    private var timer: Scheduled<Void>?
    private var isSaving = false
    /// What the file says.
    private var saved: [EndpointURL]
    /// How the last question ended, if nobody answered it.
    private(set) var problem: String?

    private static let pause = TimeAmount.seconds(1)
    private static let timeout = TimeAmount.seconds(2)

    init(
        _ configuration: ProxyConfiguration, learnt: [EndpointURL],
        directory: ProxyDirectory<PosixStorage>?, eventLoop: any EventLoop,
        hasEndpoints: @escaping () -> Bool, take: @escaping ([EndpointURL]) -> Void
    ) {
        seeds = configuration.seeds
        self.learnt = learnt
        saved = learnt
        // A pause of nothing would be a loop that does nothing else.
        interval = max(TimeAmount(configuration.refreshInterval), .milliseconds(100))
        client = PeerClient(eventLoop: eventLoop, security: configuration.security)
        self.eventLoop = eventLoop
        self.directory = directory
        (self.hasEndpoints, self.take) = (hasEndpoints, take)
    }

    /// Whom to ask, in order.
    private var asked: [EndpointURL] { learnt + seeds.filter { !learnt.contains($0) } }

    func start() { ask() }

    func stop() {
        isStopped = true
        timer?.cancel()
    }

    /// An endpoint has failed: the cluster may have other members now.
    func hurry() {
        guard !isStopped else { return }
        guard !isAsking else {
            mustAskAgain = true
            return
        }
        let earliest = askedAt.map { $0 + Self.pause } ?? .now()
        schedule(after: max(earliest - NIODeadline.now(), .zero))
    }

    private func schedule(after time: TimeAmount) {
        timer?.cancel()
        timer = eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self else { return }
            ask()
        }
    }

    private func ask() {
        guard !isAsking, !isStopped else { return }
        (isAsking, mustAskAgain) = (true, false)
        askedAt = .now()
        let urls = asked
        client.fetchMembers(from: urls, timeout: Self.timeout).assumeIsolated().whenComplete {
            [weak self] result in
            guard let self, !self.isStopped else { return }
            self.isAsking = false
            switch result {
            case .success(let answer): self.took(answer.cluster, answer.members)
            case .failure(let error): self.failed("\(error)")
            }
            let isSettled = self.hasEndpoints() && !self.mustAskAgain
            self.schedule(after: isSettled ? self.interval : Self.pause)
        }
    }

    private func failed(_ problem: String) {
        self.problem = problem
        log.warning("proxy: \(problem)")
    }

    private func took(_ id: ClusterID, _ members: [Member]) {
        problem = nil
        if let cluster, cluster != id {
            log.warning(
                "proxy: the members asked belong to cluster \(id) now, no longer to \(cluster): are the peer URLs of two clusters among those given?"
            )
        }
        cluster = id
        let found = Self.read(members)
        take(found.endpoints)
        remember(found.peers)
    }

    /// URLs that cannot be used are left out: whoever gave them to the member was told.
    static func read(_ members: [Member]) -> Found {
        func urls(_ texts: [String]) -> [EndpointURL] {
            var seen: Set<EndpointURL> = []
            return texts.compactMap { try? EndpointURL($0) }
                .filter { !$0.host.isEmpty && seen.insert($0).inserted }
        }
        return Found(
            endpoints: urls(members.flatMap(\.clientURLs)),
            peers: urls(members.flatMap(\.peerURLs)).sorted())
    }

    private func remember(_ peers: [EndpointURL]) {
        guard !peers.isEmpty else { return }
        defer { save() }
        guard peers != learnt.sorted() else { return }
        if learnt.isEmpty {
            log.notice("proxy: peer urls of the cluster are \(Self.list(peers))")
        } else {
            log.notice(
                "proxy: updated peer urls in cluster file from \(Self.list(learnt)) to \(Self.list(peers))"
            )
        }
        learnt = peers
    }

    /// One after the other, so that no list overtakes a later one.
    private func save() {
        guard let directory, !isSaving, learnt != saved else { return }
        let peers = learnt
        isSaving = true
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try directory.save(peers) }
            .assumeIsolated().whenComplete { [weak self] result in
                guard let self else { return }
                self.isSaving = false
                switch result {
                case .success:
                    self.saved = peers
                    self.save()
                case .failure(let error):
                    // Tried again with the next answer.
                    self.log.warning("proxy: error on writing urls: \(error)")
                }
            }
    }

    private static func list(_ urls: [EndpointURL]) -> String {
        "[\(urls.map(\.description).joined(separator: " "))]"
    }
}
