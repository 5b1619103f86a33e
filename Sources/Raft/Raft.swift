public import RaftModel

/// One member's view of consensus, as a pure function of the calls made on it.
///
/// No I/O, clock, randomness or logging inside. Time comes in as `tick()`, peers as `step(_:)`,
/// election jitter from a seed; every effect leaves in a `Ready`. The same calls in the same
/// order give the same `Ready`s on every machine.
///
///     clients ── propose, readIndex ──▶ ┌──────┐ ──▶ persist      the log, then persisted(through:)
///     peers   ── step ────────────────▶ │ Raft │ ──▶ messages     the peers
///     timer   ── tick ────────────────▶ │      │ ──▶ committed    the state, then applied(through:)
///     log     ── persisted(through:) ─▶ └──────┘ ──▶ readStates   the readers
///
/// The owner's loop, once a turn after any calls:
///
///     while let ready = raft.takeReady() {
///         if let batch = ready.persist { log.write(batch) }     // returns at once
///         transport.send(ready.messages)                        // even while it is written
///         for entry in ready.committed {
///             if entry.kind == .confChange {                    // an invalid one: pass nil
///                 raft.applyConfChange(machine.apply(entry))
///             } else { machine.apply(entry) }
///         }
///         if let last = ready.committed.last { raft.applied(through: last.index) }
///         // readStates, snapshotsWanted, refusedConfChanges, softState, facts
///     }
///
/// and, when the log reports a batch durable, `raft.persisted(through: batch.sequence)` and the
/// loop again. A batch with a snapshot is reported only when the state machine has been replaced
/// by it. Several batches may be on their way; a leader's appends go out before its own disk is
/// done, but it never counts itself for an entry before; votes and acknowledgements are kept back
/// until what they promise is durable.
///
/// What members say to each other: `reference/peer-protocol.md`, section 4. Until `features` says
/// that every member is a kvd, it is exactly what etcd 2.3 says.
///
/// Files: `Raft` holds the state, time, and the rule of terms; `Raft+Ready` what leaves;
/// `Raft+Election`, `+Proposals`, `+Replication` (the leader's side of the log), `+Following`
/// (the follower's), `+Snapshots`, `+ReadIndex`, `+Rejoin`, `+Transfer`, `+Membership` their topics. `RaftLog`,
/// `Members`, `Progress`, `FlightWindow` and `Durability` keep one thing each.
public struct Raft: Sendable {
    let configuration: Configuration
    public internal(set) var features: Features

    // MARK: What is durable, or on its way there

    public internal(set) var term: UInt64
    public internal(set) var vote: MemberID
    /// The last entry known to be committed. It may not be durable here yet.
    public internal(set) var commitIndex: UInt64
    var log: RaftLog
    var durability: Durability
    var emittedHardState: HardState
    var snapshotToPersist: Snapshot?
    /// Nil: this member's log has all that it ever acknowledged (see `Raft+Rejoin`).
    var rejoin: Rejoin?

    // MARK: What a restart forgets

    public internal(set) var role = Role.follower
    /// `.none` if unknown.
    public internal(set) var leader = MemberID.none
    var members: Members
    /// Members that are known to be kvds, whatever the others are.
    var knownKvds: Set<MemberID> = []
    /// Committed entries were handed out up to here.
    var handedOutIndex: UInt64
    /// The last entry that the owner has applied.
    public internal(set) var appliedIndex: UInt64
    /// The state machine waits for a snapshot.
    public internal(set) var isStateVoid: Bool
    /// A snapshot for a void state is on its way to the disk: nothing is applied to the old one.
    var isReplacingState = false

    var jitter: ElectionJitter
    var electionTimeoutTicks = 0
    var electionElapsedTicks = 0
    var heartbeatElapsedTicks = 0
    var helpElapsedTicks = 0

    // MARK: What a leader keeps

    var uncommittedBytes = 0
    /// No conf change is taken until this entry is applied.
    var pendingConfIndex: UInt64 = 0
    var transferTarget = MemberID.none
    /// The index of the first entry of its term. Until it is committed, the leader does not know
    /// all that is.
    var termStartIndex: UInt64 = 0
    var reads = ReadRounds()
    /// Of any role: see `HeldProposals`.
    var held = HeldProposals()

    // MARK: What leaves with the next `Ready`

    var outbox: [Message] = []
    var readStates: [ReadState] = []
    var snapshotsWanted: [SnapshotWanted] = []
    var refusedConfChanges: [Entry] = []
    var facts: [Fact] = []
    var emittedSoftState = SoftState(leader: .none, role: .follower)

    /// Starts as a follower that knows no leader.
    ///
    /// The members are those of `restored.snapshot`; conf changes in its entries count once the
    /// owner has applied them again.
    public init(_ configuration: Configuration, restored: RestoredState = RestoredState()) {
        configuration.check()
        self.configuration = configuration
        features = configuration.features
        let snapshot = restored.snapshot
        log = RaftLog(offset: snapshot.index, term: snapshot.term, entries: restored.entries)
        let hardState = restored.hardState
        precondition(hardState.commit <= log.lastIndex, "commit is beyond the log")
        // A crash may tear a batch between its entries and its hard state. Whatever vote was lost
        // with it never left.
        term = max(hardState.term, log.lastTerm)
        vote = term == hardState.term ? hardState.vote : .none
        commitIndex = max(hardState.commit, snapshot.index)
        emittedHardState = hardState
        durability = Durability(lastIndex: log.lastIndex)
        members = Members(snapshot.confState.members, next: log.lastIndex + 1)
        handedOutIndex = snapshot.index
        appliedIndex = snapshot.index
        isStateVoid = restored.isStateVoid
        rejoin = restored.isRejoining ? Self.makeRejoin(seed: configuration.seed) : nil
        jitter = ElectionJitter(seed: configuration.seed)
        electionTimeoutTicks = jitter.draw(electionTicks: configuration.electionTicks)
        if configuration.fastForwardsFirstElection {
            electionElapsedTicks = configuration.electionTicks - 1
        }
        facts.append(.becameFollower(term: term))
    }

    public var id: MemberID { configuration.id }
    public var isLeader: Bool { role == .leader }
    public var lastIndex: UInt64 { log.lastIndex }
    /// The first entry that is still in memory, if any is.
    public var firstIndex: UInt64 { log.firstIndex }
    /// The log is durable on this member up to here.
    public var durableIndex: UInt64 { durability.lastIndex }

    /// The term of an entry; nil if it is compacted away or not there yet.
    public func term(at index: UInt64) -> UInt64? { log.term(at: index) }

    // MARK: Time

    /// A tick has passed. All of Raft's times are counted in them.
    public mutating func tick() {
        log.tick(applied: appliedIndex)
        ageHeldProposals()
        electionElapsedTicks += 1
        if role == .leader { return tickAsLeader() }
        helpElapsedTicks += 1
        if helpElapsedTicks >= max(1, configuration.electionTicks / 2) {
            helpElapsedTicks = 0
            askForHelp()
        }
        guard members.isVoter(id), electionElapsedTicks >= ticksUntilCampaign else { return }
        campaign()
    }

    /// A sole voter has nobody to hear of, nor to split votes with: no chance is added.
    private var ticksUntilCampaign: Int {
        members.voterCount > 1
            ? electionTimeoutTicks : min(electionTimeoutTicks, configuration.electionTicks)
    }

    private mutating func tickAsLeader() {
        if electionElapsedTicks >= configuration.electionTicks {
            electionElapsedTicks = 0
            guard isMember(id) else { return becomeFollower(term: term, leader: .none) }
            if features.checkQuorum, !members.takeQuorumActivity(of: id) {
                facts.append(.quorumLost(term: term))
                return becomeFollower(term: term, leader: .none)
            }
            abortTransfer()
        }
        heartbeatElapsedTicks += 1
        if heartbeatElapsedTicks >= configuration.heartbeatTicks {
            heartbeatElapsedTicks = 0
            sendHeartbeats()
        }
    }

    /// Sets the ticks after which this member campaigns if it hears of no leader, until the next
    /// draw. For tests that want to choose who is first.
    package mutating func electionTimeoutDrawn(ticks: Int) {
        precondition(ticks > 0)
        electionTimeoutTicks = ticks
    }

    mutating func restartElectionTimer() {
        electionElapsedTicks = 0
        electionTimeoutTicks = jitter.draw(electionTicks: configuration.electionTicks)
    }

    // MARK: Messages

    /// Takes a message of another member.
    ///
    /// Nothing in it makes this trap. Whether to listen to a sender that is no member is the
    /// owner's to decide (`isMember(_:)`): one who joins must listen to members it does not know.
    public mutating func step(_ message: Message) {
        guard message.from != .none, message.from != id, message.to == id || message.to == .none,
            message.isCountable
        else { return malformed(message) }
        switch message.kind {
        case .hup, .beat, .unreachable, .snapshotStatus, .checkQuorum:
            malformed(message)  // a member says these to itself only
        case .propose:
            receiveProposals(message)
        default:
            guard message.term > 0 else { return malformed(message) }
            guard settleTerm(of: message) else { return }
            dispatch(message)
        }
    }

    /// Compares the message's term with this member's, and follows the higher one. Returns whether
    /// the message is of interest after that.
    private mutating func settleTerm(of message: Message) -> Bool {
        if message.kind == .vote || message.kind == .preVote, isLeaderAlive(whenAskedBy: message) {
            facts.append(
                .voteIgnored(candidate: message.from, kind: message.kind, term: message.term))
            return false
        }
        if message.term < term {
            receiveLowerTerm(message)
            return false
        }
        guard message.term > term else { return true }
        switch message.kind {
        case .preVote: break  // it speaks of the term after the candidate's
        case .preVoteResponse where !message.reject: break  // as above, and repeats it
        default:
            facts.append(.higherTermSeen(message.kind, from: message.from, term: message.term))
            let isLeaders = message.kind.isLeaders
            becomeFollower(term: message.term, leader: isLeaders ? message.from : .none)
        }
        return true
    }

    private mutating func receiveLowerTerm(_ message: Message) {
        facts.append(.lowerTermIgnored(message.kind, from: message.from, term: message.term))
        switch message.kind {
        case .append, .heartbeat, .snapshot:
            // A leader of a past term would never learn of this one, where candidates that could
            // tell it do not get so far, or are ignored: by it, if not by this member, which may
            // have yet to learn what all others are. A leader of etcd 2.x would take an answer of a
            // later term for its own leader's.
            guard
                features.preVote || features.checkQuorum || knownKvds.contains(message.from)
            else { return }
            outbox.append(Message(.appendResponse, to: message.from, from: id, term: term))
        case .preVote:
            answer(message, granted: false)
        default: break
        }
    }

    private mutating func dispatch(_ message: Message) {
        switch message.kind {
        case .append, .heartbeat, .snapshot: receiveFromLeader(message)
        case .appendResponse: receiveAppendResponse(message)
        case .heartbeatResponse: receiveHeartbeatResponse(message)
        case .vote, .preVote: receiveVoteRequest(message)
        case .voteResponse, .preVoteResponse: receiveVoteResponse(message)
        case .transferLeader: receiveTransferRequest(message)
        case .timeoutNow: receiveTimeoutNow(message)
        case .readIndex: receiveReadIndex(message)
        case .readIndexResponse: receiveReadIndexResponse(message)
        case .hup, .beat, .unreachable, .snapshotStatus, .checkQuorum, .propose:
            preconditionFailure("step(_:) has dealt with these")
        }
    }

    mutating func malformed(_ message: Message) {
        facts.append(.malformed(message.kind, from: message.from))
    }

    /// Says whether a member is known to be a kvd, and so what it understands, whatever the others are.
    public mutating func setIsKvd(_ member: MemberID, _ isKvd: Bool) {
        if isKvd { knownKvds.insert(member) } else { knownKvds.remove(member) }
    }

    /// Switches what only kvd members understand on or off, when the first member of etcd 2.x
    /// joins or the last one is gone.
    public mutating func setFeatures(_ features: Features) {
        self.features = features
        if role == .preCandidate, !features.preVote { becomeFollower(term: term, leader: .none) }
        if !features.leaderTransfer { abortTransfer() }
        if !features.readIndex { reads.removeAll() }
    }
}

extension Message {
    /// Whether its numbers are ones that can be counted on from: nobody has come so far by counting.
    fileprivate var isCountable: Bool {
        let most = UInt64(Int64.max)
        return term <= most && index <= most && (snapshot?.metadata.index ?? 0) <= most
    }
}

extension Message.Kind {
    /// Whether only the leader of the message's term sends it.
    var isLeaders: Bool { self == .append || self == .heartbeat || self == .snapshot }
}
