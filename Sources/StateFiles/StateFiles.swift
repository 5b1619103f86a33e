/// States in files: where `State` (what entries add up to) and `Storage` (what a data dir holds) meet.
///
///     file ─▶ SnapshotReader ─▶ StateImage.read     kvd's: every byte checked, the keys hashed anew
///     file ─▶ EtcdSnapshot.decode                   etcd's
///     SnapshotLoader                                either, of a member's own dir, by its name
///     StateImage ─▶ SnapshotStream ─▶ bytes         for a socket, or a file of any name
///
/// The server and `kvd-dump` both read and write snapshots with these. Nothing here writes into a
/// data dir.
package enum StateFiles {}
