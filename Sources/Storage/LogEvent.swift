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
    /// The next segment, or the reserve, could not be made ahead; it will be tried again, and the log is
    /// given up only if the next segment still cannot be made when it is needed. Said once, until one
    /// could be made.
    case segmentNotPrepared(StorageError)
    /// The disk is full. There may be a reserve still: refuse writes and hand over leadership
    /// now. Said once, until `.spaceIsBack`.
    case outOfSpace(StorageError)
    /// The log has room again, the next segment and the reserve included.
    case spaceIsBack
}
