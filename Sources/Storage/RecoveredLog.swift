public import RaftModel

/// What a log says, as `LogReader` read and verified it.
public struct RecoveredLog: Sendable {
    public var metadata: WALMetadata
    /// The last one saved; `commit` is never past `lastIndex`, nor before the snapshot's index.
    public var hardState: HardState
    /// The entries after the snapshot's index, without a gap.
    public var entries: [Entry]
    /// The snapshots that the log names, in its order; the first is (0, 0).
    public var snapshots: [WALSnapshotRecord]
    /// Index and term of the last entry, or of the snapshot if no entry follows it.
    public var lastIndex: UInt64
    public var lastTerm: UInt64
    public var report: RecoveryReport
}

/// What a recovery did, for the lines it logs.
public struct RecoveryReport: Equatable, Sendable {
    /// What was cut off at the end of the log.
    public struct Cut: Equatable, Sendable {
        public var file: String
        public var offsetBytes: Int
        /// From there to the last byte that is not zero.
        public var bytes: Int
        public var reason: BadRecord
    }

    public enum Writer: Equatable, Sendable {
        /// Batches under sync markers.
        case kvd
        /// Plain frames.
        case etcd2
        /// Padded frames.
        case etcd3
    }

    /// Segments read.
    public var segmentCount = 0
    public var recordCount = 0
    /// Bytes of the frames read.
    public var bytes = 0
    /// Who wrote the last segment. A log that kvd took over from etcd is kvd's.
    public var writer = Writer.etcd2
    public var cut: Cut?
    /// The commit index that the log had, where it was past its last entry.
    public var commitPastEnd: UInt64?
    /// Whether the last thing in the log is a marker with nothing after it: nothing was cut, and
    /// nothing before it can have been lost unseen.
    public var endsWithMarker = false
    /// Names in the log's dir that are none of a segment.
    public var ignoredNames: [String] = []

    /// What is worth telling the operator, a sentence each.
    public func notes(lastIndex: UInt64) -> [String] {
        // Half-made segments are our own, and removed.
        var notes = ignoredNames.filter { !$0.hasTemporarySuffix }
            .map { "ignored file \($0) in wal" }
        if let cut {
            notes.append(
                "cut \(cut.bytes) bytes of an unfinished write off \(cut.file) at byte "
                    + "\(cut.offsetBytes) (\(cut.reason)); the log ends at index \(lastIndex)")
        }
        if let commitPastEnd {
            notes.append(
                "the log said committed up to \(commitPastEnd) but ends at index \(lastIndex)")
        }
        return notes
    }
}
