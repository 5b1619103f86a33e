/// What `kvd-dump` can do, without its command line: looking into data dirs, kvd's and etcd's, and
/// making backups, restores and exports of them.
///
///     DataDirFinder     what a path names: a data dir, one of its parts, or a single file
///     LogDump           `wal`: records, filtered, as text or JSON, and what they add up to
///     Verification      `verify`: every byte of every file
///     Statistics        `stat`: whose dir it is, and what a start would do
///     SnapshotDump      `snap`, `store`: what a snapshot or the whole dir holds
///     Backup, Restore, Export
///
/// Everything reads files that a running server may be writing, and writes none of them. Output goes
/// to an `Output`, so that tests see it. A `DumpError` says what is wrong and what to do; whether
/// anything was found to be damaged is what the functions return.
package enum DumpCore {}
