public import StorageIO

/// What happens to a log that the operator or the engine should know of, and that is no failure.
public enum LogEvent: Equatable, Sendable {
    /// A write and its sync took longer than `LogWriterMetrics.slowSync`.
    case slowSync(Duration, bytes: Int)
    /// Names of segments.
    case segmentRemoved(String)
    case segmentRecycled(String)
    case segmentArchived(String, bytes: Int)
    /// What went wrong; it will be tried again.
    case archiveFailed(String)
    /// The disk is full. There may be a reserve still: refuse writes and hand over leadership
    /// now. Said once, until `.spaceIsBack`.
    case outOfSpace(StorageError)
    /// The log has room again, the next segment and the reserve included.
    case spaceIsBack
}
