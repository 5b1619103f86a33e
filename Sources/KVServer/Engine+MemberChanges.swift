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
    ///
    /// - Parameter isForced: whatever it does to the quorum.
    package func propose(_ change: ConfChange, isForced: Bool = false, ticket: Ticket) {
        if let refusal = refusalOfProposals {
            return answer(ticket, change.kind, .failure(.refused(refusal)))
        }
        if proposeNewcomerChange(change, ticket) { return }
        if configuration.refusesUnsafeReconfiguration, !isForced,
            let fault = faultOfQuorum(after: change)
        {
            return answer(ticket, change.kind, .failure(fault))
        }
        var change = change
        change.id = requestIDs.next()
        pending.add(
            .memberChange(ticket, change.kind), id: change.id, deadline: now + requestTimeout)
        memberChanges.add(change)
    }

    /// What `--strict-reconfig-check` has against a change; nil: nothing.
    private func faultOfQuorum(after change: ConfChange) -> MemberChangeFault? {
        guard membership.keepsQuorum(after: change.kind, change.member) else {
            serverLog.warning(
                "re-configuration failed due to not enough started members: \(membership.standing)")
            return .tooFewStarted
        }
        guard change.kind == .remove, membership[change.member] != nil else { return nil }
        let left = membership.members.filter { $0.id != change.member }
        let missing = left.filter { $0.id != configuration.member && !isReachable($0.id) }
        guard left.count - missing.count <= left.count / 2, !left.isEmpty else { return nil }
        serverLog.warning(
            """
            re-configuration failed: \(missing.count) of the \(left.count) members that would be left \
            cannot be reached
            """)
        return .unreachable(missing, of: left.count)
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

    /// This member leads, and another conf change is under way, or a member has to rejoin first.
    func memberChangeRefused(_ entry: Entry) {
        guard let id = Self.id(ofConfChange: entry) else { return }
        let mustRejoin = raft.rejoiningMember(needed: entry) != nil
        memberChanges.refused(id, until: mustRejoin ? .max : raft.lastIndex)
    }

    /// Tells the client that waits for the conf change in `entry`, if it is one of this member's.
    func answerMemberChange(
        _ entry: Entry, _ result: Result<Membership.Effect, MembershipError>
    ) {
        guard let id = Self.id(ofConfChange: entry) else { return }
        memberChanges.settled(id)
        switch pending.take(id) {
        case .memberChange(let ticket, let kind)?:
            answer(ticket, kind, result.mapError(MemberChangeFault.membership))
        case .promotion(let newcomer)?: promoted(newcomer, result)
        case .client?, .publication?, nil: break
        }
    }

    func answer(
        _ ticket: Ticket, _ kind: ConfChange.Kind,
        _ result: Result<Membership.Effect, MemberChangeFault>
    ) {
        newcomersAsked[ticket] = nil
        effects.answers.append((ticket, .memberChange(kind, result)))
    }

    /// Nil: nobody waits for it, as for those of a first configuration.
    private static func id(ofConfChange entry: Entry) -> UInt64? {
        guard let change = try? ConfChange.decode(entry.data), change.id != 0 else { return nil }
        return change.id
    }
}
