package import RaftModel

extension Engine {
    /// Whether plain reads may be answered from the store.
    ///
    /// After a restart the store begins behind what this member had shown before it: replay has to
    /// reach the commit index that it knew, else a client could see time run backwards.
    package var isReadable: Bool { appliedIndex >= readableFrom }

    /// Answers `.readable` as soon as plain reads may be answered; never before the next pump.
    package func whenReadable(ticket: Ticket) {
        gatedReads.append((ticket, now + requestTimeout))
    }

    /// Answers `.readable` when the store holds everything that was acknowledged, by any member,
    /// before this call. Costs a round of heartbeats, shared by all reads of the turn; no entry.
    package func readLinearizably(ticket: Ticket) {
        guard stopReason == nil else { return refuse(ticket, .stopped) }
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

    private func ask(_ context: UInt64) {
        // A refusal (no leader, or one that is too new to know) is answered by asking again.
        _ = raft.readIndex(context: context)
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
