/// Every flag of the server. Source: `reference/cli.md` §2.
enum FlagTable {
    /// The flag called `name` (without dashes), or nil.
    static func flag(_ name: String) -> FlagDefinition? { byName[name] }

    private static let byName = Dictionary(
        uniqueKeysWithValues: all.map { ($0.name, $0) })

    static let defaultName = "default"
    static let defaultInitialCluster =
        "default=http://localhost:2380,default=http://localhost:7001"
    static let defaultPeerURLs = "http://localhost:2380,http://localhost:7001"
    static let defaultClientURLs = "http://localhost:2379,http://localhost:4001"

    private static let anyNumber: FlagDefinition.Kind = .unsigned(0...UInt64.max)

    static let all =
        member + clustering + proxy + security + other + ownFlags + discoveryService
        + oldAddresses + withdrawn + ignored

    private static let member: [FlagDefinition] = [
        .init("name", .text, default: defaultName, .member, "This member's name."),
        .init(
            "data-dir", .text, .member,
            "Where its data is kept. Without it: NAME.etcd in the working directory."),
        .init(
            "wal-dir", .text, .member, since: "2.1",
            "A directory of its own for the write-ahead log. Without it: inside data-dir."),
        .init(
            "snapshot-count", anyNumber, default: "10000", .member,
            "Log entries after which a snapshot is taken; 0 means the default."),
        .init(
            "heartbeat-interval", anyNumber, default: "100", .member,
            "Milliseconds between a leader's heartbeats."),
        .init(
            "election-timeout", anyNumber, default: "1000", .member,
            "Milliseconds without a leader after which an election starts."),
        .init(
            "listen-peer-urls", .urls, default: defaultPeerURLs, .member,
            "Where to listen for other members."),
        .init(
            "listen-client-urls", .urls, default: defaultClientURLs, .member,
            "Where to listen for clients."),
        .init(
            "max-snapshots", anyNumber, default: "5", .member,
            "Snapshot files to keep; 0 keeps all."),
        .init("max-wals", anyNumber, default: "5", .member, "Log segments to keep; 0 keeps all."),
        .init("cors", .origins, .member, "Origins allowed to call from browsers, or *."),
    ]

    private static let clustering: [FlagDefinition] = [
        .init(
            "initial-advertise-peer-urls", .urls, default: defaultPeerURLs, .clustering,
            "The peer URLs that the other members reach this one by."),
        .init(
            "initial-cluster", .text, default: defaultInitialCluster, .clustering,
            "The first members, NAME=URL,…; a name may come several times."),
        .init(
            "initial-cluster-state", .choice(["new", "existing"]), default: "new", .clustering,
            "Whether the cluster is being formed or this member was added to a running one."),
        .init(
            "initial-cluster-token", .text, default: "etcd-cluster", .clustering,
            "Keeps clusters apart that are formed with the same URLs."),
        .init(
            "advertise-client-urls", .urls, default: defaultClientURLs, .clustering,
            "The client URLs that the rest of the world reaches this member by."),
        .init("discovery", .text, .clustering, "The discovery URL, its token included."),
        .init(
            "discovery-fallback", .choice(["exit", "proxy"]), default: "proxy", .clustering,
            "What to do when the discovered cluster is already full."),
        .init("discovery-proxy", .text, .clustering, "An HTTP proxy on the way to discovery."),
        .init("discovery-srv", .text, .clustering, "A DNS domain whose SRV records name members."),
        .init(
            "dns-server", .text, .clustering, since: "kvd 0.1",
            "HOST[:PORT] of the DNS server to ask for them, instead of those of resolv.conf."),
        .init(
            "strict-reconfig-check", .boolean, default: "true", .clustering, since: "2.2",
            "Refuses changes of the membership that would cost the quorum (etcd: only if set)."),
    ]

    private static let proxy: [FlagDefinition] = [
        .init(
            "proxy", .choice(["off", "readonly", "on"]), default: "off", .proxy,
            "Runs as a proxy of the cluster instead of as a member."),
        .init(
            "proxy-failure-wait", anyNumber, default: "5000", .proxy, since: "2.1",
            "Milliseconds for which a failed endpoint is left alone."),
        .init(
            "proxy-refresh-interval", anyNumber, default: "30000", .proxy, since: "2.1",
            "Milliseconds between refreshes of the endpoint list."),
        .init(
            "proxy-dial-timeout", anyNumber, default: "1000", .proxy, since: "2.1",
            "Milliseconds that connecting to an endpoint may take; 0 means no limit."),
        .init(
            "proxy-write-timeout", anyNumber, default: "5000", .proxy, since: "2.1",
            "Milliseconds that writing to an endpoint may take; 0 means no limit."),
        .init(
            "proxy-read-timeout", anyNumber, default: "0", .proxy, since: "2.1",
            "Milliseconds that an endpoint's answer may take; 0 means no limit."),
    ]

    private static let security: [FlagDefinition] = [
        .init("cert-file", .text, .security, "Certificate for the client port (PEM)."),
        .init("key-file", .text, .security, "Its private key (PEM)."),
        .init(
            "client-cert-auth", .boolean, default: "false", .security, since: "2.1",
            "Takes only clients with a certificate of the trusted CA."),
        .init("trusted-ca-file", .text, .security, since: "2.1", "The CA of clients (PEM)."),
        .init(
            "ca-file", .text, .security,
            "Deprecated: trusted-ca-file and client-cert-auth in one."),
        .init(
            "auto-tls", .boolean, default: "false", .security, since: "3.0",
            "Makes a certificate for the client port where none is given. It proves nothing."),
        .init("peer-cert-file", .text, .security, "Certificate for the peer port (PEM)."),
        .init("peer-key-file", .text, .security, "Its private key (PEM)."),
        .init(
            "peer-client-cert-auth", .boolean, default: "false", .security, since: "2.1",
            "Takes only peers with a certificate of the trusted CA."),
        .init("peer-trusted-ca-file", .text, .security, since: "2.1", "The CA of peers (PEM)."),
        .init(
            "peer-ca-file", .text, .security,
            "Deprecated: peer-trusted-ca-file and peer-client-cert-auth in one."),
        .init(
            "peer-auto-tls", .boolean, default: "false", .security, since: "3.0",
            "As auto-tls, for the peer port; certificates of other members are not verified then."),
    ]

    private static let other: [FlagDefinition] = [
        .init(
            "debug", .boolean, default: "false", .logging, since: "2.1",
            "Logs at level DEBUG."),
        .init(
            "log-package-levels", .text, .logging, since: "2.1",
            "Levels of single packages, such as etcdserver=DEBUG,raft=WARNING."),
        .init(
            "force-new-cluster", .boolean, default: "false", .unsafe,
            "Restarts from this member's data as a cluster of one. Drops all other members."),
        .init(
            "enable-pprof", .boolean, default: "false", .experimental, since: "2.3",
            "etcd's profiling pages below /debug/pprof; kvd has none."),
        .init(
            "experimental-v3demo", .boolean, default: "false", .experimental, since: "2.3",
            "etcd's v3 preview; kvd has none."),
        .init(
            "experimental-gRPC-addr", .text, default: "127.0.0.1:2378", .experimental,
            since: "2.3", "Part of the v3 preview; without effect."),
        .init(
            "experimental-auto-compaction-retention", anyNumber, default: "0", .experimental,
            since: "2.3", "Part of the v3 preview; without effect."),
        .init("version", .boolean, default: "false", .information, "Prints versions and exits."),
    ]

    private static let ownFlags: [FlagDefinition] = [
        .init(
            "check", .boolean, default: "false", .own, since: "kvd 0.1",
            "Says what is wrong with flags and environment, all of it, and exits: 0 if nothing is."),
        .init(
            "interface", .text, .own, since: "kvd 0.1",
            "The interface whose address $private_ipv4 and $public_ipv4 stand for, in URLs, where "
                + "COREOS_PRIVATE_IPV4 and COREOS_PUBLIC_IPV4 are not set. Without it: the one that "
                + "the default route leaves by."),
        .init(
            "history-events", .unsigned(1...UInt64(UInt32.max)), default: "100000", .own,
            since: "kvd 0.1", "Events kept for watchers that come back late (etcd keeps 1000)."),
        .init(
            "max-request-bytes", .unsigned(1024...1 << 27), default: "10485760", .own,
            since: "kvd 0.1", "The most bytes of a request's form."),
        .init(
            "max-key-bytes", .unsigned(1...1 << 16), default: "32768", .own, since: "kvd 0.1",
            "The most bytes of a key that is written or watched."),
        .init(
            "max-connections", .unsigned(0...1 << 20), default: "0", .own, since: "kvd 0.1",
            "Client connections at a time; 0: as many as the limit of open files allows."),
        .init(
            "max-watchers", anyNumber, default: "0", .own, since: "kvd 0.1",
            "Watches at a time; 0: one for each connection."),
        .init(
            "snapshot-bytes", .unsigned(1 << 16...UInt64(Int64.max)), default: "67108864", .own,
            since: "kvd 0.1",
            "Bytes of log after which a snapshot is taken even before snapshot-count entries."),
        .init(
            "verify-every", anyNumber, default: "10000", .own, since: "kvd 0.1",
            "Log entries between comparisons of the members' content hashes; 0: never."),
        .init(
            "scrub-interval", anyNumber, default: "86400", .own, since: "kvd 0.1",
            "Seconds between re-readings of all closed files of the data dir; 0: never."),
        .init(
            "wal-archive", .text, .own, since: "kvd 0.1",
            "A directory that keeps every closed log segment, compressed, for restores in time."),
        .init(
            "rejoin", .boolean, default: "false", .own, since: "kvd 0.1",
            "Starts a member whose log is damaged: what is intact is kept, the rest fetched from "
                + "its peers. It does not vote before it has everything."),
    ]

    private static let discoveryService: [FlagDefinition] = [
        .init(
            "token-ttl", anyNumber, default: "604800", .service, since: "kvd 0.1",
            "Seconds after which a token is forgotten unless its cluster is complete; 0: never."),
        .init(
            "advertise-url", .text, .service, since: "kvd 0.1",
            "What stands before the token in an answer to /new. Without it: the host that the "
                + "client asked."),
    ]

    private static let oldAddresses: [FlagDefinition] = [
        .init(
            "addr", .oldAddress(for: "advertise-client-urls"), .old,
            "IP:PORT; use advertise-client-urls."),
        .init(
            "bind-addr", .oldAddress(for: "listen-client-urls"), .old,
            "IP:PORT; use listen-client-urls."),
        .init(
            "peer-addr", .oldAddress(for: "initial-advertise-peer-urls"), .old,
            "IP:PORT; use initial-advertise-peer-urls."),
        .init(
            "peer-bind-addr", .oldAddress(for: "listen-peer-urls"), .old,
            "IP:PORT; use listen-peer-urls."),
    ]

    private static let withdrawn: [FlagDefinition] = ["peers", "peers-file"].map { name in
        .init(name, .withdrawn, .old, since: "0.4", "An error; use initial-cluster.")
    }

    private static let ignored: [FlagDefinition] = [
        "cluster-active-size", "cluster-remove-delay", "cluster-sync-interval", "config", "force",
        "max-result-buffer", "max-retry-attempts", "peer-heartbeat-interval",
        "peer-election-timeout", "retry-interval", "snapshot", "v", "vv",
    ].map { name in
        .init(name, .ignored, .old, since: "0.4", "Ignored, with a warning.")
    }
}
