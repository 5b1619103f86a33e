import Cluster
import KeyStore
import Raft
import RaftModel

extension Engine {
    /// The store is not what the log says: it is being fetched, and nothing is answered meanwhile.
    package var isStateVoid: Bool { raft.isStateVoid }

    /// Whether plain reads may be answered from the store.
    ///
    /// After a restart the store begins behind what this member had shown before it: replay has to
    /// reach the commit index that it knew, else a client could see time run backwards. Entries
    /// beyond it may have been thrown away by a new leader: an applied entry of a later term than
    /// all that the log had stands for everything committed before.
    ///
    /// A leader's snapshot is not shown before the log names it durably: a restart would not have it.
    /// A member whose log lost entries shows nothing before it has everything again. One that joins has
    /// everything of the time before it was added when its log says that it was.
    package var isReadable: Bool {
        guard !raft.isStateVoid, !raft.isRejoining, isMember, appliedIndex <= raft.appliedIndex
        else { return false }
        return appliedIndex >= readableFrom || appliedTerm > restoredTerm
    }

    /// What the next start must not fall behind, for the mark that it reads. Nil: this run has not
    /// come to what the one before may have shown, so that what was noted then still holds; the
    /// lower index of this run, noted in its place, would let the next one begin too early.
    package var shownIndex: UInt64? { isReadable ? appliedIndex : nil }

    /// Whether plain reads may be answered, by a store that has come to `storeIndex`.
    package func isReadable(at storeIndex: UInt64) -> Bool {
        store.currentIndex >= storeIndex && isReadable
    }

    /// Answers `.readable` as soon as `isReadable(at: storeIndex)`; never before the next pump.
    package func whenReadable(at storeIndex: UInt64 = 0, ticket: Ticket) {
        guard stopReason == nil else { return refuse(ticket, .stopped) }
        guard !raft.isStateVoid else { return refuse(ticket, .stateIsVoid) }
        guard gatedReads.count < configuration.pendingMax else {
            return refuse(ticket, .tooManyRequests(limit: configuration.pendingMax))
        }
        gatedReads.append(
            GatedRead(ticket: ticket, storeIndex: storeIndex, deadline: now + requestTimeout))
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

    /// Answers the reads whose index is applied, and the plain reads that were held back.
    func answerReads() {
        reads.takeReadable(applied: appliedIndex) { effects.answers.append(($0, .readable)) }
        guard !gatedReads.isEmpty, isReadable else { return }
        let storeIndex = store.currentIndex
        gatedReads.removeAll { read in
            guard read.storeIndex <= storeIndex else { return false }
            effects.answers.append((read.ticket, .readable))
            return true
        }
    }

    func expireGatedReads() {
        let storeIndex = store.currentIndex
        gatedReads.removeAll { read in
            guard read.deadline <= now else { return false }
            let isBehind = isReadable && read.storeIndex > storeIndex
            refuse(
                read.ticket,
                isBehind ? .behind(wanted: read.storeIndex, at: storeIndex) : .timedOut)
            return true
        }
    }
}

/// A plain read that this member cannot answer yet.
struct GatedRead {
    let ticket: Ticket
    /// What the client has seen already; 0: anything will do.
    let storeIndex: UInt64
    /// Monotonic nanoseconds.
    let deadline: Int64
}
