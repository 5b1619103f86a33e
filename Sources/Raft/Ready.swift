public import RaftModel

extension Raft {
    public enum Role: Equatable, Sendable {
        case follower
        /// Asks whether it could win, in its old term.
        case preCandidate
        case candidate
        case leader
    }

    /// One batch of effects, all of which may be started at once. See `Raft` for the owner's loop.
    ///
    /// Nothing in here waits for `persist` of the same `Ready`: what promises something that is
    /// not durable yet is kept back inside `Raft` until `persisted(through:)`.
    public struct Ready: Equatable, Sendable {
        /// Hand this to the log first, so that the disk starts early.
        public var persist: PersistBatch?
        /// Send these. Any may be lost, repeated or overtaken.
        public var messages: [Message] = []
        /// Apply these, in order, then call `applied(through:)`. All are committed and durable
        /// here.
        public var committed: [Entry] = []
        /// Reads that may be answered as soon as their index is applied.
        public var readStates: [ReadState] = []
        /// Followers too far behind for the log: make a snapshot, call `sendSnapshot(_:to:)`, and
        /// later `snapshotReported(for:succeeded:)`, in any case.
        public var snapshotsWanted: [SnapshotWanted] = []
        /// Conf changes proposed on this leader while another was under way. An empty entry went
        /// into the log in their place: tell their proposers now, they will never be applied.
        public var refusedConfChanges: [Entry] = []
        /// Nil: unchanged.
        public var softState: SoftState?
        /// What happened, to be logged. Nothing depends on them.
        public var facts: [Fact] = []

        var isEmpty: Bool {
            persist == nil && messages.isEmpty && committed.isEmpty && readStates.isEmpty
                && snapshotsWanted.isEmpty && refusedConfChanges.isEmpty && softState == nil
                && facts.isEmpty
        }
    }

    /// What must be made durable together, under one sync.
    public struct PersistBatch: Equatable, Sendable {
        /// Goes up by one from batch to batch. Batches are written in their order, and reported
        /// through `persisted(through:)`; several may be under way.
        public var sequence: UInt64
        /// Replaces the state machine and the log up to its index: save it, install it, and only
        /// then report this batch. Comes before `entries`.
        public var snapshot: Snapshot?
        /// They replace whatever the log holds from `entries[0].index` on.
        public var entries: [Entry]
        /// Nil: unchanged.
        public var hardState: HardState?
        /// False if only the commit index moved: then it need only be written some time, with no
        /// sync, and nothing waits for its report.
        public var needsSync: Bool
    }

    /// A follower that gets on only with a snapshot.
    public struct SnapshotWanted: Equatable, Sendable {
        public var member: MemberID
        /// An older one is of no use to it.
        public var indexMin: UInt64
    }

    public struct SoftState: Equatable, Sendable {
        public var leader: MemberID
        public var role: Role
    }

    /// The read named `context` sees everything acknowledged before it was asked for, once
    /// `index` is applied.
    public struct ReadState: Equatable, Sendable {
        public var context: UInt64
        public var index: UInt64
    }
}
