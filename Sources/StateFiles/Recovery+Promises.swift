package import Cluster
import RaftModel
package import Storage
import StorageIO

/// What a start adds to the log that it found: a first start's entries, and what files beside the
/// log know that the log may have lost.
extension Recovery {
    /// Writes the entries that every first member's log begins with.
    package mutating func fill(_ members: [Member]) throws(RecoveryError) {
        precondition(log.lastIndex == 0, "only an empty log begins")
        let state = Bootstrap.hardState(members)
        let entries = Bootstrap.entries(members)
        let wal = wal
        try RecoveryError.log { () throws(WALError) in
            try wal.append(hardState: state, entries: entries)
            try wal.sync()
        }
        (log.hardState, log.entries) = (state, entries)
        log.lastIndex = UInt64(entries.count)
        log.lastTerm = Bootstrap.term
    }

    /// A log that lost its end may have lost a vote with it; the record has not.
    package mutating func remember(_ record: VoteRecord<IO>) {
        guard let (term, vote) = record.recalled else { return }
        var state = log.hardState
        guard term > state.term || (term == state.term && state.vote == .none && vote != .none)
        else { return }
        (state.term, state.vote) = (term, vote)
        log.hardState = state
    }

    /// What was applied was durable before. A log that ends earlier has lost entries at its end,
    /// its last marker included, so that nothing in it says so.
    package func checkNothingIsMissing(
        _ mark: borrowing CommitMark, _ directory: DataDirectory<IO>
    ) throws(RecoveryError) {
        let applied = mark.recalled.applied
        guard applied > log.lastIndex else { return }
        throw RecoveryError(
            "wal",
            """
            the log in \(directory.walPath) ends at index \(log.lastIndex), but this member had \
            applied entries up to \(applied) (\(directory.markPath)): entries that were acknowledged \
            are missing at its end. Start it with --rejoin to fetch them from its peers, or restore \
            the data dir from a backup
            """)
    }

    /// The index that has to be applied before plain reads are answered: what this member had
    /// applied before, as far as it can be known; else all that its log has.
    package func readableFrom(
        _ recalled: CommitMark.Recalled, isRestart: Bool, isRejoining: Bool
    ) -> UInt64 {
        switch recalled {
        case .exact(let values) where isRejoining: values.commit
        case .exact(let values): min(values.commit, log.lastIndex)
        case .older(let values) where isRejoining: max(values.commit, log.lastIndex)
        case .older, .unknown: isRestart ? log.lastIndex : log.hardState.commit
        }
    }
}
