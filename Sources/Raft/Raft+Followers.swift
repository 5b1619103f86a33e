public import RaftModel

extension Raft {
    /// Of all other members, in ascending order of ids; empty unless this one leads.
    public var followers: [FollowerStatus] {
        guard role == .leader else { return [] }
        return members.all.filter { $0.id != configuration.id }.map { progress in
            let state: FollowerStatus.State =
                switch progress.state {
                case .probe: .probe
                case .replicate: .replicate
                case .snapshot: .snapshot
                }
            return FollowerStatus(
                id: progress.id, isVoter: progress.isVoter, match: progress.match,
                next: progress.next, state: state, isRecentlyActive: progress.isRecentlyActive)
        }
    }
}
