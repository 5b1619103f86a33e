public import RaftModel

extension Raft {
    /// Puts commands and conf changes into the log, or sends them to the leader.
    ///
    /// Only `kind` and `data` of the entries count. All are taken or none. What was taken may still
    /// be lost (a leader fails, a message does): only its being applied tells.
    ///
    /// A conf change while another one is under way leaves an empty entry in the log; on a leader
    /// it comes back in `Ready.refusedConfChanges`.
    public mutating func propose(_ entries: [Entry]) throws(ProposalError) {
        guard !entries.isEmpty else { return }
        if role == .leader { return try lead(entries, isLocal: true) }
        guard leader != .none else { throw .noLeader(term: term) }
        forward(entries)
    }

    public mutating func propose(_ data: [UInt8]) throws(ProposalError) {
        try propose([Entry(data: data)])
    }

    public mutating func propose(_ change: ConfChange) throws(ProposalError) {
        try propose([Entry(kind: .confChange, data: change.encoded())])
    }

    private mutating func lead(_ entries: [Entry], isLocal: Bool) throws(ProposalError) {
        guard transferTarget == .none else { throw .transferring(to: transferTarget) }
        var bytes = 0
        for entry in entries { bytes += entry.costBytes }
        // A lone proposal over the limit must not be refused for ever.
        guard
            uncommittedBytes == 0
                || uncommittedBytes + bytes <= configuration.uncommittedBytesMax
        else {
            throw .tooMuchUncommitted(
                bytes: uncommittedBytes, limit: configuration.uncommittedBytesMax)
        }
        append(replacingRefusedConfChanges(entries, isLocal: isLocal))
    }

    private mutating func replacingRefusedConfChanges(
        _ entries: [Entry], isLocal: Bool
    ) -> [Entry] {
        guard entries.contains(where: { $0.kind == .confChange }) else { return entries }
        var entries = entries
        for i in entries.indices where entries[i].kind == .confChange {
            if appliedIndex < pendingConfIndex {
                facts.append(.confChangeRefused(pendingIndex: pendingConfIndex))
            } else if let member = rejoiningMember(needed: entries[i]) {
                facts.append(.removalPutOff(rejoining: member))
            } else {
                pendingConfIndex = log.lastIndex + 1 + UInt64(i)
                continue
            }
            if isLocal { refusedConfChanges.append(entries[i]) }
            entries[i] = Entry()
        }
        return entries
    }

    /// Gives entries their term and index and puts them into a leader's log.
    mutating func append(_ entries: [Entry]) {
        precondition(role == .leader, "only a leader appends")
        var entries = entries
        var index = log.lastIndex
        for i in entries.indices {
            index += 1
            entries[i].term = term
            entries[i].index = index
            uncommittedBytes += entries[i].costBytes
        }
        log.append(entries)
    }

    private mutating func forward(_ entries: [Entry]) {
        var batch: [Entry] = []
        var bytes = 0
        for entry in entries {
            let isFull = bytes + entry.costBytes > configuration.messageBytesMax
            if !batch.isEmpty, isFull || !features.batchedProposals {
                outbox.append(Message(.propose, to: leader, from: id, entries: batch))
                batch.removeAll(keepingCapacity: true)
                bytes = 0
            }
            batch.append(Entry(kind: entry.kind, data: entry.data))
            bytes += entry.costBytes
        }
        outbox.append(Message(.propose, to: leader, from: id, entries: batch))
    }

    /// Proposals that another member took for this one. A former leader passes them on, and keeps
    /// them until it knows to whom.
    mutating func receiveProposals(_ message: Message) {
        guard !message.entries.isEmpty else { return malformed(message) }
        do throws(ProposalError) {
            if isWithoutTaker {
                return try hold(message.entries)
            }
            if role == .leader { return try lead(message.entries, isLocal: false) }
            // Back to the sender, it would go round and round.
            guard leader != message.from else { throw .noLeader(term: term) }
            forward(message.entries)
        } catch {
            facts.append(
                .proposalsDropped(
                    count: message.entries.count, from: message.from, reason: error))
        }
    }

    /// Whether nobody takes proposals as far as this member knows.
    private var isWithoutTaker: Bool {
        role == .leader ? transferTarget != .none : leader == .none
    }

    private mutating func hold(_ entries: [Entry]) throws(ProposalError) {
        guard held.hold(entries, bytesMax: configuration.heldBytesMax) else {
            throw .noLeader(term: term)
        }
    }

    /// Hands on what was held, if there is somebody to take it.
    mutating func releaseHeldProposals() {
        guard !held.isEmpty, !isWithoutTaker else { return }
        let entries = held.takeAll()
        guard role == .leader else { return forward(entries) }
        do throws(ProposalError) { try lead(entries, isLocal: false) } catch {
            facts.append(.proposalsDropped(count: entries.count, from: id, reason: error))
        }
    }

    mutating func ageHeldProposals() {
        let count = held.tick(ageTicksMax: 2 * configuration.electionTicks)
        guard count > 0 else { return }
        facts.append(.proposalsDropped(count: count, from: id, reason: .noLeader(term: term)))
    }
}
