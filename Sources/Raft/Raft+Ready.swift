import RaftModel

extension Raft {
    /// Takes out all that is to be done now, or nil.
    ///
    /// A leader's appends are made here, one for each follower (more only past `messageBytesMax`),
    /// so that all that was proposed since the last call travels together.
    public mutating func takeReady() -> Ready? {
        releaseHeldProposals()
        if role == .leader {
            openReadRound()
            sendAppends()
        }
        var ready = Ready()
        noteSoftState(&ready)
        ready.persist = takePersistBatch()
        ready.committed = takeCommitted()
        swap(&ready.messages, &outbox)
        swap(&ready.readStates, &readStates)
        swap(&ready.snapshotsWanted, &snapshotsWanted)
        swap(&ready.refusedConfChanges, &refusedConfChanges)
        swap(&ready.facts, &facts)
        assert(durability.isHeldCovered, "something is promised that nobody makes durable")
        return ready.isEmpty ? nil : ready
    }

    private mutating func noteSoftState(_ ready: inout Ready) {
        let state = SoftState(leader: leader, role: role)
        guard state != emittedSoftState else { return }
        if leader != emittedSoftState.leader {
            facts.append(.leaderChanged(from: emittedSoftState.leader, to: leader, term: term))
        }
        emittedSoftState = state
        ready.softState = state
    }

    private var hardState: HardState { HardState(term: term, vote: vote, commit: commitIndex) }

    /// Whether something waits to be handed out that an answer may rest on.
    private var hasUnemittedPromise: Bool {
        term != emittedHardState.term || vote != emittedHardState.vote
            || log.emitted < log.lastIndex || snapshotToPersist != nil
    }

    private mutating func takePersistBatch() -> PersistBatch? {
        let needsSync = hasUnemittedPromise
        let isChanged = hardState != emittedHardState
        guard needsSync || isChanged else { return nil }
        emittedHardState = hardState
        let snapshot = snapshotToPersist
        snapshotToPersist = nil
        let entries = log.takeUnemitted()
        let snapshotIndex = snapshot?.metadata.index ?? 0
        let sequence = durability.issue(
            lastIndex: entries.last?.index ?? snapshotIndex, snapshotIndex: snapshotIndex,
            needsSync: needsSync)
        return PersistBatch(
            sequence: sequence, snapshot: snapshot, entries: entries,
            hardState: isChanged ? hardState : nil, needsSync: needsSync)
    }

    private mutating func takeCommitted() -> [Entry] {
        let last = min(commitIndex, durability.lastIndex)
        guard last > handedOutIndex, !isStateVoid, !isReplacingState else { return [] }
        let (entries, _) = log.slice(
            from: handedOutIndex + 1, through: last, bytesMax: configuration.committedBytesMax)
        handedOutIndex += UInt64(entries.count)
        return entries
    }

    /// Every batch up to and with `sequence` is durable, and its snapshot, if any, is installed.
    ///
    /// Reports come in the order of the batches; one may stand for those before it.
    public mutating func persisted(through sequence: UInt64) {
        let installed = durability.persisted(through: sequence)
        appliedIndex = max(appliedIndex, installed)
        if installed > 0 { isReplacingState = false }
        rejoinIfComplete()
        while let message = durability.takeReleased() { deliver(message) }
        guard role == .leader, let own = members.position(of: id) else { return }
        if members.all[own].acknowledged(durability.lastIndex) { advanceCommit() }
    }

    /// The owner has applied every entry up to and with `index`.
    public mutating func applied(through index: UInt64) {
        precondition(index <= handedOutIndex, "entry \(index) was never handed out")
        appliedIndex = max(appliedIndex, index)
        log.applied(through: appliedIndex)
        rejoinIfComplete()
    }

    // MARK: Promises

    /// Sends a message that rests on this member's present term, vote and log, as soon as they are
    /// durable.
    mutating func sendWhenDurable(_ message: Message) {
        let gate = hasUnemittedPromise ? durability.issued + 1 : durability.issuedSync
        if gate <= durability.reported {
            deliver(message)
        } else {
            durability.hold(message, until: gate)
        }
    }

    private mutating func deliver(_ message: Message) {
        assert(message.term == term, "promises of a past term are dropped")
        if message.to == id { return receiveVoteResponse(message) }  // a candidate's own vote
        // The acknowledgement of the last of many entries says it all.
        if message.kind == .appendResponse, let last = outbox.last, !last.reject,
            last.kind == .appendResponse, last.to == message.to, last.term == term
        {
            outbox[outbox.count - 1].index = max(last.index, message.index)
        } else {
            outbox.append(message)
        }
    }
}
