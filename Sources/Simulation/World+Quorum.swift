import Cluster
import RaftModel

/// Who has what, as the judge asks it, and who sees whom.
extension World {
    /// Whether a member would find another one there.
    func isReachable(_ id: MemberID, from slot: Int) -> Bool {
        guard let other = self.slot(of: id) else { return false }
        return hosts[other].isRunning && !network.isCut(slot, other)
            && !network.isCut(other, slot)
    }

    /// Whether a majority has an entry durably: of the voters as the committing member counted them,
    /// `before` its turn or after it. What rot took from a member counts as there.
    func isDurable(
        _ index: UInt64, _ term: UInt64, before: Membership?, after: Membership
    ) -> Bool {
        if let before, isDurable(index, term, on: before) { return true }
        return isDurable(index, term, on: after)
    }

    private func isDurable(_ index: UInt64, _ term: UInt64, on membership: Membership) -> Bool {
        var holders = 0
        for member in membership.members {
            guard let slot = slot(of: member.id) else { continue }
            let host = hosts[slot]
            if host.durable.holds(index, term) || host.lost?.holds(index, term) ?? false {
                holders += 1
            }
        }
        return holders > membership.members.count / 2
    }
}
