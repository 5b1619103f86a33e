package import Cluster

/// Everything a server is told at its start, checked and typed.
package struct ServerConfiguration: Equatable, Sendable {
    package var name: String
    /// Never empty: without `--data-dir` it is `NAME.etcd`, relative to the working directory.
    package var dataDirectory: String
    package var isDataDirectoryDefault: Bool
    /// Nil: inside the data directory.
    package var walDirectory: String?
    /// Entries between snapshots; at least 1.
    package var snapshotEntryCount: UInt64
    package var heartbeatInterval: Duration
    /// As given; etcd's unit of it is the tick, see `electionTicks`.
    package var electionTimeout: Duration
    /// Election timeout in heartbeats, rounded down; at least 5.
    package var electionTicks: Int
    package var listenPeerURLs: [EndpointURL]
    package var listenClientURLs: [EndpointURL]
    /// Files to keep; 0 keeps all.
    package var snapshotFilesMax: Int
    /// Files to keep; 0 keeps all.
    package var walFilesMax: Int
    package var allowedOrigins: AllowedOrigins
    /// Events kept for late watchers.
    package var historyEventsCount: Int
    /// `--max-request-bytes`
    package var requestBytesMax: Int
    package var keyBytesMax: Int
    /// Nil: as many as there can be.
    package var connectionsMax: Int?
    package var watchersMax: Int?
    /// Bytes of log after which a snapshot is taken, however few entries they are.
    package var snapshotLogBytes: Int
    /// Entries between comparisons of content hashes; 0: never.
    package var verifyEntryCount: UInt64
    /// Nil: never.
    package var scrubInterval: Duration?
    /// Nil: closed segments are not kept.
    package var walArchiveDirectory: String?
    package var rejoins: Bool

    package var advertisedPeerURLs: [EndpointURL]
    package var advertisedClientURLs: [EndpointURL]
    package var bootstrap: BootstrapSource
    package var initialClusterState: ClusterState
    package var initialClusterToken: String
    /// What discovery or DNS has found, once it has.
    package var discovered: InitialCluster?
    package var discoveryFallback: DiscoveryFallback
    /// Nil: none.
    package var discoveryProxy: String?
    /// `HOST[:PORT]`; nil: those of the system.
    package var dnsServer: String?
    package var refusesUnsafeReconfiguration: Bool
    package var forcesNewCluster: Bool

    /// Nil: a member as any other.
    package var discoveryService: DiscoveryServiceSettings?
    package var proxy: ProxySettings
    package var clientTLS: TLSSettings
    package var peerTLS: TLSSettings

    package var isDebugLogging: Bool
    /// `--log-package-levels` as given, possibly empty; not checked, as etcd only warns.
    package var logPackageLevels: String
    package var enablesProfiling: Bool
    package var enablesV3Preview: Bool

    /// `--check`: say what is wrong, and start nothing.
    package var isCheckOnly: Bool

    /// Names of the flags set on the command line or in the environment.
    package var setFlags: Set<String>
    /// Of those that the environment set, the variables that did.
    package var settingVariables: [String: String] = [:]
    /// Those of `AddressPlaceholders` that have no value on this machine.
    package var emptyAddressVariables: [String] = []
    /// This machine's address as far as it is known, to be shown in corrected lines.
    package var exampleAddress = "THIS-HOST"
    /// Lines found while reading flags and environment, in order, to be logged first.
    package var notes: [ConfigurationNote]
}

/// Where the first members come from.
package enum BootstrapSource: Equatable, Sendable {
    case cluster(InitialCluster)
    /// The discovery URL, its token included.
    case discovery(String)
    /// The DNS domain.
    case dns(String)
}

package enum ClusterState: String, Sendable {
    case new
    case existing
}

package enum DiscoveryFallback: String, Sendable {
    case exit
    case proxy
}

package enum ProxyMode: String, Sendable {
    case off
    case readOnly = "readonly"
    case on
}

package struct ProxySettings: Equatable, Sendable {
    package var mode: ProxyMode
    /// For which a failed endpoint is left alone.
    package var failureWait: Duration
    package var refreshInterval: Duration
    /// Nil: no limit.
    package var dialTimeout: Duration?
    /// Nil: no limit.
    package var writeTimeout: Duration?
    /// Nil: no limit.
    package var readTimeout: Duration?
}

/// Certificate files of one port; nil where none was given.
package struct TLSSettings: Equatable, Sendable {
    package var certificateFile: String?
    package var keyFile: String?
    /// `trusted-ca-file`, and the deprecated `ca-file`.
    package var trustedCAFiles: [String]
    package var requiresClientCertificate: Bool
    /// `auto-tls`; certificate files that are given go before it.
    package var isAutomatic: Bool

    /// Whether anything was asked for.
    package var isUsed: Bool {
        certificateFile != nil || keyFile != nil || !trustedCAFiles.isEmpty
            || requiresClientCertificate || isAutomatic
    }
}
