import RaftModel
public import StorageIO

/// Why a log cannot be read or written. Says what is wrong, where, and what the operator does.
public struct WALError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Equatable, Sendable {
        /// Data that was durable is not what was written.
        case corrupt(BadRecord)
        /// A segment that must be there, between others or behind the snapshot, is not.
        case missingSegment(sequence: UInt64)
        /// The dir has no segment at all.
        case noLog
        /// A segment of no bytes, or of zeros only.
        case emptySegment
        case indexGap(expected: UInt64, found: UInt64)
        case termWentBack(from: UInt64, to: UInt64)
        case noMetadata
        /// Two segments of one log say that they are of different members.
        case conflictingMetadata(first: WALMetadata, second: WALMetadata)
        /// The log is another member's or another cluster's.
        case wrongIDs(expected: WALMetadata, found: WALMetadata)
        /// The snapshot is newer than the log, or of another log.
        case snapshotNotInLog(index: UInt64, lastIndex: UInt64)
        /// The log was continued behind a snapshot that the reader did not start from.
        case missingSnapshot(index: UInt64, lastIndex: UInt64)
        case snapshotMismatch(index: UInt64, expectedTerm: UInt64, foundTerm: UInt64)
        /// `create` where there is a log already.
        case exists
        /// The log was closed.
        case closed
        /// A record over the bound. Nothing was written; the log is as it was.
        case tooLong(bytes: Int, limit: Int)
        /// An errno passed up. While writing: the log is closed and stays so.
        case storage(StorageError)
    }

    /// The call to the disk that failed, if that is what it is.
    public var storage: StorageError? {
        if case .storage(let error) = code { return error }
        return nil
    }

    public var code: Code
    public var file: String
    public var offsetBytes: Int
    /// Which record of its segment, from 1; 0 where that is not the point.
    public var recordNumber = 0
    /// First and last index of the entries in front of it that were read and are good.
    public var goodIndices: ClosedRange<UInt64>?

    public init(
        _ code: Code, file: String, offsetBytes: Int = 0, recordNumber: Int = 0,
        goodIndices: ClosedRange<UInt64>? = nil
    ) {
        self.code = code
        self.file = file
        self.offsetBytes = offsetBytes
        self.recordNumber = recordNumber
        self.goodIndices = goodIndices
    }

    /// Whether data that was written is damaged or gone: nothing that a retry can help.
    public var isDamage: Bool {
        switch code {
        case .corrupt, .missingSegment, .emptySegment, .indexGap, .termWentBack, .noMetadata,
            .conflictingMetadata, .snapshotNotInLog, .missingSnapshot, .snapshotMismatch:
            true
        case .noLog, .wrongIDs, .exists, .closed, .tooLong, .storage: false
        }
    }

    public var description: String {
        if case .storage(let error) = code { return error.description }
        return "\(place): \(problem). \(good)\(advice)"
    }

    private var place: String {
        guard recordNumber > 0 else { return file }
        return "\(file) at byte \(offsetBytes) (record \(recordNumber))"
    }

    private var good: String {
        guard isDamage, recordNumber > 0 else { return "" }
        guard let goodIndices else { return "No entry in front of it was read. " }
        return "Entries \(goodIndices.lowerBound) to \(goodIndices.upperBound) in front of it "
            + "are intact. "
    }

    public var problem: String {
        switch code {
        case .corrupt(let record): "the log is damaged: \(record)"
        case .missingSegment(let sequence):
            "segment \(WALSegmentName.hexDigits(sequence)) is missing"
        case .noLog: "there is no log here"
        case .emptySegment: "the segment is empty"
        case .indexGap(let expected, let found):
            "entry \(found) where entry \(expected) must follow"
        case .termWentBack(let old, let new): "term \(new) follows term \(old)"
        case .noMetadata: "the log does not say whose it is"
        case .conflictingMetadata(let first, let second):
            "segments of two members: \(Self.ids(first)) and \(Self.ids(second))"
        case .wrongIDs(let expected, let found):
            "the log is of \(Self.ids(found)), not of \(Self.ids(expected))"
        case .snapshotNotInLog(let index, let last):
            "the snapshot of index \(index) is not of this log, which ends at \(last)"
        case .missingSnapshot(let index, let last):
            "the log goes on from a snapshot of index \(index) that is not there, and is whole "
                + "only up to \(last)"
        case .snapshotMismatch(let index, let expected, let found):
            "the snapshot of index \(index) is of term \(expected), the log says \(found)"
        case .exists: "there is a log here already"
        case .closed: "the log is closed"
        case .tooLong(let bytes, let limit): "a record of \(bytes) bytes, over \(limit)"
        case .storage(let error): error.problem
        }
    }

    private static func ids(_ metadata: WALMetadata) -> String {
        "member \(metadata.memberID) of cluster \(metadata.clusterID)"
    }

    /// What to do, in the imperative; tests check that every code has it.
    public var advice: String {
        switch code {
        case .corrupt, .emptySegment, .indexGap, .termWentBack, .noMetadata:
            "Look at a copy with `kvd-dump verify`, then restore this member from a backup, or "
                + "start it with --rejoin to fetch the state from its peers."
        case .missingSegment:
            "Put the file back if it was moved; else restore this member from a backup, or "
                + "start it with --rejoin to fetch the state from its peers."
        case .noLog: "Check --data-dir, or start the member as a new one."
        case .conflictingMetadata: "Move the segments of the other member out of the dir."
        case .wrongIDs: "Check --data-dir, --name and --initial-cluster: the dir is another's."
        case .snapshotNotInLog, .snapshotMismatch:
            "Move that snapshot file out of the dir, or restore the member from a backup."
        case .missingSnapshot:
            "Put the snapshot file back if it was moved; else restore this member from a backup, "
                + "or start it with --rejoin to fetch the state from its peers."
        case .exists: "Start the member as an existing one, or choose an empty data dir."
        case .closed: "Restart kvd: the reason was logged when the log closed."
        case .tooLong: "Send a smaller value."
        case .storage(let error): error.advice
        }
    }
}
