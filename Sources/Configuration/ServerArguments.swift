internal import ArgumentParser
internal import Cluster

/// Every setting, typed, as swift-argument-parser reads it from the canonical words.
///
/// Its input is `FlagValues.canonicalArguments`, all settings with their defaults filled in and
/// each value checked against `FlagTable`, so nothing is optional here and nothing can fail but
/// for a disagreement with the table, which a test would show. The parser takes `--name=` for a
/// missing value: empty texts are left out of the input, hence the defaults here.
struct ServerArguments: ParsableArguments {
    @Option var name: String = ""
    @Option var dataDir: String = ""
    @Option var walDir: String = ""
    @Option var snapshotCount: UInt64
    @Option var heartbeatInterval: Milliseconds
    @Option var electionTimeout: Milliseconds
    @Option var listenPeerUrls: URLList
    @Option var listenClientUrls: URLList
    @Option var maxSnapshots: UInt64
    @Option var maxWals: UInt64
    @Option var cors = AllowedOrigins.none

    @Option var initialAdvertisePeerUrls: URLList
    @Option var initialCluster: String = ""
    @Option var initialClusterState: ClusterState
    @Option var initialClusterToken: String = ""
    @Option var advertiseClientUrls: URLList
    @Option var discovery: String = ""
    @Option var discoveryFallback: DiscoveryFallback
    @Option var discoveryProxy: String = ""
    @Option var discoverySrv: String = ""
    @Option var dnsServer: String = ""
    @Option var strictReconfigCheck: Bool

    @Option var proxy: ProxyMode
    @Option var proxyFailureWait: Milliseconds
    @Option var proxyRefreshInterval: Milliseconds
    @Option var proxyDialTimeout: Milliseconds
    @Option var proxyWriteTimeout: Milliseconds
    @Option var proxyReadTimeout: Milliseconds

    @Option var certFile: String = ""
    @Option var keyFile: String = ""
    @Option var clientCertAuth: Bool
    @Option var trustedCaFile: String = ""
    @Option var caFile: String = ""
    @Option var autoTls: Bool
    @Option var peerCertFile: String = ""
    @Option var peerKeyFile: String = ""
    @Option var peerClientCertAuth: Bool
    @Option var peerTrustedCaFile: String = ""
    @Option var peerCaFile: String = ""
    @Option var peerAutoTls: Bool

    @Option var debug: Bool
    @Option var logPackageLevels: String = ""
    @Option var forceNewCluster: Bool
    @Option var enablePprof: Bool
    @Option(name: .customLong("experimental-v3demo")) var experimentalV3Demo: Bool
    @Option(name: .customLong("experimental-gRPC-addr")) var experimentalGRPCAddress: String = ""
    @Option var experimentalAutoCompactionRetention: UInt64

    @Option var check: Bool
    @Option var historyEvents: UInt64
    @Option var maxRequestBytes: UInt64
    @Option var maxKeyBytes: UInt64
    @Option var maxConnections: UInt64
    @Option var maxWatchers: UInt64
    @Option var snapshotBytes: UInt64
    @Option var verifyEvery: UInt64
    @Option var scrubInterval: UInt64
    @Option var walArchive: String = ""
    @Option var rejoin: Bool

    @Option var tokenTtl: UInt64
    @Option var advertiseUrl: String = ""

    /// Reads `--name=value` words, one for every property that is not empty. Traps when the table has given too
    /// few, too many or others: a programmer's error, met at the very first start.
    static func read(canonical words: [String]) -> ServerArguments {
        do {
            return try parse(words)
        } catch {
            preconditionFailure("FlagTable and ServerArguments disagree: \(message(for: error))")
        }
    }
}

/// A span of time given as a number of milliseconds.
struct Milliseconds: ExpressibleByArgument {
    /// A century: beyond it a timeout is as good as none, and `Duration` would overflow in sums.
    static let maximum: UInt64 = 100 * 365 * 24 * 3600 * 1000

    let count: UInt64

    init?(argument: String) {
        guard let count = UInt64(argument) else { return nil }
        self.count = min(count, Self.maximum)
    }

    var duration: Duration { .milliseconds(Int64(count)) }

    /// As a limit: zero is none.
    var limit: Duration? { count == 0 ? nil : duration }
}

/// A comma list of URLs, sorted.
struct URLList: ExpressibleByArgument {
    let urls: [EndpointURL]

    init?(argument: String) {
        guard let urls = try? EndpointURL.list(argument) else { return nil }
        self.urls = urls
    }
}

extension AllowedOrigins: ExpressibleByArgument {
    package init?(argument: String) {
        guard let origins = try? AllowedOrigins(parsing: argument) else { return nil }
        self = origins
    }
}

extension ClusterState: ExpressibleByArgument {}
extension DiscoveryFallback: ExpressibleByArgument {}
extension ProxyMode: ExpressibleByArgument {}
