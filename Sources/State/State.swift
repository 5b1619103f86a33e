/// What a member's log adds up to: entries in, store and membership out; and how that is written
/// into a snapshot and read back.
///
///     committed entry ─▶ MemberState.apply ─▶ Applied      what came of it, for whoever asked
///                          ├─ Store          the keys
///                          ├─ Membership     who is a member; also in the store, below /0
///                          └─ ClusterClock   by which keys expire
///
///     MemberState.image ─▶ StateImage ─▶ StateEncoder ─▶ bytes of a snapshot      any thread
///     bytes ─▶ StateDecoder ─▶ StateImage ─▶ MemberState.restore
///     etcd's .snap, or the store's JSON in its messages ─▶ EtcdSnapshot ─▶ StateImage
///
/// Deterministic: the same entries give the same state on every member and in every tool. No I/O,
/// no logging, no Raft: `KVServer` applies what Raft commits, `kvd-dump` what it finds in a log.
package enum State {}
