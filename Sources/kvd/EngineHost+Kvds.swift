import Cluster
import KVServer
import Logging
import RaftModel
import Storage
import StorageIO
import Transport

/// Which members are kvds: what an etcd 2.3 would not understand is used only while all are.
///
/// A member says what it is whenever it is connected. What it said last holds while it is away, also
/// over restarts of this one (`KvdNote`): else a cluster of three with one member dead would be without
/// pre-votes, quorum checks and read rounds from the next restart on. Should an etcd have been started
/// in its place meanwhile, that is learnt with the first word from it, and nothing an etcd does not know
/// is sent before (`PeerLink.isKvd`).
extension EngineHost {
    /// At the start, before anybody has said anything.
    func recallKvds() {
        guard !knownKvds.isEmpty else { return }
        for member in knownKvds { engine.setIsKvd(member, true) }
        let ids = knownKvds.sorted().map { "\($0)" }.joined(separator: ", ")
        log.info("were kvds when last heard of: \(ids)")
    }

    func learnt(_ features: PeerFeatures, of peer: MemberID) {
        peerFeatures[peer] = features
        let isKvd = features.isSuperset(of: .supported)
        engine.setIsKvd(peer, isKvd)
        if !isKvd, knownKvds.remove(peer) != nil {
            log.warning(
                """
                member \(peer) was a kvd and is none any more, or an older one: this member says only \
                what an etcd 2.3 knows
                """)
        }
        updateFeatures()
    }

    func updateFeatures() {
        let membership = engine.membership
        let own = engine.configuration.member
        knownKvds.subtract(membership.removed)
        for member in membership.listed where member.id != own && hasSaidIsKvd(member.id) {
            knownKvds.insert(member.id)
        }
        let areKvd = membership.ids.allSatisfy { $0 == own || knownKvds.contains($0) }
        // Before its log says so, a member does not know whom it has joined.
        engine.setAllMembersAreKvd(areKvd && !membership.ids.isEmpty)
        if knownKvds != notedKvds { noteKvds() }
    }

    private func hasSaidIsKvd(_ member: MemberID) -> Bool {
        peerFeatures[member]?.isSuperset(of: .supported) ?? false
    }

    private func noteKvds() {
        notedKvds = knownKvds
        let note = KvdNote(
            owner: WALMetadata(
                memberID: engine.configuration.member, clusterID: engine.configuration.cluster),
            members: knownKvds)
        let (directory, log) = (directory, log)
        keeper.run {
            do throws(StorageError) { try directory.leave(note) } catch {
                log.warning("\(directory.kvdNotePath) could not be replaced: \(error)")
            }
        }
    }
}
