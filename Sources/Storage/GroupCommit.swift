import RaftModel
package import StorageIO

/// Saves groups of batches: in the log, and what they promise in the vote record too.
///
/// What the writer's thread does in each of its turns, without the thread, the queue and the clock:
/// `LogWriterLoop` and the simulator call it. Synchronous.
package final class GroupCommit<IO: FileStorage> {
    package struct Summary {
        package var entryCount = 0
        /// Written to the log.
        package var bytes = 0
        /// Whether all of it is durable now; else it will be with the next group that is.
        package var isSynced = false
    }

    package let wal: WAL<IO>
    private var voteRecord: VoteRecord<IO>?

    package init(_ wal: WAL<IO>, _ voteRecord: VoteRecord<IO>?) {
        (self.wal, self.voteRecord) = (wal, voteRecord)
    }

    /// Before the first group: the record says at least what the log does, durably. What it said
    /// before is stored once more: a sync of it may have failed, and only the cache have it.
    package func begin() throws(WALError) {
        if let last = voteRecord?.recalled { try store(last.term, last.vote) }
        try promise(wal.hardState)
    }

    /// Writes the batches as one, under one sync if any of them needs it.
    package func commit(_ batches: [LogBatch]) throws(WALError) -> Summary {
        var summary = Summary()
        var state: HardState?
        for batch in batches {
            try wal.append(hardState: batch.hardState, entries: batch.entries)
            if let snapshot = batch.snapshot { try wal.append(snapshot) }
            summary.entryCount += batch.entries.count
            summary.isSynced = summary.isSynced || batch.needsSync
            state = batch.hardState ?? state
        }
        summary.bytes = wal.bufferedBytes
        if let state { try promise(state) }
        if summary.isSynced { try wal.sync() } else { try wal.write() }
        return summary
    }

    /// Records term and vote if they are newer than those that were recorded last. Before the log has
    /// them, so that the record is never behind it.
    ///
    /// The record itself may be ahead of a log that is started: power failed between the two. What it
    /// says was promised then, and must not be overwritten with less.
    private func promise(_ state: HardState) throws(WALError) {
        guard let voteRecord, !state.isEmpty else { return }
        if let last = voteRecord.recalled {
            if last.term > state.term { return }
            if last.term == state.term, last.vote == state.vote || state.vote == .none { return }
        }
        try store(state.term, state.vote)
    }

    private func store(_ term: UInt64, _ vote: MemberID) throws(WALError) {
        do throws(StorageError) { try voteRecord?.store(term: term, vote: vote) } catch {
            throw wal.close(error)
        }
    }
}
