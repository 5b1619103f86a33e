/// What a `LogWriter` has done so far. A copy; asking for it costs one lock.
public struct LogWriterMetrics: Equatable, Sendable {
    /// Upper bounds of the histogram's buckets in seconds, doubling from 1 ms as etcd's
    /// `wal_fsync_durations_seconds` does, with finer ones below it; one more bucket above all.
    public static let boundsSeconds: [Double] = [
        0.000_062_5, 0.000_125, 0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032,
        0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192,
    ]

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
    /// Syncs by how long they and their write took; one bucket more than there are bounds.
    public var syncsByDuration = [UInt64](repeating: 0, count: boundsSeconds.count + 1)
    public var syncTotal = Duration.zero
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
        syncTotal += duration
        lastSync = duration
        slowestSync = max(slowestSync, duration)
        let (seconds, attoseconds) = duration.components
        let value = Double(seconds) + Double(attoseconds) / 1e18
        let bucket =
            Self.boundsSeconds.firstIndex { value <= $0 } ?? Self.boundsSeconds.count
        syncsByDuration[bucket] += 1
    }
}
