package import Cluster
import KeyStore
import Logging
import Raft
package import RaftModel
import State

/// What a member does by itself: publish its name and client URLs, keep the cluster's clock going,
/// and, as leader, look after the cluster version.
extension Engine {
    /// Whether this member leads and has applied an entry of its own term: only then does it know
    /// all that earlier leaders committed.
    var isEstablishedLeader: Bool { raft.isLeader && appliedTerm == raft.term }

    func performDuties() {
        publishIfNeeded()
        guard isEstablishedLeader else {
            versionCheckDue = nil
            return
        }
        syncIfDue()
        if versionCheckDue.map({ $0 <= now }) ?? true {
            versionCheckDue = now + Self.versionCheckInterval
            // What was proposed and not applied since the last check was lost.
            isVersionProposed = false
            effects.wantsVersions = true
        }
    }

    private static var versionCheckInterval: Int64 { 4_000_000_000 }
    /// Without keys that expire, SYNCs only carry the clock over changes of leader.
    private static var idleSyncInterval: Int64 { 10_000_000_000 }

    // MARK: Publication

    /// Proposes this member's attributes until an applied entry says that they are known.
    private func publishIfNeeded() {
        guard !isPublished, !isPublishing, raft.leader != .none else { return }
        guard membership[configuration.member] != nil else { return }
        isPublishing = true
        let path = Array(StorePath.attributes(configuration.member).utf8)
        let value = MemberJSON.attributes(configuration.attributes)
        put(path, value, owner: .publication)
    }

    func published() {
        isPublishing = false
        isPublished = true
        let urls = configuration.attributes.clientURLs.joined(separator: " ")
        serverLog.info(
            """
            published {Name:\(configuration.attributes.name) ClientURLs:[\(urls)]} \
            to cluster \(configuration.cluster)
            """)
    }

    // MARK: Clock

    /// The cluster's time in Unix nanoseconds: what `expiration` is counted from.
    package var clusterTime: Int64 { state.clusterTime(monotonic: now, wall: wallNow) }

    private func syncIfDue() {
        let hasTTLs = store.hasExpiringNodes
        let interval = hasTTLs ? KVServer.syncIntervalNanoseconds : Self.idleSyncInterval
        guard now - lastSyncProposedAt >= interval else { return }
        lastSyncProposedAt = now
        var view = RequestView()
        view.method = .sync
        view.time = clusterTime
        enqueue(view, owner: nil)
    }

    // MARK: Cluster version

    /// What the other members answered at `GET /version`; nil for one that could not be asked.
    package func versionsLearnt(_ others: [MemberID: MemberVersions?]) {
        guard isEstablishedLeader, !isVersionProposed else { return }
        if let current = clusterVersion, current.withoutPatch > .served.withoutPatch {
            // Left by an etcd 3.x whose v2 data this is.
            isVersionProposed = true
            return put(
                Array(StorePath.version.utf8),
                Array(SemanticVersion.served.withoutPatch.description.utf8), owner: nil)
        }
        var all = others
        all[configuration.member] = MemberVersions(server: .served, cluster: clusterVersion)
        let decision = ClusterVersion.decide(current: clusterVersion, members: all)
        if let warning = ClusterVersion.outdatedLeaderWarning(local: .served, members: all) {
            serverLog.warning("\(warning)")
        }
        guard let version = decision.version else { return }
        if let line = decision.logLine { serverLog.info("\(line)") }
        isVersionProposed = true
        put(Array(StorePath.version.utf8), Array(version.description.utf8), owner: nil)
    }

    func put(_ path: [UInt8], _ value: [UInt8], owner: PendingRequests.Owner?) {
        path.withUnsafeBytes { path in
            value.withUnsafeBytes { value in
                var view = RequestView()
                view.method = .put
                (view.path, view.value) = (path, value)
                enqueue(view, owner: owner)
            }
        }
    }
}
