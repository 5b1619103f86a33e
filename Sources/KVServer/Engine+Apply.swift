import KeyStore
import Logging
import ProtoWire
import Raft
import RaftModel

/// Carries out committed entries, in their order, on every member alike.
extension Engine {
    func apply(_ entries: [Entry]) {
        for entry in entries {
            precondition(entry.index == appliedIndex + 1, "entries are applied without a gap")
            switch entry.kind {
            case .normal: applyNormal(entry)
            case .confChange: applyConfChange(entry)
            }
            guard stopReason == nil else { return }
            appliedIndex = entry.index
            appliedTerm = entry.term
        }
        if store.hasNotifications { effects.notifications += store.takeNotifications() }
        if store.hasRemovedContent { effects.removedContent.append(store.takeRemovedContent()) }
    }

    private func applyNormal(_ entry: Entry) {
        // A new leader's first entry.
        guard !entry.data.isEmpty else { return }
        entry.data.withUnsafeBytes { bytes in
            let view: RequestView
            do throws(WireError) { view = try RequestView.decode(bytes) } catch {
                return stopServing(.unknownCommand(index: entry.index, problem: "\(error)"))
            }
            guard let command = Command(view) else {
                let problem = "its method is none of the v2 API's"
                return stopServing(.unknownCommand(index: entry.index, problem: problem))
            }
            apply(command, view, at: AppliedAt(raftIndex: entry.index, raftTerm: entry.term))
        }
    }

    private func apply(_ command: Command, _ view: RequestView, at place: AppliedAt) {
        let outcome: Outcome
        do throws(StoreError) {
            switch try store.apply(command, now: clusterTime) {
            case .event(let event): outcome = .applied(event, place)
            case .node, .expired: outcome = .readable
            }
        } catch {
            outcome = .failed(error)
        }
        if command.method == .sync {
            clock.applied(syncTime: view.time, monotonic: now)
        } else if view.path.isBelowClusterNamespace, case .applied = outcome {
            clusterKeyChanged(view)
        }
        switch pending.take(view.id) {
        case .client(let ticket)?: effects.answers.append((ticket, outcome))
        case .publication?: published()
        case nil: break
        }
    }

    func stopServing(_ reason: StopReason) {
        guard stopReason == nil else { return }
        stopReason = reason
        effects.stop = reason
        serverLog.critical("\(reason)")
    }
}

extension Command {
    /// Borrows the view's bytes; nil for a method that the v2 store does not have.
    init?(_ view: RequestView) {
        let method: Method
        switch view.method {
        case .put: method = .put
        case .post: method = .post
        case .delete: method = .delete
        case .quorumGet: method = .quorumGet
        case .sync: method = .sync
        case .unknown: return nil
        }
        self.init(method, path: view.path)
        value = view.value
        isDirectory = view.isDirectory
        previousValue = view.previousValue
        previousIndex = view.previousIndex
        previousExists = view.previousExists
        expiration = view.expiration
        isRefresh = view.refresh ?? false
        isRecursive = view.recursive
        time = view.time
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the path lies below `/0/`: what a member needs to know about the cluster.
    fileprivate var isBelowClusterNamespace: Bool {
        count > 3 && self[0] == UInt8(ascii: "/") && self[1] == UInt8(ascii: "0")
            && self[2] == UInt8(ascii: "/")
    }
}
