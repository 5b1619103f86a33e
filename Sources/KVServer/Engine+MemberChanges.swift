import Cluster
import Logging
import Raft
package import RaftModel
import State

/// Conf changes that clients ask for: from the request to its answer.
extension Engine {
    /// Hands in a client's conf change. The answer, a `.memberChange`, comes in a later pump's
    /// `Effects`, under `ticket`: when the change is applied, or when time is up.
    ///
    /// Its id is set here.
    package func propose(_ change: ConfChange, ticket: Ticket) {
        if let refusal = refusalOfProposals {
            return answer(ticket, change.kind, .failure(.refused(refusal)))
        }
        if configuration.refusesUnsafeReconfiguration,
            !membership.keepsQuorum(after: change.kind, change.member)
        {
            serverLog.warning(
                "re-configuration failed due to not enough started members: \(membership.standing)")
            return answer(ticket, change.kind, .failure(.tooFewStarted))
        }
        var change = change
        change.id = requestIDs.next()
        pending.add(
            .memberChange(ticket, change.kind), id: change.id, deadline: now + requestTimeout)
        memberChanges.add(change)
    }

    /// Proposes the next conf change, if it is its turn and there is a leader to take it.
    func proposeMemberChange() {
        guard !memberChanges.isEmpty, raft.leader != .none else { return }
        let interval = heartbeatNanoseconds * Int64(configuration.electionTicks)
        guard
            let entry = memberChanges.due(
                now: now, applied: appliedIndex, repeatInterval: interval)
        else { return }
        do throws(ProposalError) {
            try raft.propose([entry])
            memberChanges.proposed(now: now)
        } catch {
            // Not now; a later pump tries again.
        }
    }

    /// This member leads, and another conf change is under way.
    func memberChangeRefused(_ entry: Entry) {
        guard let id = Self.id(ofConfChange: entry) else { return }
        memberChanges.refused(id, until: raft.lastIndex)
    }

    /// Tells the client that waits for the conf change in `entry`, if it is one of this member's.
    func answerMemberChange(
        _ entry: Entry, _ result: Result<Membership.Effect, MembershipError>
    ) {
        guard let id = Self.id(ofConfChange: entry) else { return }
        memberChanges.settled(id)
        guard case .memberChange(let ticket, let kind)? = pending.take(id) else { return }
        answer(ticket, kind, result.mapError(MemberChangeFault.membership))
    }

    func answer(
        _ ticket: Ticket, _ kind: ConfChange.Kind,
        _ result: Result<Membership.Effect, MemberChangeFault>
    ) {
        effects.answers.append((ticket, .memberChange(kind, result)))
    }

    /// Nil: nobody waits for it, as for those of a first configuration.
    private static func id(ofConfChange entry: Entry) -> UInt64? {
        guard let change = try? ConfChange.decode(entry.data), change.id != 0 else { return nil }
        return change.id
    }
}
