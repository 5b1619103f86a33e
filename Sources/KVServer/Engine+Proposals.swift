import Cluster
import Raft
package import RaftModel

/// A command that has its id and its bytes, and waits for a leader to take it.
struct QueuedCommand {
    var id: UInt64
    var entry: Entry
}

extension Engine {
    /// Hands in a client's command. The answer comes in a later pump's `Effects`, under `ticket`.
    ///
    /// `view` need only live during the call: its bytes are copied once, into the log entry. Its id
    /// is set here. Past `pendingMax` waiting clients the answer is a refusal, and nothing was
    /// written.
    package func propose(_ view: RequestView, ticket: Ticket) {
        if let refusal = refusalOfProposals { return refuse(ticket, refusal) }
        enqueue(view, owner: .client(ticket))
    }

    /// Why no client's proposal is taken now, a command or a conf change; nil: it is.
    var refusalOfProposals: Refusal? {
        if stopReason != nil { return .stopped }
        if isDiskFull { return .diskFull }
        if raft.isStateVoid { return .stateIsVoid }
        guard pending.count < configuration.pendingMax else {
            return .tooManyRequests(limit: configuration.pendingMax)
        }
        return nil
    }

    /// Gives a command its id and queues it; the next pump proposes all that are queued.
    func enqueue(_ view: RequestView, owner: PendingRequests.Owner?) {
        var view = view
        view.id = requestIDs.next()
        if let owner { pending.add(owner, id: view.id, deadline: now + requestTimeout) }
        queue.append(QueuedCommand(id: view.id, entry: Entry(data: view.encoded())))
    }

    /// Proposes what is queued, if there is a leader to take it.
    func proposeQueued() {
        proposeMemberChange()
        guard !queue.isEmpty, raft.leader != .none, raft.leader != silentLeader else { return }
        var entries: [Entry] = []
        entries.reserveCapacity(queue.count)
        for command in queue { entries.append(command.entry) }
        do throws(ProposalError) {
            try raft.propose(entries)
            queue.removeAll(keepingCapacity: true)
        } catch {
            // Not now: a transfer is under way, or too much is uncommitted. They stay queued, in
            // their order, until a later pump or until their clients are told that time is up.
        }
    }

    /// Tells those whose time is up, and drops their commands where no leader has them yet.
    func expireRequests() {
        var isAnyExpired = false
        while let owner = pending.takeExpired(now: now) {
            isAnyExpired = true
            giveUp(owner, timeoutRefusal)
        }
        for ticket in reads.takeExpired(now: now) { refuse(ticket, timeoutRefusal) }
        expireGatedReads()
        guard isAnyExpired else { return }
        queue.removeAll { !pending.isWaiting($0.id) }
        memberChanges.removeAll { !pending.isWaiting($0) }
    }

    func giveUp(_ owner: PendingRequests.Owner, _ refusal: Refusal) {
        switch owner {
        case .client(let ticket): refuse(ticket, refusal)
        case .memberChange(let ticket, let kind):
            answer(ticket, kind, .failure(.refused(refusal)))
        case .publication: isPublishing = false
        case .promotion: isPromoting = false
        }
    }

    func refuse(_ ticket: Ticket, _ refusal: Refusal) {
        effects.answers.append((ticket, .refused(refusal)))
    }

    /// Whether a leader was lost while the requests now timing out were waiting.
    private var timeoutRefusal: Refusal {
        guard let lostAt = leaderLostAt, now - lostAt < requestTimeout else { return .timedOut }
        return .timedOutLeaderLost
    }

    /// Answers everybody who waits; nothing more will be taken.
    package func stop(_ reason: StopReason?) {
        let refusal: Refusal = reason == .removedFromCluster ? .removed : .stopped
        for owner in pending.takeAll() { giveUp(owner, refusal) }
        for ticket in reads.takeAll() { refuse(ticket, refusal) }
        for read in gatedReads { refuse(read.ticket, refusal) }
        gatedReads.removeAll()
        queue.removeAll()
        memberChanges.removeAll { _ in true }
    }
}
