import Foundation
import ProcessSupport
import StorageIO

/// Does one fault to a cluster under load, and notes when it began.
struct FaultInjection {
    let cluster: ChaosCluster
    let load: ClientLoad

    /// Returns when it has lasted for long enough; what is left of it is mended by the run.
    ///
    /// - Returns: what there is to say of it.
    func run(_ fault: ChaosFault, _ random: inout SplitMix64) throws -> String {
        switch fault {
        case .kill(let victim):
            let member = try find(victim)
            kill([member])
            return last(&random)
        case .killMajority:
            let victims = shuffled(&random).prefix(cluster.members.count / 2 + 1)
            kill(Array(victims))
            return last(&random)
        case .killAll:
            kill(cluster.members)
            return ""
        case .pause(let victim):
            let member = try find(victim)
            during { member.pause() }
            return last(&random)
        case .partition(let shape, let passage):
            return try partition(shape, passage, &random)
        case .flapping(let victim): return try flap(victim, &random)
        case .delay(let milliseconds):
            let rule = LinkRule(delay: Int64(milliseconds) * Chaos.millisecond)
            during { cluster.proxy.set(rules(allLinks, rule)) }
            return last(&random) + ", \(milliseconds) ms"
        case .throttle(let victim, let rate):
            let links = ChaosFault.Shape.isolated(victim).links(
                among: try numbers(first: victim), &random)
            during { cluster.proxy.set(rules(links, LinkRule(bytesPerSecond: rate))) }
            return last(&random) + ", \(rate / 1000) KB/s"
        case .restartLeader:
            try restart(try cluster.waitForLeader())
            return ""
        case .rollingRestart:
            for member in cluster.members { try restart(member) }
            return ""
        case .grow(let victim): return try grow(victim)
        case .replace(let victim): return try replace(victim)
        case .fullDisk: return try fillDisk()
        }
    }

    private func during<Result>(_ fault: () throws -> Result) rethrows -> Result {
        try load.availability.during(fault)
    }

    /// Their ends are waited for afterwards, which takes its time.
    private func kill(_ members: [ChaosMember]) {
        during { for member in members { member.process?.kill(SIGKILL) } }
        for member in members { member.killNine() }
    }

    // MARK: Who

    private func find(_ victim: ChaosFault.Victim) throws -> ChaosMember {
        switch victim {
        case .leader: try cluster.waitForLeader()
        case .any(let number): cluster.members[number % cluster.members.count]
        }
    }

    private func shuffled(_ random: inout SplitMix64) -> [ChaosMember] {
        var members = cluster.members
        for i in members.indices.dropLast() {
            members.swapAt(i, i + random.below(members.count - i))
        }
        return members
    }

    private func numbers(first victim: ChaosFault.Victim) throws -> [Int] {
        let first = try find(victim)
        return [first.number] + cluster.members.map(\.number).filter { $0 != first.number }
    }

    // MARK: For how long

    /// Long enough for some elections, or only for one; not every fault outlasts a lease.
    private func last(_ random: inout SplitMix64) -> String {
        let milliseconds = random.coin() ? random.between(50, 500) : random.between(500, 3000)
        MachineClock.sleep(nanoseconds: milliseconds * Chaos.millisecond)
        return ", \(milliseconds) ms long"
    }

    // MARK: Links

    private var allLinks: [Link] {
        let numbers = cluster.members.map(\.number)
        return numbers.flatMap { one in
            numbers.filter { $0 != one }.map { Link(from: one, to: $0) }
        }
    }

    private func rules(_ links: [Link], _ rule: LinkRule) -> [Link: LinkRule] {
        Dictionary(links.map { ($0, rule) }) { $1 }
    }

    private func partition(
        _ shape: ChaosFault.Shape, _ passage: LinkRule.Passage, _ random: inout SplitMix64
    ) throws -> String {
        let victim: ChaosFault.Victim
        switch shape {
        case .isolated(let one), .halves(let one), .mute(let one), .deaf(let one),
            .bridge(let one):
            victim = one
        case .random: victim = .any(random.below(64))
        }
        let links = shape.links(among: try numbers(first: victim), &random)
        during { cluster.proxy.set(rules(links, LinkRule(passage))) }
        let note = last(&random)
        guard passage == .held, random.coin() else { return "\(note), \(passage)" }
        // Sometimes what was under way is lost, and does not arrive late.
        cluster.proxy.set(rules(links, LinkRule(.closed)))
        MachineClock.sleep(nanoseconds: 20 * Chaos.millisecond)
        return "\(note), \(passage) and lost"
    }

    private func flap(
        _ victim: ChaosFault.Victim, _ random: inout SplitMix64
    ) throws -> String {
        let links = ChaosFault.Shape.isolated(victim).links(
            among: try numbers(first: victim), &random)
        let passage: LinkRule.Passage = random.coin() ? .held : .closed
        let times = 4 + random.below(8)
        during {}
        for _ in 0..<times {
            cluster.proxy.set(rules(links, LinkRule(passage)))
            MachineClock.sleep(nanoseconds: random.between(20, 500) * Chaos.millisecond)
            cluster.proxy.set([:])
            MachineClock.sleep(nanoseconds: random.between(20, 300) * Chaos.millisecond)
        }
        return ", \(times) times, \(passage)"
    }

    // MARK: Members

    private func restart(_ member: ChaosMember) throws {
        try during { try member.terminate() }
        try cluster.wait("writes while \(member.name) is down") { load.availability.gap != nil }
        try cluster.start(member)
        try cluster.waitUntilAllServe()
    }

    private func grow(_ victim: ChaosFault.Victim) throws -> String {
        let leaves = try find(victim)
        let new = try during { try cluster.grow() }
        useMembers()
        try cluster.waitUntilAllServe()
        try cluster.remove(leaves)
        useMembers()
        return ", \(new.name) came, \(leaves.name) went"
    }

    private func replace(_ victim: ChaosFault.Victim) throws -> String {
        let lost = try find(victim)
        kill([lost])
        try cluster.remove(lost)
        let new = try cluster.grow()
        useMembers()
        try cluster.waitUntilAllServe()
        return ", \(new.name) for \(lost.name)"
    }

    private func useMembers() { load.use(ports: cluster.members.map(\.clientPort)) }

    // MARK: Disks

    /// Fills the small disk and then writes until the log needs what is not there.
    private func fillDisk() throws -> String {
        guard let disk = cluster.smallDisk,
            let member = cluster.members.first(where: { $0.dataDirectory.hasPrefix(disk.path) })
        else { return " (its member is gone)" }
        try during { try disk.fill() }
        let value = String(repeating: "full ", count: 100_000)
        var isFull = false
        // Two segments, and some more for what snapshots give back.
        for n in 0..<500 where !isFull {
            try member.checkRuns()
            let asked = cluster.members[n % cluster.members.count]
            guard let client = try? asked.client(timeoutMilliseconds: 5000) else { continue }
            _ = try? client.request("PUT", "/v2/keys/bulk/\(n % 4)", form: "value=\(value)")
            guard n % 10 == 0, let metrics = try? member.client().request("GET", "/metrics").text
            else { continue }
            isFull = ChaosMember.figure("kvd_disk_full", in: metrics) == 1
        }
        try member.checkRuns()
        disk.empty()
        guard isFull else { return " (it never needed more)" }
        try cluster.wait("\(member.name) goes on when there is space again") {
            let metrics = try? member.client().request("GET", "/metrics").text
            return metrics.map { ChaosMember.figure("kvd_disk_full", in: $0) == 0 } ?? false
        }
        return " (it refused writes, and went on)"
    }
}
