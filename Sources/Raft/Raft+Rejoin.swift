public import RaftModel

/// A member that comes back without all that it had: with a log that lost entries, or with a state
/// machine that cannot be trusted. (After "Protocol-Aware Recovery for Consensus-Based Storage",
/// Alagappan and others, FAST '18.)
///
/// **A log with a hole.** What this member acknowledged may have been committed because of it, and
/// it has it no more. If it voted, a candidate without those entries could win, and they would be
/// lost. So it does not vote and does not stand for election until it has everything again:
///
///     rejoining member                                   leader
///        │ ── readIndex, reject, index = end of its log ──▶ │ believes no acknowledgement beyond that
///        │ ◀── readIndexResponse, goal ──────────────────── │ (after a round: it still leads)
///        │ ◀── appends, or a snapshot ───────────────────── │
///        │ applied ≥ goal: a member like any other again
///
/// Why that is enough:
/// - Its term and vote did not get lost (the owner keeps them apart from the log), so no leader that
///   it listens to is of an earlier term than any in which it acknowledged something.
/// - While it does not vote, every new leader is elected by others only, and of any quorum that
///   committed an entry at least one of those is left: that one's vote keeps the entry, as always.
/// - From the leader's answer on nothing is committed on the strength of an old acknowledgement, and
///   what was committed before lies at or below `goal`.
///
/// Its acknowledgements count meanwhile: they are true of the log it has now.
///
/// **A state that is void** while the log is whole: it goes on voting and acknowledging, but does
/// not stand for election, and asks its leader for a snapshot, which then takes the place of the
/// state even where the log already reaches beyond it.
extension Raft {
    struct Rejoin: Equatable, Sendable {
        /// Comes back with the leader's answer. Not that of an earlier run: it is drawn from the seed.
        var context: UInt64
        /// Everything that this member may have helped to commit lies at or before it.
        var goal: UInt64?
    }

    /// Whether this member keeps from voting because its log lost entries.
    public var isRejoining: Bool { rejoin != nil }

    /// Whether this member may lead.
    var isEligible: Bool { rejoin == nil && !isStateVoid }

    static func makeRejoin(seed: UInt64) -> Rejoin {
        // Drawn, not taken as it is: neighbouring seeds give different contexts.
        var chance = ElectionJitter(seed: seed)
        return Rejoin(context: chance.next())
    }

    // MARK: This member's side

    /// The state machine is not what the log says: its owner applies nothing more, and waits for a
    /// snapshot in a later `Ready`. A leader resigns.
    public mutating func voidState() {
        guard !isStateVoid else { return }
        isStateVoid = true
        if role != .follower { becomeFollower(term: term, leader: .none) }
        askForHelp()
    }

    /// Asks the leader again for what it has not answered or sent; called every few ticks.
    mutating func askForHelp() {
        guard !isEligible, leader != .none, leader != id else { return }
        // It is the leader alone that must understand it: a log that lost its members, or knows only
        // earlier ones, says nothing of all the others.
        guard features.readIndex || knownKvds.contains(leader) else { return }
        if let rejoin, rejoin.goal == nil {
            outbox.append(
                Message(
                    .readIndex, to: leader, from: id, term: term, index: durability.lastIndex,
                    reject: true, context: Self.bytes(of: rejoin.context)))
        }
        if isStateVoid {
            outbox.append(
                Message(
                    .readIndex, to: leader, from: id, term: term, index: appliedIndex,
                    rejectHint: Self.wantsState, context: Self.bytes(of: 0)))
        }
    }

    /// A read index came. Returns whether it was the answer to this member's own question.
    mutating func learnGoal(_ index: UInt64, context: UInt64) -> Bool {
        guard let rejoin, rejoin.context == context else { return false }
        if rejoin.goal == nil { self.rejoin?.goal = index }
        rejoinIfComplete()
        return true
    }

    mutating func rejoinIfComplete() {
        guard let goal = rejoin?.goal, appliedIndex >= goal else { return }
        rejoin = nil
        facts.append(.rejoined(index: goal))
    }

    /// Takes a snapshot for a state that is void although the log goes on behind it.
    mutating func replaceState(_ snapshot: Snapshot, from sender: MemberID) {
        let metadata = snapshot.metadata
        precondition(isStateVoid && metadata.index >= appliedIndex && metadata.index >= log.offset)
        (isStateVoid, isReplacingState) = (false, true)
        commitIndex = max(commitIndex, metadata.index)
        // What follows it is handed out once more.
        handedOutIndex = metadata.index
        snapshotToPersist = snapshot
        members = Members(metadata.confState.members, next: log.lastIndex + 1)
        facts.append(
            .snapshotInstalled(index: metadata.index, term: metadata.term, from: sender))
    }

    // MARK: The leader's side

    /// In a read index's `rejectHint`: the sender's state is void.
    static let wantsState: UInt64 = 1

    /// A member says that its log ends earlier than it once acknowledged.
    mutating func forgetAcknowledgements(_ message: Message) {
        guard let i = members.position(of: message.from) else { return }
        // Its goal will not be later.
        members.all[i].rejoinsAt = log.lastIndex
        guard members.all[i].match > message.index else { return }
        facts.append(
            .acknowledgementsForgotten(
                of: message.from, from: members.all[i].match, to: message.index))
        members.all[i].logEnds(at: message.index)
    }

    /// Whom the removal in `entry` would have to wait for: a member that rejoins, without whose vote those that
    /// are left could never elect a leader. If the removed one is the leader itself, nobody would be left to
    /// bring that member up to date. Nil: nobody.
    public func rejoiningMember(needed entry: Entry) -> MemberID? {
        guard role == .leader, entry.kind == .confChange,
            let change = try? ConfChange.decode(entry.data), change.kind == .remove
        else { return nil }
        var (left, able) = (0, 0)
        var rejoining: MemberID?
        for member in members.all where member.isVoter && member.id != change.member {
            left += 1
            if min(member.match, commitIndex) >= member.rejoinsAt {
                able += 1
            } else {
                rejoining = member.id
            }
        }
        return able > left / 2 ? nil : rejoining
    }

    /// A member says that its state is void.
    mutating func sendState(_ request: Message) {
        guard let i = members.position(of: request.from), members.all[i].state != .snapshot else {
            return
        }
        members.all[i].isRecentlyActive = true
        wantSnapshot(forMemberAt: i, indexMin: request.index)
    }
}
