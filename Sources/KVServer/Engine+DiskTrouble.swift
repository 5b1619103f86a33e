import Logging
import Raft
import RaftModel

/// What a member does when its disk has no room left: it takes no writes and does not lead, but
/// goes on reading, watching, and writing what others commit as long as its reserve lasts.
extension Engine {
    /// The log's writer met a full disk, or has room again.
    package func diskBecame(full isFull: Bool) {
        guard isFull != isDiskFull else { return }
        isDiskFull = isFull
        if isFull {
            serverLog.error(
                "no space left on the disk: writes are refused until there is; reads and watches go on"
            )
            handOverLeadership()
        } else {
            serverLog.notice("the disk has space again: writes are taken")
        }
    }

    /// Hands leadership to the member that has most of the log, if there is one. Returns whether a
    /// transfer was begun.
    @discardableResult
    package func handOverLeadership() -> Bool {
        guard raft.isLeader else { return false }
        let others = raft.memberStatuses.filter {
            $0.id != configuration.member && $0.isVoter && $0.isRecentlyActive
        }
        guard let best = others.max(by: { $0.match < $1.match }) else { return false }
        do throws(TransferError) {
            try raft.transferLeadership(to: best.id)
            return true
        } catch {
            serverLog.warning("leadership stays here: \(error)")
            return false
        }
    }
}
