/// Who is in a cluster and where: ids, URLs, members, versions; and how etcd 2.x writes them down.
///
/// Pure values and functions, no I/O (`HostResolver` is the one exception: it asks the system's
/// resolver, and is handed in as a closure).
///
/// Data flow at a first start: `Configuration` parses flags into `EndpointURL`s and an
/// `InitialCluster`; that makes the `Member`s with their ids (`MemberID.init(peerURLs:token:)`),
/// checks them, and gives the bootstrap entries that every member writes alike. While running,
/// `KVServer` keeps one `Membership`, asks it whether a conf change is allowed, applies it, and
/// writes the same facts as JSON (`MemberJSON`) to the paths of `StorePath`. The peer port answers
/// and reads `/members` with the same JSON. `ClusterVersion` decides what the members' versions
/// mean for `/0/version` and for what is switched on (`Capability`).
///
/// Sources of every format: `reference/disk-format.md` §4 and §5, `reference/peer-protocol.md` §2,
/// §3, §6 and §7, `reference/client-api.md` §8, `reference/cli.md` §3.
package enum Cluster {
    /// The cluster token when no flag gives one.
    package static let defaultToken = "etcd-cluster"
}
