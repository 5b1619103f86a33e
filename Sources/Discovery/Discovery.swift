/// How the members of a new cluster find each other, and the service that helps them.
///
///     --discovery URL       DiscoveryClient ── HTTP ──▶ the token's keys on some other cluster
///                            └─ DiscoveryJoin           what to ask, when to wait, when to give up
///     --discovery-srv NAME  SRVDiscovery ──▶ DNSResolver ── UDP, TCP ──▶ DNS
///                                             └─ DNSMessage
///     kvd discovery         DiscoveryService            the other side: tokens made, shown, kept
///
/// The first two end in an `InitialCluster`, from which a member starts exactly as from
/// `--initial-cluster`. They run once, before there is a log, on the thread that starts the
/// server. All that is decided is decided in values without I/O (`DiscoveryJoin`, `DNSMessage`,
/// `DNSQuestion`, `TokenRoute`); the rest carries it out.
///
/// `DiscoveryService` is a `Site` of the client port: it maps `/TOKEN/…` onto the keys below
/// `/_etcd/registry/TOKEN` of the member that serves it, so tokens are replicated, snapshotted and
/// expire like any other key.
///
/// Sources: `reference/discovery.md`; for DNS RFC 1035, 2782 and 5452.
package enum Discovery {
    /// The label of the log lines, as etcd's.
    package static let logLabel = "discovery"
    /// Where the tokens of the public service lie, by convention.
    package static let registryPath = "/_etcd/registry"
}
