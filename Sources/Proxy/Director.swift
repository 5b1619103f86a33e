internal import Cluster

/// The client URLs of a cluster's members, in the order in which a request tries them.
///
/// All requests go to the first for as long as it works: a client that writes through the proxy and
/// then reads, reads from the member that has its write. One that fails goes to the end, and rests.
/// When all rest, each may be tried again after a shorter rest, so that a member that is restarted
/// is found soon after.
///
/// A value; times are monotonic nanoseconds.
struct Director {
    struct Failure: Equatable {
        var at: Int64
        var problem: String
    }

    struct Endpoint: Equatable {
        let url: EndpointURL
        /// Until the endpoint is found to work again.
        var failure: Failure?
    }

    private(set) var endpoints: [Endpoint] = []
    private let failureWait: Int64
    /// The rest of one endpoint while nobody else can be tried.
    private let shortWait: Int64

    static let shortWaitMax: Int64 = 250_000_000

    init(failureWait: Int64) {
        precondition(failureWait >= 0, "a rest is not negative")
        self.failureWait = failureWait
        shortWait = min(failureWait, Self.shortWaitMax)
    }

    var urls: [EndpointURL] { endpoints.map(\.url) }

    /// Takes the list that the cluster tells. What is known keeps its place and its rest; what is new
    /// comes behind it, in the order of `new`.
    ///
    /// Returns whether other endpoints are known now than before.
    mutating func update(_ new: [EndpointURL]) -> Bool {
        let kept = endpoints.filter { new.contains($0.url) }
        var all = kept
        for url in new where !all.contains(where: { $0.url == url }) {
            all.append(Endpoint(url: url, failure: nil))
        }
        let isChanged = all.count != endpoints.count || all.count != kept.count
        endpoints = all
        return isChanged
    }

    /// Whom a request may try now, in order.
    func candidates(now: Int64) -> [EndpointURL] {
        let rested = urls(restedFor: failureWait, now: now)
        return rested.isEmpty ? urls(restedFor: shortWait, now: now) : rested
    }

    /// Those that do not rest: what etcd's `/v2/config/local/proxy` shows.
    func available(now: Int64) -> [EndpointURL] { urls(restedFor: failureWait, now: now) }

    private func urls(restedFor wait: Int64, now: Int64) -> [EndpointURL] {
        endpoints.filter { endpoint in
            endpoint.failure.map { now - $0.at >= wait } ?? true
        }.map(\.url)
    }

    mutating func failed(_ url: EndpointURL, _ problem: String, now: Int64) {
        guard let position = endpoints.firstIndex(where: { $0.url == url }) else { return }
        var endpoint = endpoints.remove(at: position)
        endpoint.failure = Failure(at: now, problem: problem)
        endpoints.append(endpoint)
    }

    mutating func worked(_ url: EndpointURL) {
        guard let position = endpoints.firstIndex(where: { $0.url == url }),
            endpoints[position].failure != nil
        else { return }
        endpoints[position].failure = nil
    }
}
