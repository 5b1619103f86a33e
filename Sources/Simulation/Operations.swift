import Cluster
import KVServer
import KeyStore
import Raft
import RaftModel
import StorageIO

/// Something that an operator wants of the membership.
enum OperatorWish: Equatable {
    case add(slot: Int)
    case remove(MemberID)
    case update(MemberID)
}

/// What the operator still has to see to.
struct Operations {
    private var removals: [MemberID] = []

    mutating func wish(_ wish: OperatorWish) {
        if case .remove(let id) = wish, !removals.contains(id) { removals.append(id) }
    }

    func isDone(_ membership: Membership) -> Bool {
        removals.allSatisfy { membership[$0] == nil }
    }

    func due(_ membership: Membership) -> MemberID? {
        removals.first { membership[$0] != nil }
    }
}

extension World {
    private static let membersMax = 7

    /// Looks, every second, whether what was wished has come to be.
    func operate() {
        add(.operate, after: Simulation.second)
        moveWatchers()
        guard let id = work.due(judge.oracle.membership), let host = anyHost() else { return }
        propose(.remove(id), on: host)
    }

    /// Who waits at a member that hears of nothing asks another one.
    private func moveWatchers() {
        for i in watchers.indices {
            guard let slot = watchers[i].host, let running = hosts[slot].running else { continue }
            let isMember = judge.oracle.membership[hosts[slot].id] != nil
            guard !isMember || running.engine.leader == .none else { continue }
            running.engine.store.cancelWatch(WatcherID(watchers[i].watch))
            endWatch(watchers[i].watch, running)
        }
    }

    private func anyHost() -> Host? {
        let some = hosts.filter(\.isRunning)
        return some.isEmpty ? nil : clientRandom.pick(some)
    }

    func act(_ fault: Fault, _ random: inout SplitMix64) {
        let running = hosts.filter(\.isRunning)
        guard !running.isEmpty else { return }
        let host = random.pick(running)
        let membership = judge.oracle.membership
        switch fault.kind {
        case .addMember:
            guard membership.ids.count < Self.membersMax, hosts.count < Network.hostsMax else {
                return
            }
            let slot = hosts.count
            addHost(isFounder: false, slot: slot)
            propose(.add(slot: slot), on: host)
            hosts[slot].isStarting = true
            add(.start(slot), after: fault.duration)
        case .removeMember:
            // Of two, one may be left that lacks only the news that the other is gone, and would
            // need its vote.
            guard membership.ids.count > 2, work.isDone(membership),
                !hosts.contains(where: \.isRotten)
            else { return }
            let id = random.pick(membership.ids)
            work.wish(.remove(id))
            propose(.remove(id), on: host)
        case .updateMember: propose(.update(random.pick(membership.ids)), on: host)
        case .transfer:
            let host = leaderHost ?? host
            host.advance()
            if host.engine?.handOverLeadership() == true {
                coverage.count(.leadershipTransferred)
            }
            host.needsTurn()
        default:
            host.advance()
            host.engine?.wantSnapshot(always: true)
            host.needsTurn()
        }
    }

    private func propose(_ wish: OperatorWish, on host: Host) {
        guard let running = host.running else { return }
        lastOperatorTicket += 1
        let ticket = Ticket(connection: .max, request: lastOperatorTicket)
        running.requests[ticket] = .memberChange(wish)
        host.advance()
        running.engine.propose(change(wish), ticket: ticket)
        host.needsTurn()
    }

    private func change(_ wish: OperatorWish) -> ConfChange {
        switch wish {
        case .add(let slot):
            var member = Host.member(inSlot: slot)
            member.name = ""
            return ConfChange(
                kind: .add, member: member.id, context: MemberJSON.context(member))
        case .remove(let id): return ConfChange(kind: .remove, member: id)
        case .update(let id):
            let urls = ["http://m\(id):\(2380 + clientRandom.below(1000))"]
            return ConfChange(
                kind: .update, member: id,
                context: MemberJSON.context(Member(id: id, peerURLs: urls)))
        }
    }

    func answered(
        _ wish: OperatorWish, _ result: Result<Membership.Effect, MemberChangeFault>
    ) {
        switch result {
        case .success(.added): coverage.count(.memberAdded)
        case .success(.updated): coverage.count(.memberUpdated)
        case .success(.removed): break
        case .failure(.refused): coverage.count(.memberChangeAmbiguous)
        case .failure:
            coverage.count(.memberChangeRefused)
            if case .add(let slot) = wish, !isListed(hosts[slot].id) {
                hosts[slot].giveUp()
            }
        }
    }

    private func isListed(_ id: MemberID) -> Bool {
        judge.oracle.membership[id] != nil || judge.oracle.membership.newcomer(id) != nil
    }

    /// A member that the others know to be removed hears of it when it knocks.
    func tellRemoved(_ slot: Int) {
        let host = hosts[slot]
        guard host.isRunning else { return }
        add(.end(slot, host.life), after: network.delay(weather))
    }

    func count(_ fact: Raft.Fact) {
        switch fact {
        case .becameFollower: coverage.count(.followerAgain)
        case .becamePreCandidate: coverage.count(.preCandidate)
        case .becameCandidate: coverage.count(.candidate)
        case .becameLeader: coverage.count(.leader)
        case .electionPutOff: coverage.count(.electionPutOff)
        case .voteCast(_, _, _, _, _, let granted):
            coverage.count(granted ? .voteGranted : .voteRejected)
        case .voteIgnored: coverage.count(.voteIgnored)
        case .leaderChanged: coverage.count(.leaderChanged)
        case .quorumLost: coverage.count(.quorumLost)
        case .higherTermSeen: coverage.count(.higherTermSeen)
        case .lowerTermIgnored: coverage.count(.lowerTermIgnored)
        case .transferStarted: coverage.count(.transferStarted)
        case .transferAborted: coverage.count(.transferAborted)
        case .snapshotNeeded: coverage.count(.snapshotNeeded)
        case .snapshotIgnored: coverage.count(.snapshotIgnored)
        case .confChangeRefused: coverage.count(.confChangeRefused)
        case .removalPutOff: coverage.count(.removalPutOff)
        case .proposalsDropped: coverage.count(.proposalsDropped)
        case .rejoined: coverage.count(.rejoined)
        case .acknowledgementsForgotten: coverage.count(.acknowledgementsForgotten)
        case .conflictWithCommitted, .commitBeyondLog:
            if !hosts.contains(where: \.isRotten) {
                violation = Violation("no log lacks what is committed", "\(fact)")
            }
        case .malformed:
            violation = Violation("members say nothing malformed", "\(fact)")
        default: break
        }
    }
}
