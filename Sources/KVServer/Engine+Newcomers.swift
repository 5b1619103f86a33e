import Cluster
import Logging
import Raft
import RaftModel
import State

/// Members that do not vote yet: see `Newcomer`. Used while every member is a kvd that knows them;
/// else a member is added by a conf change at once, as in etcd.
extension Engine {
    /// Proposes the command that a client's change of a newcomer is. Returns false if it is none.
    func proposeNewcomerChange(_ change: ConfChange, _ ticket: Ticket) -> Bool {
        let known = membership.newcomer(change.member)
        let isNew = change.kind == .add && raft.features == .kvd
        // One that is being added on this member is removed in the same way, after it.
        let isComing = change.kind == .remove && newcomersAsked.values.contains(change.member)
        guard known != nil || isNew || isComing else { return false }
        var request = Request(
            method: .put, path: Array(StorePath.newcomer(change.member).utf8),
            value: change.context)
        do throws(MembershipError) {
            switch change.kind {
            case .add, .update:
                guard let member = try Membership.context(of: change) else {
                    throw MembershipError(.unreadableContext, change.member)
                }
                if change.kind == .add, known != nil {
                    throw MembershipError(.idExists, change.member)
                }
                try membership.validate(newcomer: member)
                // One that was removed meanwhile must stay so.
                if let known {
                    request.previousValue = MemberJSON.context(known)
                } else {
                    request.previousExists = false
                }
            case .remove: request.value = Newcomer.removedValue
            }
        } catch {
            answer(ticket, change.kind, .failure(.membership(error)))
            return true
        }
        if isNew { newcomersAsked[ticket] = change.member }
        request.withView { view in enqueue(view, owner: .memberChange(ticket, change.kind)) }
        return true
    }

    /// The command of a client's change of a newcomer was applied.
    func answerNewcomerChange(
        _ ticket: Ticket, _ kind: ConfChange.Kind, _ command: Applied.Outcome
    ) {
        switch command.note {
        case .newcomer(_, .success(let effect))?: answer(ticket, kind, .success(effect))
        // It had just become a member: it is removed as one.
        case .newcomer(let id, .failure(let error))?
        where kind == .remove && error.code == .idExists:
            propose(ConfChange(kind: .remove, member: id), ticket: ticket)
        case .newcomer(_, .failure(let error))?: answer(ticket, kind, .failure(.membership(error)))
        // Another change of it came first.
        default: answer(ticket, kind, .failure(.refused(.timedOut)))
        }
    }

    func newcomerChanged(_ id: MemberID, _ result: Result<Membership.Effect, MembershipError>) {
        guard case .success(let effect) = result else { return }
        noteMembership()
        if case .removed = effect { earlyPublications[id] = nil }
        effects.peersChanged = true
        let cluster = configuration.cluster
        switch effect {
        case .added(let member):
            let urls = member.peerURLs.joined(separator: " ")
            serverLog.notice(
                "added member \(id) [\(urls)] to cluster \(cluster); it votes when it has the log")
        case .updated(let member):
            let urls = member.peerURLs.joined(separator: " ")
            serverLog.notice("updated member \(id) [\(urls)] in cluster \(cluster)")
        case .removed:
            serverLog.notice("removed member \(id) from cluster \(cluster)")
            if id == configuration.member { stopServing(.removedFromCluster) }
        }
    }

    // MARK: A newcomer that is an etcd

    /// Takes proposals of one that is no member yet.
    ///
    /// An etcd 2.3 publishes its name as soon as it hears a leader: in its cluster whoever joins is a
    /// member by then. One that applies the attributes of nobody it knows dies, and a store that has
    /// them is no snapshot for it. So they wait here until the conf change is applied, and come behind
    /// it in the log.
    func stepOfStranger(_ message: Message) {
        var message = message
        message.entries.removeAll { entry in
            guard entry.kind == .normal, let (id, command) = Self.publication(in: entry),
                membership.newcomer(id) != nil
            else { return false }
            earlyPublications[id] = command
            return true
        }
        if !message.entries.isEmpty { raft.step(message) }
    }

    private static func publication(in entry: Entry) -> (MemberID, QueuedCommand)? {
        entry.data.withUnsafeBytes { bytes in
            guard let view = try? RequestView.decode(bytes), view.method == .put,
                let id = StorePath.memberPublished(
                    at: String(decoding: view.path, as: UTF8.self))
            else { return nil }
            return (id, QueuedCommand(id: view.id, entry: entry))
        }
    }

    /// A conf change was applied: who has become a member may say its name.
    func releasePublication(after effect: Membership.Effect) {
        switch effect {
        case .added(let member):
            guard let command = earlyPublications.removeValue(forKey: member.id) else { return }
            queue.append(command)
        case .removed(let id): earlyPublications[id] = nil
        case .updated: break
        }
    }

    // MARK: Promotion

    /// A leader's duty, one at a time: to make a member of a newcomer that has the log.
    func promoteNewcomer() {
        guard !membership.newcomers.isEmpty, !isPromoting, isEstablishedLeader else { return }
        let ready = raft.memberStatuses.first { status in
            !status.isVoter && status.mode == .replicate && status.match > 0
                && status.isRecentlyActive && status.match + Self.lagMax >= raft.commitIndex
        }
        guard let ready, let member = membership.newcomer(ready.id) else { return }
        var change = ConfChange(
            kind: .add, member: member.id, context: MemberJSON.context(member))
        change.id = requestIDs.next()
        isPromoting = true
        pending.add(.promotion(member.id), id: change.id, deadline: now + requestTimeout)
        memberChanges.add(change)
        serverLog.info("member \(member.id) has the log: it is to vote from now on")
    }

    /// Entries that one may lack of those committed: under load there is always something on its way.
    private static var lagMax: UInt64 { 1000 }

    /// Its conf change was applied. One that is not allowed never will be: the newcomer goes.
    func promoted(_ id: MemberID, _ result: Result<Membership.Effect, MembershipError>) {
        isPromoting = false
        guard case .failure(let error) = result, membership.newcomer(id) != nil else { return }
        serverLog.warning("member \(id) cannot vote, and is removed: \(error)")
        put(Array(StorePath.newcomer(id).utf8), Newcomer.removedValue, owner: nil)
    }
}
