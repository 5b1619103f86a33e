public import RaftModel

extension Raft {
    /// What a member is told once. Sizes of entries count their data and a fixed overhead.
    public struct Configuration: Sendable {
        /// This member. Never 0.
        public var id: MemberID
        /// A follower campaigns after `electionTicks + 1 ... 2 * electionTicks` ticks without a
        /// leader, drawn anew each time; a leader that no quorum answered for `electionTicks` goes.
        public var electionTicks: Int
        /// A leader's heartbeats are this many ticks apart.
        public var heartbeatTicks: Int
        /// Seeds the draws of election timeouts. Equal seeds draw equal timeouts, so give each
        /// member another.
        public var seed: UInt64
        /// Starts with `electionTicks - 1` ticks already passed, as etcd 2.3 does, so that a lone
        /// member need not wait long to elect itself after a restart.
        public var fastForwardsFirstElection = false
        public var features = Features.kvd

        /// Bytes of entries in one append or forwarded proposal; one entry always fits.
        public var messageBytesMax = 1 << 20
        /// Appends with entries on their way to one follower, unanswered.
        public var inFlightMessagesMax = 512
        /// Bytes of entries on their way to one follower; the message that crosses it still goes.
        public var inFlightBytesMax = 64 << 20
        /// Bytes in a leader's log that are not committed; past it, proposals are refused.
        public var uncommittedBytesMax = 256 << 20
        /// Bytes of other members' proposals that are kept while there is no leader to pass them to.
        public var heldBytesMax = 16 << 20
        /// Bytes of committed entries in one `Ready`; one entry always fits.
        public var committedBytesMax = 16 << 20
        /// Rounds of heartbeats that confirm reads and are under way at once. Reads that come
        /// while there are so many wait, and share the next one.
        public var readRoundsMax = 4

        public init(id: MemberID, electionTicks: Int, heartbeatTicks: Int = 1, seed: UInt64) {
            self.id = id
            self.electionTicks = electionTicks
            self.heartbeatTicks = heartbeatTicks
            self.seed = seed
        }

        func check() {
            precondition(id != .none, "id 0 is nobody")
            precondition(heartbeatTicks > 0, "a heartbeat takes at least a tick")
            precondition(electionTicks > heartbeatTicks, "an election outlasts a heartbeat")
            precondition(messageBytesMax > 0 && inFlightBytesMax > 0 && inFlightMessagesMax > 0)
            precondition(uncommittedBytesMax > 0 && committedBytesMax > 0 && readRoundsMax > 0)
        }
    }

    /// What members of etcd 2.x do not know, each of which needs it of *every* member.
    ///
    /// The owner flips them with `setFeatures` as the cluster's members come and go.
    public struct Features: Equatable, Sendable {
        /// Ask whether an election could be won before disturbing anyone with a higher term
        /// (kinds 17 and 18).
        public var preVote: Bool
        /// A leader that hears of no quorum steps down, and a voter that hears its leader ignores
        /// candidates. Also: leaders of a past term are told so.
        public var checkQuorum: Bool
        /// Linearizable reads by a round of heartbeats (kinds 15 and 16, context on 8 and 9).
        public var readIndex: Bool
        /// Hand over leadership without waiting for a timeout (kinds 13 and 14).
        public var leaderTransfer: Bool
        /// Forward many proposals in one message.
        public var batchedProposals: Bool

        public init(
            preVote: Bool, checkQuorum: Bool, readIndex: Bool, leaderTransfer: Bool,
            batchedProposals: Bool
        ) {
            self.preVote = preVote
            self.checkQuorum = checkQuorum
            self.readIndex = readIndex
            self.leaderTransfer = leaderTransfer
            self.batchedProposals = batchedProposals
        }

        /// Every member is a kvd.
        public static let kvd = Features(
            preVote: true, checkQuorum: true, readIndex: true, leaderTransfer: true,
            batchedProposals: true)
        /// Some member is an etcd 2.x: message kinds 2 to 9 with their old meaning, nothing else.
        public static let etcd23 = Features(
            preVote: false, checkQuorum: false, readIndex: false, leaderTransfer: false,
            batchedProposals: false)
    }

    /// What a member finds on its disk when it starts. Empty for one that joins.
    public struct RestoredState: Sendable {
        /// `commit` is at most the last index of `entries` (or the snapshot's, without any).
        public var hardState: HardState
        /// What the state machine was loaded from, and the members as of then. Index 0: nothing.
        public var snapshot: SnapshotMetadata
        /// Everything after `snapshot.index`, without gaps.
        public var entries: [Entry]
        /// The log lost entries that this member may have acknowledged; `hardState` has the highest
        /// term that it ever promised anything in, and its vote there. See `Raft+Rejoin`.
        public var isRejoining: Bool
        /// The state machine cannot be trusted: as after `Raft.voidState()`.
        public var isStateVoid: Bool

        public init(
            hardState: HardState = .empty, snapshot: SnapshotMetadata = SnapshotMetadata(),
            entries: [Entry] = [], isRejoining: Bool = false, isStateVoid: Bool = false
        ) {
            self.hardState = hardState
            self.snapshot = snapshot
            self.entries = entries
            self.isRejoining = isRejoining
            self.isStateVoid = isStateVoid
        }
    }
}
