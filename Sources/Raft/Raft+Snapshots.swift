public import RaftModel

/// Snapshots for followers that are too far behind (Raft paper, section 7), and compaction.
extension Raft {
    // MARK: The leader's side

    mutating func wantSnapshot(forMemberAt i: Int, indexMin: UInt64 = 0) {
        // For a member that is down it would be made in vain; its first answer starts it again.
        guard members.all[i].isRecentlyActive else {
            if members.all[i].state == .replicate { members.all[i].becomeProbe() }
            members.all[i].isPaused = true
            return
        }
        facts.append(
            .snapshotNeeded(
                by: members.all[i].id, next: members.all[i].next, firstIndex: log.firstIndex))
        members.all[i].becomeSnapshot()
        snapshotsWanted.append(
            SnapshotWanted(member: members.all[i].id, indexMin: max(indexMin, log.offset)))
    }

    /// Takes the snapshot that the owner made for a follower, and returns the message to carry it.
    ///
    /// `snapshot` holds at least what was compacted away. Its data may be empty if the owner sends
    /// the state beside the message. Nil: the follower needs none any more. Whatever becomes of it,
    /// the follower gets nothing else until `snapshotReported(for:succeeded:)`, or until it answers
    /// by itself.
    public mutating func sendSnapshot(_ snapshot: Snapshot, to member: MemberID) -> Message? {
        precondition(snapshot.metadata.index >= log.offset, "the snapshot is older than the log")
        precondition(snapshot.metadata.index <= appliedIndex, "the snapshot is of the future")
        guard role == .leader, let i = members.position(of: member),
            members.all[i].state == .snapshot
        else { return nil }
        members.all[i].pendingSnapshot = snapshot.metadata.index
        facts.append(.snapshotSent(to: member, index: snapshot.metadata.index))
        return Message(.snapshot, to: member, from: id, term: term, snapshot: snapshot)
    }

    /// A snapshot for `member` was delivered, or could not be made or delivered.
    public mutating func snapshotReported(for member: MemberID, succeeded: Bool) {
        guard role == .leader, let i = members.position(of: member),
            members.all[i].state == .snapshot
        else { return }
        facts.append(.snapshotReported(for: member, succeeded: succeeded))
        if !succeeded { members.all[i].pendingSnapshot = 0 }
        members.all[i].becomeProbe()
        // Its answer, or the next heartbeat's, starts it again.
        members.all[i].isPaused = true
    }

    // MARK: The follower's side

    mutating func receiveSnapshot(_ message: Message) {
        guard let snapshot = message.snapshot, snapshot.metadata.index > 0,
            snapshot.metadata.index < .max, snapshot.metadata.term <= term
        else { return malformed(message) }
        let metadata = snapshot.metadata
        if isStateVoid, metadata.index >= appliedIndex,
            log.term(at: metadata.index) == metadata.term
        {
            replaceState(snapshot, from: message.from)
            return acknowledge(commitIndex, to: message.from)
        }
        if metadata.index <= commitIndex {
            facts.append(
                .snapshotIgnored(index: metadata.index, commit: commitIndex, from: message.from))
            return acknowledge(commitIndex, to: message.from)
        }
        if log.term(at: metadata.index) == metadata.term {
            // The log has it all; only the news that it is committed was missing.
            learnCommit(metadata.index, from: message.from)
            return acknowledge(commitIndex, to: message.from)
        }
        install(snapshot, from: message.from)
        acknowledge(log.lastIndex, to: message.from)
    }

    private mutating func install(_ snapshot: Snapshot, from sender: MemberID) {
        let metadata = snapshot.metadata
        precondition(metadata.index > commitIndex, "committed entries are never thrown away")
        isStateVoid = false
        log.restart(after: metadata)
        durability.restarted()
        commitIndex = metadata.index
        handedOutIndex = metadata.index
        snapshotToPersist = snapshot
        members = Members(metadata.confState.members, next: metadata.index + 1)
        facts.append(
            .snapshotInstalled(index: metadata.index, term: metadata.term, from: sender))
    }

    // MARK: Compaction

    /// How far the log may be compacted if `entries` and `bytes` of what is at or before `index` are
    /// to stay for followers that are a little behind: whichever is less.
    public func compactionIndex(
        behind index: UInt64, keepingEntries entries: Int, bytes: Int
    ) -> UInt64 {
        var (kept, size, place) = (0, 0, min(index, log.lastIndex))
        while place > log.offset, kept < entries {
            size += log.costBytes(at: place)
            if size > bytes { break }
            (kept, place) = (kept + 1, place - 1)
        }
        return place
    }

    /// Forgets the entries up to and with `index`; a snapshot or the state machine stands for them.
    ///
    /// Leave a tail for followers that are a little behind. Costs a move of what is left: not to be
    /// called for every entry.
    public mutating func compact(through index: UInt64) {
        precondition(index <= appliedIndex, "entry \(index) is not applied yet")
        guard index > log.offset else { return }
        log.compact(through: index)
    }
}
