internal import Cluster
internal import KVServer
internal import KeyStore
internal import Raft
internal import RaftModel

/// `GET /v2/status`: how this member is, for people and for scripts that watch over it. kvd's own.
///
///     {"member":"8211f1d0f64f3269","name":"m1","leader":"8211f1d0f64f3269","term":3,
///      "raftIndex":4812,"storeIndex":4790,"problems":[
///       {"name":"lag 91bc3c398fb3c146","since":"2026-11-28T10:14:27Z","seconds":31,
///        "problem":"member m3 is 4210 entries behind","help":"…"}]}
///
/// `problems` is empty when all is well.
extension ClientServer {
    func status() -> Answer {
        lookForProblems()
        let (leadership, id) = (engine.leadership, engine.configuration.member)
        body.append("{\"member\":\"")
        body.append(hex: id.rawValue)
        body.append("\",\"name\":")
        body.append(jsonString: engine.configuration.attributes.name)
        body.append(",\"leader\":\"")
        body.append(hex: leadership.leader.rawValue)
        body.append("\",\"term\":")
        body.append(decimal: engine.term)
        body.append(",\"raftIndex\":")
        body.append(decimal: engine.appliedIndex)
        body.append(",\"storeIndex\":")
        body.append(decimal: engine.store.currentIndex)
        body.append(",\"problems\":[")
        let now = Self.monotonicNanoseconds()
        for (place, standing) in problems.standing.enumerated() {
            body.append(place == 0 ? "{\"name\":" : ",{\"name\":")
            body.append(jsonString: standing.problem.name)
            body.append(",\"since\":\"")
            body.append(rfc3339: standing.since)
            body.append("\",\"seconds\":")
            body.append(decimal: (now - standing.begun) / 1_000_000_000)
            body.append(",\"problem\":")
            body.append(jsonString: standing.problem.text)
            body.append(",\"help\":")
            body.append(jsonString: standing.problem.help)
            body.append("}")
        }
        body.append("]}\n")
        return .json(.ok)
    }

    /// Called about once a second, so that it is known since when there is a problem.
    func lookForProblems() {
        let found =
            stateProblems() + clusterProblems() + portProblems() + (reporter?.problems() ?? [])
        problems.look(
            found, now: Self.monotonicNanoseconds(), wall: Self.unixNanoseconds())
    }

    private func stateProblems() -> [Problem] {
        var found: [Problem] = []
        if engine.isDiskFull {
            found.append(
                Problem(
                    "disk-full", "the disk is full: this member takes no writes",
                    help: "free some space; it goes on by itself"))
        }
        if engine.isStateVoid {
            found.append(
                Problem(
                    "state-void", "the store differs from the other members' and is being fetched",
                    help: "ask another member meanwhile; if it lasts, see the leader's log"))
        } else if !engine.isReadable {
            found.append(
                Problem(
                    "catching-up",
                    "reads wait until what this member knew before its restart is applied",
                    help: "wait; if it lasts, see whether a majority of members runs"))
        }
        if engine.leadership.leader == .none {
            found.append(
                Problem(
                    "no-leader", "this member knows no leader: writes and quorum reads wait",
                    help: "see that a majority of the \(engine.membership.ids.count) members "
                        + "runs and that they reach each other's peer URLs"))
        }
        return found
    }

    /// A follower may be so many entries behind without a word.
    private static let lagMin: UInt64 = 1000

    private func clusterProblems() -> [Problem] {
        var found: [Problem] = []
        let last = engine.lastLogIndex
        for follower in engine.raftStatus.progress where follower.match + Self.lagMin < last {
            found.append(
                Problem(
                    "lag \(follower.id)",
                    "member \(name(of: follower.id)) is \(last - follower.match) entries behind",
                    help: "see that member's /v2/status and log: is it down, is its disk or the "
                        + "network slow?"))
        }
        for member in engine.membership.listed where !member.isStarted {
            let counts = engine.membership[member.id] != nil
            found.append(
                Problem(
                    "not-started \(member.id)",
                    "member \(member.id) (\(member.peerURLs.joined(separator: ","))) was added and "
                        + "has not started: it "
                        + (counts ? "counts for the quorum" : "does not vote yet"),
                    help: "start it, or remove it with DELETE /v2/members/\(member.id)"))
        }
        return found
    }

    private func portProblems() -> [Problem] {
        let (count, limit) = (connectionsCount, configuration.connectionsMax)
        guard count >= limit - limit / 10, count > 0 else { return [] }
        return [
            Problem(
                "connections", "\(count) of \(limit) client connections are taken",
                help: "raise --max-connections (and the limit of open files), or close idle ones")
        ]
    }

    private func name(of id: MemberID) -> String {
        let name = engine.membership[id]?.name ?? ""
        return name.isEmpty ? "\(id)" : name
    }
}
