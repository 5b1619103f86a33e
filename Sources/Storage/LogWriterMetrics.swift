public import Metrics

/// What a `LogWriter` has done so far. A copy; asking for it costs one lock.
public struct LogWriterMetrics: Equatable, Sendable {
    /// A write and sync that takes longer is slow: worth a warning, and counted.
    public static let slowSync = Duration.milliseconds(100)

    /// fdatasync calls made for batches.
    public var syncCount: UInt64 = 0
    /// Batches of any kind that were submitted, and entries in them.
    public var batchCount: UInt64 = 0
    public var entryCount: UInt64 = 0
    /// Group commits: batches taken together.
    public var groupCount: UInt64 = 0
    /// The most batches that one group had.
    public var groupBatchesMax = 0
    public var segmentCount: UInt64 = 0
    /// How long syncs and their writes took. The bounds of etcd's `wal_fsync_durations_seconds`,
    /// which double from 1 ms to 8 s, with finer ones below.
    public var syncDurations = DurationHistogram(firstNanoseconds: 62_500, boundsCount: 18)
    public var syncsByDuration: [UInt64] { syncDurations.counts }
    public var lastSync = Duration.zero
    public var slowestSync = Duration.zero
    public var slowSyncCount: UInt64 = 0
    /// Segments that were released: kept to be overwritten, or gone.
    public var recycledCount: UInt64 = 0
    public var removedCount: UInt64 = 0
    /// Segments that were archived, and tries at it that failed.
    public var archivedCount: UInt64 = 0
    public var archiveFailureCount: UInt64 = 0
    /// Whether the disk is full, since `.outOfSpace` and until `.spaceIsBack`.
    public var isOutOfSpace = false

    public init() {}

    mutating func recordSync(_ duration: Duration) {
        syncCount += 1
        lastSync = duration
        slowestSync = max(slowestSync, duration)
        let (seconds, attoseconds) = duration.components
        syncDurations.record(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
