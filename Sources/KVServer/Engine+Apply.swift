import Cluster
import KeyStore
import Logging
import Raft
import RaftModel
import State

/// Carries out committed entries, in their order, on every member alike.
extension Engine {
    func apply(_ entries: [Entry]) {
        for entry in entries {
            let applied = state.apply(entry, monotonic: now, wall: wallNow)
            switch applied {
            case .nothing: break
            case .command(let outcome): commandApplied(outcome, entry)
            case .confChange(let change, let result): confChangeApplied(change, result, entry)
            case .unknown(let problem):
                return stopServing(.unknownCommand(index: entry.index, problem: problem))
            }
            policy.applied(entryBytes: entry.data.count + 64)
            noteContentHash(at: entry.index)
            guard stopReason == nil, !raft.isStateVoid else { break }
        }
        if store.hasNotifications { effects.notifications += store.takeNotifications() }
        if store.hasRemovedContent { effects.removedContent.append(store.takeRemovedContent()) }
    }

    private func commandApplied(_ command: Applied.Outcome, _ entry: Entry) {
        let outcome: Outcome
        switch command.result {
        case .event(let event):
            outcome = .applied(event, AppliedAt(raftIndex: entry.index, raftTerm: entry.term))
        case .failed(let error): outcome = .failed(error)
        case .done: outcome = .readable
        }
        if let note = command.note { take(note) }
        switch pending.take(command.id) {
        case .client(let ticket)?: effects.answers.append((ticket, outcome))
        case .publication?: published()
        case .memberChange(let ticket, let kind)?: answerNewcomerChange(ticket, kind, command)
        // Ids are given once, and this one was given to a conf change.
        case .promotion?, nil: break
        }
    }

    private func take(_ note: Applied.ClusterNote) {
        switch note {
        case .hashReported(let report): hashReported(report)
        case .newcomer(let id, let result): newcomerChanged(id, result)
        case .attributesUnreadable(let id):
            serverLog.warning("member \(id) published what is no JSON of a member")
        case .versionUnreadable(let text):
            serverLog.warning("the cluster version is set to \(text), which is no version")
        case .versionTooHigh(let text, let fault):
            serverLog.critical("\(fault)")
            stopServing(.clusterVersionTooHigh(text))
        case .versionSet(let version, let old?):
            isVersionProposed = false
            serverLog.notice(
                "updated the cluster version from \(old.majorMinor) to \(version.majorMinor)")
        case .versionSet(let version, nil):
            isVersionProposed = false
            serverLog.notice("set the initial cluster version to \(version.majorMinor)")
        }
    }

    func stopServing(_ reason: StopReason) {
        guard stopReason == nil else { return }
        stopReason = reason
        effects.stop = reason
        // A removal is somebody's will, and its lines are the owner's: it may learn of it first.
        if reason != .removedFromCluster { serverLog.critical("\(reason)") }
    }
}
