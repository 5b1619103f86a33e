import Cluster
import KeyStore
import Logging
import ProtoWire
import Raft
import RaftModel

/// Keeps the membership, its copy in the store (`/0`), and Raft's idea of it in step.
extension Engine {
    func applyConfChange(_ entry: Entry) {
        let change: ConfChange
        do throws(WireError) { change = try ConfChange.decode(entry.data) } catch {
            return stopServing(.unknownCommand(index: entry.index, problem: "\(error)"))
        }
        do throws(MembershipError) {
            let effect = try membership.apply(change)
            carryOut(effect)
            raft.applyConfChange(change)
            effects.peersChanged = true
            if case .removed(configuration.member) = effect {
                stopServing(.removedFromCluster)
            }
        } catch {
            // It was decided on what was known when it was proposed: nothing changes, and Raft
            // only has to know that the next one may come.
            serverLog.warning("conf change at index \(entry.index) was not carried out: \(error)")
            raft.applyConfChange(nil)
        }
    }

    private func carryOut(_ effect: Membership.Effect) {
        switch effect {
        case .added(let member):
            write(StorePath.raftAttributes(member.id), raftAttributes(of: member), exists: false)
            // A member of the first configuration comes with its name.
            let kind = member.id == configuration.member ? "local member" : "member"
            serverLog.notice(
                """
                added \(kind) \(member.id) [\(member.peerURLs.joined(separator: " "))] to cluster \
                \(configuration.cluster)
                """)
        case .updated(let member):
            write(StorePath.raftAttributes(member.id), raftAttributes(of: member), exists: true)
            serverLog.notice(
                """
                updated member \(member.id) [\(member.peerURLs.joined(separator: " "))] in cluster \
                \(configuration.cluster)
                """)
        case .removed(let id):
            remove(StorePath.member(id))
            write(StorePath.removedMember(id), [], exists: false)
            serverLog.notice("removed member \(id) from cluster \(configuration.cluster)")
        }
    }

    private func raftAttributes(of member: Member) -> [UInt8] {
        MemberJSON.raftAttributes(peerURLs: member.peerURLs)
    }

    /// Each of these raises the store's index by one on every member, as in etcd.
    private func write(_ path: String, _ value: [UInt8], exists: Bool) {
        var request = Request(method: .put, path: Array(path.utf8), value: value)
        request.previousExists = exists
        applyLocally(request)
    }

    private func remove(_ path: String) {
        var request = Request(method: .delete, path: Array(path.utf8))
        (request.isDirectory, request.recursive) = (true, true)
        applyLocally(request)
    }

    private func applyLocally(_ request: Request) {
        request.withView { view in
            guard let command = Command(view) else { preconditionFailure("put and delete only") }
            do throws(StoreError) {
                _ = try store.apply(command, now: clusterTime)
            } catch {
                // The membership allowed it, so only a client's own writes below /0 can be in the
                // way, and clients cannot write there.
                serverLog.error("the store refused a change of the membership: \(error)")
            }
        }
    }

    /// A command changed something below `/0`: what a member published, or the cluster version.
    func clusterKeyChanged(_ view: RequestView) {
        let path = String(decoding: view.path, as: UTF8.self)
        if path == StorePath.version {
            versionChanged(String(decoding: view.value, as: UTF8.self))
        } else if let id = StorePath.memberPublished(at: path) {
            guard let attributes = try? MemberJSON.attributes(from: Array(view.value)) else {
                return serverLog.warning("member \(id) published what is no JSON of a member")
            }
            membership.publish(attributes, of: id)
        }
    }

    private func versionChanged(_ text: String) {
        guard let version = SemanticVersion(text) else {
            return serverLog.warning("the cluster version is set to \(text), which is no version")
        }
        if let fault = ClusterVersion.downgradeFault(local: .served, cluster: version) {
            serverLog.critical("\(fault)")
            return stopServing(.clusterVersionTooHigh(text))
        }
        isVersionProposed = false
        if let old = clusterVersion {
            serverLog.notice(
                "updated the cluster version from \(old.majorMinor) to \(version.majorMinor)")
        } else {
            serverLog.notice("set the initial cluster version to \(version.majorMinor)")
        }
        clusterVersion = version
    }
}
