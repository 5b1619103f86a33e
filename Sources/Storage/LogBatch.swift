public import RaftModel

/// What the engine wants saved at once: a `Ready`'s state and entries.
public struct LogBatch: Sendable {
    /// Rises from batch to batch; what `onDurable` reports.
    public var sequence: UInt64
    /// Nil: unchanged.
    public var hardState: HardState?
    /// Replace what was saved from `entries[0].index` on.
    public var entries: [Entry]
    /// A snapshot, durable already, that the log should name.
    public var snapshot: WALSnapshotRecord?
    /// Whether anything waits for its durability. A new commit index alone does not need it: it
    /// is written, and becomes durable with the next batch that does.
    public var needsSync: Bool

    public init(
        sequence: UInt64, hardState: HardState? = nil, entries: [Entry] = [],
        snapshot: WALSnapshotRecord? = nil, needsSync: Bool = true
    ) {
        precondition(needsSync || (entries.isEmpty && snapshot == nil))
        self.sequence = sequence
        self.hardState = hardState
        self.entries = entries
        self.snapshot = snapshot
        self.needsSync = needsSync
    }

    /// Bytes it takes in the queue, about.
    var sizeBytes: Int { entries.reduce(64) { $0 + $1.data.count + 64 } }
}
