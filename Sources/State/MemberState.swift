package import Cluster
package import KeyStore
import ProtoWire
package import RaftModel

/// The state machine: what the entries applied so far add up to. One thread; see `State`.
package final class MemberState {
    package let store: Store
    /// As of the last applied entry; `/0` of the store says the same.
    package private(set) var membership = Membership()
    package private(set) var clusterVersion: SemanticVersion?
    package private(set) var appliedIndex: UInt64 = 0
    package private(set) var appliedTerm: UInt64 = 0
    package private(set) var clock = ClusterClock()
    /// Another one with each change outside the keys of clients: below `/2` are users and roles.
    /// (Nothing there has a time to live.)
    package private(set) var authRevision: UInt64 = 0
    /// Takes over what an etcd 3.x left, of which only the v2 part counts: its cluster version is no
    /// hindrance, and entries that are none of the v2 API's are passed over.
    package var acceptsAnyVersion = false

    /// A new cluster's: nothing applied yet.
    package init(options: Store.Options = Store.Options()) { store = Store(options: options) }

    /// What the store's content hashes to, its index included.
    package var contentHash: UInt64 { store.contentHash }

    /// The cluster's time in Unix nanoseconds, given this machine's clocks.
    package func clusterTime(monotonic: Int64, wall: Int64) -> Int64 {
        clock.now(monotonic: monotonic, wall: wall)
    }

    /// Carries out the next committed entry.
    ///
    /// - Parameters:
    ///   - monotonic, wall: this machine's clocks in nanoseconds, for what answers say of TTLs; the
    ///     state does not depend on them.
    package func apply(_ entry: Entry, monotonic: Int64, wall: Int64) -> Applied {
        precondition(entry.index == appliedIndex + 1, "entries are applied without a gap")
        let applied: Applied
        switch entry.kind {
        case .normal: applied = applyNormal(entry, monotonic: monotonic, wall: wall)
        case .confChange: applied = applyConfChange(entry, monotonic: monotonic, wall: wall)
        }
        if case .unknown = applied, !acceptsAnyVersion { return applied }
        (appliedIndex, appliedTerm) = (entry.index, entry.term)
        if case .unknown = applied { return .nothing }
        return applied
    }

    // MARK: Commands

    private func applyNormal(_ entry: Entry, monotonic: Int64, wall: Int64) -> Applied {
        guard !entry.data.isEmpty else { return .nothing }
        return entry.data.withUnsafeBytes { bytes in
            let view: RequestView
            do throws(WireError) { view = try RequestView.decode(bytes) } catch {
                return .unknown(problem: "\(error)")
            }
            guard let command = Command(view) else {
                return .unknown(problem: "its method is none of the v2 API's")
            }
            return .command(apply(command, view, monotonic: monotonic, wall: wall))
        }
    }

    private func apply(
        _ command: Command, _ view: RequestView, monotonic: Int64, wall: Int64
    ) -> Applied.Outcome {
        if command.method == .sync, let report = HashReport(view) {
            return Applied.Outcome(id: view.id, result: .done, note: .hashReported(report))
        }
        var outcome = Applied.Outcome(id: view.id, result: .done)
        do throws(StoreError) {
            let now = clusterTime(monotonic: monotonic, wall: wall)
            if case .event(let event) = try store.apply(command, now: now) {
                outcome.result = .event(event)
            }
        } catch {
            outcome.result = .failed(error)
        }
        if command.method == .sync {
            clock.applied(syncTime: view.time, monotonic: monotonic, wall: wall)
        } else if view.path.isOutsideClientNamespace, case .event = outcome.result {
            if view.path.isBelowClusterNamespace { outcome.note = clusterKeyChanged(view) }
            authRevision += 1
        }
        return outcome
    }

    /// A command changed something below `/0`: what a member published, or the cluster version.
    private func clusterKeyChanged(_ view: RequestView) -> Applied.ClusterNote? {
        let path = String(decoding: view.path, as: UTF8.self)
        if path == StorePath.version {
            return versionChanged(String(decoding: view.value, as: UTF8.self))
        }
        if let id = StorePath.newcomer(at: path) { return newcomerChanged(id, view) }
        guard let id = StorePath.memberPublished(at: path) else { return nil }
        guard let attributes = try? MemberJSON.attributes(from: Array(view.value)) else {
            return .attributesUnreadable(id)
        }
        membership.publish(attributes, of: id)
        return nil
    }

    private func newcomerChanged(_ id: MemberID, _ view: RequestView) -> Applied.ClusterNote? {
        guard view.method == .put, let newcomer = Newcomer(id, value: Array(view.value)) else {
            return nil
        }
        do throws(MembershipError) {
            return .newcomer(id, .success(try membership.settle(id, newcomer)))
        } catch {
            return .newcomer(id, .failure(error))
        }
    }

    private func versionChanged(_ text: String) -> Applied.ClusterNote {
        guard let version = SemanticVersion(text) else { return .versionUnreadable(text) }
        if !acceptsAnyVersion,
            let fault = ClusterVersion.downgradeFault(local: .served, cluster: version)
        {
            return .versionTooHigh(text, fault: fault)
        }
        let old = clusterVersion
        clusterVersion = version
        return .versionSet(version, old: old)
    }

    // MARK: Membership

    private func applyConfChange(_ entry: Entry, monotonic: Int64, wall: Int64) -> Applied {
        let change: ConfChange
        do throws(WireError) { change = try ConfChange.decode(entry.data) } catch {
            return .unknown(problem: "\(error)")
        }
        let now = clusterTime(monotonic: monotonic, wall: wall)
        do throws(MembershipError) {
            let effect = try membership.apply(change)
            writeDown(effect, now: now)
            return .confChange(change, .success(effect))
        } catch {
            return .confChange(nil, .failure(error))
        }
    }

    /// Each of these raises the store's index by one on every member, as in etcd.
    private func writeDown(_ effect: Membership.Effect, now: Int64) {
        switch effect {
        case .added(let member):
            write(StorePath.raftAttributes(member.id), attributes(member), exists: false, now: now)
        case .updated(let member):
            write(StorePath.raftAttributes(member.id), attributes(member), exists: true, now: now)
        case .removed(let id):
            var request = Request(method: .delete, path: Array(StorePath.member(id).utf8))
            (request.isDirectory, request.recursive) = (true, true)
            applyLocally(request, now: now)
            write(StorePath.removedMember(id), [], exists: false, now: now)
        }
    }

    private func attributes(_ member: Member) -> [UInt8] {
        MemberJSON.raftAttributes(peerURLs: member.peerURLs)
    }

    private func write(_ path: String, _ value: [UInt8], exists: Bool, now: Int64) {
        var request = Request(method: .put, path: Array(path.utf8), value: value)
        request.previousExists = exists
        applyLocally(request, now: now)
    }

    private func applyLocally(_ request: Request, now: Int64) {
        request.withView { view in
            guard let command = Command(view) else { preconditionFailure("put and delete only") }
            // The membership allowed it, and clients cannot write below /0; a log that was tampered
            // with may still have something there. The same happens on every member.
            _ = try? store.apply(command, now: now)
        }
    }

    // MARK: Snapshots

    /// The state as it is, unchanging, in O(1).
    package func image(confState: ConfState? = nil) -> StateImage {
        StateImage(
            store: store.image, term: appliedTerm, index: appliedIndex,
            confState: confState ?? ConfState(members: membership.ids),
            clusterTime: clock.synced ?? 0)
    }

    /// Puts `image` in the place of everything. Returns the watchers that can no longer be served.
    ///
    /// - Parameters:
    ///   - monotonic: this machine's clock now, from which the cluster's goes on.
    ///   - isContinuation: it is a later state of what is here; see `Store.restore`.
    @discardableResult
    package func restore(
        _ image: StateImage, monotonic: Int64, isContinuation: Bool = true
    ) -> [WatcherID] {
        let cancelled = store.restore(image.store, isContinuation: isContinuation)
        (appliedIndex, appliedTerm) = (image.index, image.term)
        let facts = ClusterFacts(store.tree)
        membership = facts.membership
        clusterVersion = facts.version
        authRevision += 1
        clock = ClusterClock()
        if image.clusterTime > 0 {
            clock.applied(syncTime: image.clusterTime, monotonic: monotonic)
        }
        return cancelled
    }
}
