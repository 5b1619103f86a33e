import Cluster
import Raft
import RaftModel

extension Engine {
    /// Whether plain reads may be answered from the store.
    ///
    /// After a restart the store begins behind what this member had shown before it: replay has to
    /// reach the commit index that it knew, else a client could see time run backwards. Entries
    /// beyond it may have been thrown away by a new leader: an applied entry of a later term than
    /// all that the log had stands for everything committed before.
    package var isReadable: Bool {
        guard !raft.isStateVoid else { return false }
        return appliedIndex >= readableFrom || appliedTerm > restoredTerm
    }

    /// Answers `.readable` as soon as plain reads may be answered; never before the next pump.
    package func whenReadable(ticket: Ticket) {
        guard !raft.isStateVoid else { return refuse(ticket, .stateIsVoid) }
        gatedReads.append((ticket, now + requestTimeout))
    }

    /// Answers `.readable` when the store holds everything that was acknowledged, by any member,
    /// before this call. Costs a round of heartbeats, shared by all reads of the turn; no entry.
    package func readLinearizably(ticket: Ticket) {
        guard stopReason == nil else { return refuse(ticket, .stopped) }
        guard !raft.isStateVoid else { return refuse(ticket, .stateIsVoid) }
        guard reads.count < configuration.pendingMax else {
            return refuse(ticket, .tooManyRequests(limit: configuration.pendingMax))
        }
        reads.add(ticket)
    }

    /// Asks for read indices: for this turn's reads, and again for those that got no answer.
    func askForReadIndices() {
        if let context = reads.takeBatch(now: now, deadline: now + requestTimeout) {
            ask(context)
        }
    }

    /// Asks again for batches whose question or answer was lost.
    func askAgain() {
        let interval = heartbeatNanoseconds * Int64(configuration.electionTicks) / 2
        for context in reads.takeUnanswered(since: now - interval, now: now) { ask(context) }
    }

    /// Asks once more for all that is unanswered: a leader is there again.
    func askNewLeader() {
        for context in reads.takeUnanswered(since: now, now: now) { ask(context) }
    }

    private func ask(_ context: UInt64) {
        switch raft.readIndex(context: context) {
        case .asked, .noLeader: break  // what gets no answer is asked again
        case .unsupported: readThroughLog(context)
        }
    }

    /// Some member is an etcd 2.3: the read takes its place in the log, as it does there.
    private func readThroughLog(_ context: UInt64) {
        var view = RequestView()
        view.method = .quorumGet
        (view.quorum, view.wait) = (true, false)
        for ticket in reads.takeBatch(context) { enqueueRead(view, ticket) }
    }

    private func enqueueRead(_ view: RequestView, _ ticket: Ticket) {
        var view = view
        let root = Array(StorePath.keys.utf8)
        root.withUnsafeBytes { path in
            view.path = path
            enqueue(view, owner: .client(ticket))
        }
    }

    /// Answers the reads whose index is applied, and the plain reads held back by a restart.
    func answerReads() {
        reads.takeReadable(applied: appliedIndex) { effects.answers.append(($0, .readable)) }
        guard !gatedReads.isEmpty, isReadable else { return }
        for (ticket, _) in gatedReads { effects.answers.append((ticket, .readable)) }
        gatedReads.removeAll()
    }

    func expireGatedReads() {
        gatedReads.removeAll { ticket, deadline in
            guard deadline <= now else { return false }
            refuse(ticket, .timedOut)
            return true
        }
    }
}
