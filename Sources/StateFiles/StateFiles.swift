/// States in files: where `State` (what entries add up to) and `Storage` (what a data dir holds) meet.
///
///     SnapshotLoader    a snapshot file, kvd's or etcd's, into a `StateImage`, everything checked
///     StateReplay       the state of a member at any moment that its snapshots and log still have
///
/// The server starts with the first; `kvd-dump` looks, copies and restores with both. Nothing here
/// writes into a data dir.
package enum StateFiles {}
