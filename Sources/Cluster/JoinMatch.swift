internal import RaftModel

/// Finds a joining member's place in the running cluster: `--initial-cluster` gives names and
/// URLs, the peers' `/members` gives ids and URLs. Source: `reference/peer-protocol.md` §7, step 3.
package enum JoinMatch {
    /// The members with the ids that the running cluster gave them and the names of
    /// `--initial-cluster`, sorted by id.
    ///
    /// Members are paired by equal sets of URLs, host names resolved, in any order.
    package static func members(
        _ cluster: InitialCluster, running: [Member], resolve: HostResolver.Resolve
    ) throws(BootstrapFault) -> [Member] {
        guard cluster.members.count == running.count else {
            throw fault("member count is unequal", cluster, running)
        }
        var unmatched = running
        var result: [Member] = []
        for local in cluster.members {
            let position = unmatched.firstIndex { member in
                guard let urls = try? EndpointURL.list(member.peerURLs) else { return false }
                return HostResolver.areEqual(local.urls, urls, resolve: resolve)
            }
            guard let position else {
                throw fault("unmatched member while checking PeerURLs", cluster, running)
            }
            var member = unmatched.remove(at: position)
            member.name = local.name
            result.append(member)
        }
        return result.sorted { $0.id < $1.id }
    }

    private static func fault(
        _ reason: String, _ cluster: InitialCluster, _ running: [Member]
    ) -> BootstrapFault {
        let members = running.map { "\($0.id)=\($0.peerURLs.joined(separator: ","))" }
        return .membersDiffer(
            reason: "\(reason) (the running cluster has \(members.joined(separator: "; ")))",
            cluster: cluster.description)
    }
}
