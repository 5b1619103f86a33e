package import Cluster
package import KeyStore
import Logging
package import Raft
package import RaftModel
package import State

/// One node. See `KVServer` for how it is used.
///
/// All calls come from one thread. Nothing in here blocks, sleeps or reads a clock.
package final class Engine {
    package let configuration: EngineConfiguration
    let heartbeatNanoseconds: Int64
    let requestTimeout: Int64
    let serverLog: Logger
    let raftLog: Logger

    var raft: Raft
    /// The state machine. Read it on this thread only; `store.tree` may leave it.
    package let state: MemberState
    package let store: Store

    /// Plain reads wait until this is applied.
    let readableFrom: UInt64
    /// The term of the last entry that the log had at the start.
    let restoredTerm: UInt64
    var pending = PendingRequests()
    var reads: PendingReads
    var gatedReads: [GatedRead] = []
    /// Commands that no leader has taken yet.
    var queue: [QueuedCommand] = []
    var memberChanges = MemberChangeQueue()
    var requestIDs: RequestIDGenerator

    // MARK: Snapshots and what is compared with others; see `Engine+Snapshots`, `+Verification`.

    var policy = SnapshotPolicy()
    /// The newest that is durable; 0: none.
    package internal(set) var snapshotIndex: UInt64
    var snapshotUnderWay: (index: UInt64, begun: (entries: UInt64, logBytes: Int))?
    var isSnapshotWanted = false
    var snapshotRetryAt: Int64 = 0
    /// The oldest snapshot that is on its way to a follower, or about to be: what follows it stays in
    /// the log, or the follower would need another one when it has it.
    package var offeredIndex: UInt64?
    var hashes = ContentHashes()
    package internal(set) var isDiskFull = false

    /// Nanoseconds; the owner moves them with `advance`.
    private(set) var now: Int64
    private(set) var wallNow: Int64

    /// Told of all that happens in Raft; nil but in a simulator, which counts it.
    package var onFact: ((Raft.Fact) -> Void)?
    var effects = Effects()
    /// Whether the log says that this member is one.
    package internal(set) var isMember = false
    package internal(set) var isPublished = false
    var isPublishing = false
    /// Newcomers whose addition was asked of this member, and by whom.
    var newcomersAsked: [Ticket: MemberID] = [:]
    /// This member leads, and a newcomer's conf change is on its way.
    var isPromoting = false
    /// What newcomers said of themselves too early: see `stepOfStranger`.
    var earlyPublications: [MemberID: QueuedCommand] = [:]
    /// Whether another member is there, as far as this one can see.
    package var isReachable: (MemberID) -> Bool = { _ in true }
    var isVersionProposed = false
    var versionCheckDue: Int64?
    var lastSyncProposedAt: Int64
    var leaderLostAt: Int64?
    /// The leader, while messages to it are being lost: until something comes from it, or another is
    /// elected, commands wait here, as those that were sent could not be proposed again.
    var silentLeader = MemberID.none
    package internal(set) var leadership: Leadership
    package internal(set) var counters = PeerCounters()
    package internal(set) var stopReason: StopReason?

    /// Applies nothing yet: the first pump applies what is known to be committed.
    ///
    /// - Parameters:
    ///   - state: what the snapshot in `restored` stands for, loaded from that many bytes; nil
    ///     for a member that begins without one.
    ///   - readableFrom: plain reads wait until this index is applied (see `isReadable`).
    ///   - monotonic, wall: both clocks now, in nanoseconds.
    package init(
        configuration: EngineConfiguration, restored: Raft.RestoredState,
        state: MemberState? = nil, snapshotStateBytes: Int = 0, readableFrom: UInt64,
        monotonic: Int64, wall: Int64
    ) {
        self.configuration = configuration
        heartbeatNanoseconds = configuration.heartbeatInterval.inNanoseconds
        requestTimeout = configuration.requestTimeout.inNanoseconds
        serverLog = configuration.serverLog
        raftLog = configuration.raftLog
        raft = Raft(configuration.raft, restored: restored)
        self.state = state ?? MemberState(options: configuration.store)
        store = self.state.store
        precondition(
            self.state.appliedIndex == restored.snapshot.index, "the state is the snapshot's")
        snapshotIndex = restored.snapshot.index
        policy.entriesMin = configuration.snapshotEntryCount
        policy.logBytesMax = configuration.snapshotLogBytes
        policy.saved(stateBytes: snapshotStateBytes)
        self.readableFrom = readableFrom
        restoredTerm = raft.term(at: raft.lastIndex) ?? 0
        (now, wallNow) = (monotonic, wall)
        lastSyncProposedAt = monotonic
        let milliseconds = UInt64(max(0, wall / 1_000_000))
        requestIDs = RequestIDGenerator(
            member: configuration.member, unixMilliseconds: milliseconds)
        reads = PendingReads(firstContext: UInt64(bitPattern: wall))
        leadership = Leadership(since: monotonic, sinceWall: wall)
        noteMembership()
    }

    /// As of the last applied entry.
    package var membership: Membership { state.membership }
    package var clusterVersion: SemanticVersion? { state.clusterVersion }
    package var appliedIndex: UInt64 { state.appliedIndex }
    /// Changes whenever something may have changed below `/2`: users, roles, and whether auth is on.
    package var authRevision: UInt64 { state.authRevision }
    /// Of the log in memory, durable or not.
    package var lastLogIndex: UInt64 { raft.lastIndex }
    package var firstLogIndex: UInt64 { raft.firstIndex }
    /// Writes that wait for their answer, and those of them that no leader has taken yet.
    package var pendingCount: Int { pending.count }
    package var queuedCount: Int { queue.count }
    var appliedTerm: UInt64 { state.appliedTerm }

    /// Moves the clocks, in nanoseconds: the monotonic one, which never goes back, and Unix time.
    package func advance(monotonic: Int64, wall: Int64) {
        now = max(now, monotonic)
        wallNow = wall
    }

    /// A heartbeat interval has passed. Call `advance` before.
    package func tick() {
        raft.tick()
        expireRequests()
        guard stopReason == nil else { return }
        askAgain()
        performDuties()
        promoteNewcomer()
    }

    /// Takes messages from other members.
    package func receive(_ messages: [Message]) {
        for message in messages {
            if message.kind == .append { counters.appendsReceived += 1 }
            if message.from == silentLeader { silentLeader = .none }
            if message.kind == .propose, membership[message.from] == nil {
                stepOfStranger(message)
            } else {
                raft.step(message)
            }
        }
    }

    /// Everything up to and with this batch is durable.
    package func persisted(through sequence: UInt64) { raft.persisted(through: sequence) }

    /// Brings out all that the calls since the last pump led to. Call `advance` before.
    ///
    /// What `out` held is dropped; its memory is used again.
    package func pump(into out: inout Effects) {
        if stopReason == nil {
            performDuties()
            proposeQueued()
            askForReadIndices()
            drainRaft()
            answerReads()
            takeSnapshotIfDue()
        } else if stopReason == .removedFromCluster {
            drainRaftAfterRemoval()
        }
        out.removeAll()
        swap(&effects, &out)
    }

    /// Takes effects out of Raft until it has no more.
    private func drainRaft() {
        while let ready = raft.takeReady() {
            ready.facts.forEach(note)
            if let state = ready.softState { leadershipChanged(state) }
            if let batch = ready.persist { effects.persist.append(batch) }
            send(ready.messages)
            effects.snapshotsWanted += ready.snapshotsWanted
            for state in ready.readStates { reads.confirm(state.context, index: state.index) }
            ready.refusedConfChanges.forEach(memberChangeRefused)
            apply(ready.committed)
            guard stopReason == nil, !raft.isStateVoid else { return }
            if let last = ready.committed.last { raft.applied(through: last.index) }
            // A new leader may take what was queued.
            proposeQueued()
        }
    }

    /// Nothing is applied any more; but a leader that was removed has to tell the others that its
    /// removal is committed, until the owner stops it. Until they know they count on its vote, and
    /// a cluster of two would be left without a quorum for good.
    private func drainRaftAfterRemoval() {
        while let ready = raft.takeReady() {
            ready.facts.forEach(note)
            if let batch = ready.persist { effects.persist.append(batch) }
            send(ready.messages)
        }
    }

    private func send(_ messages: [Message]) {
        for message in messages where message.kind == .append { counters.appendsSent += 1 }
        effects.messages += messages
    }
}
