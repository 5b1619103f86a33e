/// A member's data dir: its lock, its write-ahead log, and what a restart reads from them.
///
///     DataDirectory   member/LOCK, member/wal, member/snap, member/mark: made, checked, locked
///     WAL             the log's writer: synchronous, one thread, so a simulator can drive it
///     LogWriter       the one thread of a server that owns its WAL and commits in groups
///     LogReader       reads a log, verifies every byte of it, tells a torn tail from damage
///     LogScan         visits a log's records one by one, of any length, behind damage too
///     LogArchive      closed segments, compressed, kept for good; ArchivedLog reads them again
///     CommitMark      what this member had applied, kept where `kill -9` cannot take it
///     VoteRecord      what this member promised last, kept apart from the log
///
/// Data flow, writing: the engine submits `LogBatch`es; the writer thread takes all that are
/// queued, encodes their entries straight into one buffer (`BatchBuffer`), and makes one write
/// and one fdatasync of it; one call then tells the engine up to which batch all is durable.
///
/// Data flow, segments: a thread beside the writer's (`SegmentKeeper`) makes the next segment and
/// a reserve ahead, and takes out those that `LogWriter.release` gave free, to be overwritten as
/// the next ones; another archives what was closed. What they do are values (`SegmentPreparation`,
/// `SegmentRelease`, `SegmentArchiving`) that `WAL` gives out and whose outcome goes back to it,
/// so that a simulator can carry them out too, whenever it likes.
///
///     prepared ──▶ written ──▶ closed ──▶ archived ──▶ released ──▶ recycled ──▶ prepared
///                                                              └──▶ removed
///
/// Data flow, starting: `DataDirectory.open` locks the dir, `WAL.recover` reads the log behind a
/// snapshot's index into a `RecoveredLog` and opens it for appending, and `CommitMark.open` says
/// how far this member had been.
///
/// Files, each of one concern: `WALFormat`, `WALMarker` and `WALFrame` know the bytes; `WAL` and
/// `WAL+Segments` the rotation; `SegmentScanner`, `Verdict`, `LogReplay` and `LogReader` the
/// reading.
///
/// All of it is generic over `StorageIO.FileStorage`: nothing here calls the system.
public enum StorageDefaults {
    /// Size at which a segment is full, etcd's own.
    public static let segmentBytes = 64_000_000
}
