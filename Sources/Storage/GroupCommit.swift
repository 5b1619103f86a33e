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

    /// Before the first group: the record says at least what the log does.
    package func begin() throws(WALError) { try promise(wal.hardState) }

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

    /// Records term and vote if they are not those that were recorded last. Before the log has
    /// them, so that the record is never behind it.
    private func promise(_ state: HardState) throws(WALError) {
        guard var record = voteRecord, !state.isEmpty else { return }
        if let last = record.recalled, last.term == state.term, last.vote == state.vote { return }
        do throws(StorageError) { try record.store(term: state.term, vote: state.vote) } catch {
            throw wal.close(error)
        }
        voteRecord = record
    }
}
