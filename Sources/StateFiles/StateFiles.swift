/// States in files: where `State` (what entries add up to) and `Storage` (what a data dir holds) meet.
///
///     file ─▶ SnapshotReader ─▶ StateImage.read     kvd's: every byte checked, the keys hashed anew
///     file ─▶ EtcdSnapshot.decode                   etcd's
///     SnapshotLoader                                either, of a member's own dir, by its name
///     StateImage ─▶ SnapshotStream ─▶ bytes         for a socket, or a file of any name
///     StateImage ─▶ SnapshotSave ─▶ file            a snapshot of a member's own, in the background
///     data dir ─▶ Recovery                          a member's start: snapshot, log, vote, mark
///     damaged data dir ─▶ Salvage                   what is left of it, for a member that rejoins
///
/// The server, `kvd-dump` and the simulator share these. Only `Recovery` and `Salvage` write into a
/// data dir, on any `FileStorage`.
package enum StateFiles {}
