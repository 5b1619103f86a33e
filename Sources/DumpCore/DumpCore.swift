/// What `kvd-dump` does, without its flags: a member's files looked into, checked, copied, restored.
///
///     MemberFiles      which files of a member a path names: its data dir, member dir or log
///     LogDump          `wal`: each record a line, and what they add up to
///     Verification     `verify`: each file ok, or what is wrong in it and where
///     MemberReport     `stat`: whose files, how far they go, what a start would do
///     SnapshotDump     `snap`: a snapshot's header, figures and keys
///     StoreDump        `store`: the store at the end of the committed log, or at some moment in it
///     Backup           `backup`: that store as one snapshot file
///     Restoration      `restore`: the data dir of a new cluster's member, from a backup or a log
///     EtcdExport       `export`: a data dir that etcd 2.3 opens
///
/// Data flow: `MemberFiles` finds the files; `LogScan` visits the log's records; `DecodedRecord`
/// says what one holds; `LogDump` writes it to an `Output`. For a store, `StateSource` loads the
/// newest suitable snapshot and has `LogFollower` apply what the log behind it committed.
///
/// Nothing here writes to the files it looks at, takes their lock or needs them to be at rest: a
/// server may be running on them. `Backup`, `Restoration` and `EtcdExport` write, elsewhere, and
/// only what is durable has its name there.
///
/// Every command returns whether all was well (exit status 0 or 1) or throws `DumpError`.
package enum DumpCore {}
