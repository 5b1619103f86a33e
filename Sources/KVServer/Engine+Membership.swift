import Cluster
import KeyStore
import Logging
import Raft
import RaftModel
import State

/// Keeps Raft's idea of the membership in step with the state's, and says what changed.
extension Engine {
    func confChangeApplied(
        _ change: ConfChange?, _ result: Result<Membership.Effect, MembershipError>, _ entry: Entry
    ) {
        raft.applyConfChange(change)
        answerMemberChange(entry, result)
        switch result {
        case .success(let effect):
            noteMembership()
            describe(effect)
            releasePublication(after: effect)
            effects.peersChanged = true
            if case .removed(configuration.member) = effect { stopServing(.removedFromCluster) }
        case .failure(let error):
            // It was decided on what was known when it was proposed: nothing changes, and Raft
            // only has to know that the next one may come.
            serverLog.warning("conf change at index \(entry.index) was not carried out: \(error)")
        }
    }

    /// To be called when the membership has changed.
    func noteMembership() {
        isMember = membership[configuration.member] != nil
        raft.setNonVoters(membership.newcomers.map(\.id))
    }

    private func describe(_ effect: Membership.Effect) {
        switch effect {
        case .added(let member):
            // A member of the first configuration comes with its name.
            let kind = member.id == configuration.member ? "local member" : "member"
            serverLog.notice(
                """
                added \(kind) \(member.id) [\(member.peerURLs.joined(separator: " "))] to cluster \
                \(configuration.cluster)
                """)
        case .updated(let member):
            serverLog.notice(
                """
                updated member \(member.id) [\(member.peerURLs.joined(separator: " "))] in cluster \
                \(configuration.cluster)
                """)
        case .removed(let id):
            serverLog.notice("removed member \(id) from cluster \(configuration.cluster)")
        }
    }
}
