import Cluster
import KeyStore
import Logging
import Raft
import RaftModel
import State

/// Compares what the members' stores hash to (`--verify-every`): see `ContentHashes`.
extension Engine {
    /// After the entry at `index` was applied.
    func noteContentHash(at index: UInt64) {
        let every = configuration.verifyEntryCount
        guard every > 0, index % every == 0, membership.members.count > 1 else { return }
        let hash = state.contentHash
        hashes.note(hash, at: index)
        // Members of etcd 2.3 would take the report for a SYNC, but have nothing to compare.
        guard raft.features == .kvd else { return }
        reportHash(HashReport(member: configuration.member, index: index, hash: hash))
    }

    private func reportHash(_ report: HashReport) {
        report.withView { view in enqueue(view, owner: nil) }
    }

    /// A member's report was applied.
    func hashReported(_ report: HashReport) {
        let verdict = hashes.report(
            report.hash, at: report.index, by: report.member, voters: membership.ids)
        switch verdict {
        case .fine: return
        case .noMajority(let index):
            serverLog.error(
                """
                the members' stores differ after entry \(index), and no majority agrees on one: \
                compare them with kvd-dump store, and restore from a backup
                """)
        case .differs(let index, let own, let theirs):
            serverLog.critical(
                """
                the store of this member hashes to \(Self.hex(own)) after entry \(index), but that of \
                a majority to \(Self.hex(theirs)): it was altered behind kvd's back, by memory or disk. \
                It answers nothing more until it has the leader's
                """)
            raft.voidState()
            effects.stateIsVoid = true
            refuseReaders()
        }
    }

    private func refuseReaders() {
        for ticket in reads.takeAll() { refuse(ticket, .stateIsVoid) }
    }

    private static func hex(_ hash: UInt64) -> String { String(hash, radix: 16) }
}
