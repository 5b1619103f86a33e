import Cluster
import KVServer
import Raft
import RaftModel
import StorageIO

/// A cluster and all that is around it: time, network, power, clients, the operator.
///
/// `run` pops one event after the other; what each leads to is judged before the next. See
/// `Simulation`.
package final class World {
    package let scenario: Scenario
    var weather: Weather
    private var queue = EventQueue<WorldEvent>()
    /// Virtual nanoseconds since the start of the run.
    package private(set) var now: Int64 = 0
    /// Events so far.
    package private(set) var step: UInt64 = 0
    private var digest = Digest()
    package var coverage = Coverage()
    var judge: Judge
    var hosts: [Host] = []
    var network: Network
    var clients: [Client] = []
    var watchers: [Watcher] = []
    var keys: KeySpace
    var work: Operations
    package var trace: Trace
    /// Everything is mended; the cluster must come to rest.
    private(set) var isMended = false
    var diskRandom: SplitMix64
    var clientRandom: SplitMix64
    /// Number of the run's last watch, and of the last ticket that an operator got.
    var lastWatch: UInt64 = 1
    var lastOperatorTicket: UInt32 = 0
    /// By the numbers of faults: what they cut, whose disk they spoil, how often they come again.
    var cutPairs: [Int: [Int]] = [:]
    var diskFaults: [Int: Int] = [:]
    var flappings: [Int: Int] = [:]
    /// Raised by closures that cannot throw.
    var violation: Violation?

    init(_ scenario: Scenario, trace: Trace) {
        self.scenario = scenario
        weather = scenario.weather
        judge = Judge(historyEventsMax: scenario.weather.historyEventsMax)
        network = Network(SplitMix64(seed: scenario.seed, purpose: 2))
        diskRandom = SplitMix64(seed: scenario.seed, purpose: 3)
        clientRandom = SplitMix64(seed: scenario.seed, purpose: 4)
        keys = KeySpace(count: scenario.weather.keys)
        work = Operations()
        self.trace = trace
        begin()
    }

    /// What the run was, to the last bit.
    package var fingerprint: UInt64 { digest.value }

    private func begin() {
        for slot in 0..<weather.members { addHost(isFounder: true, slot: slot) }
        judge.begins(with: Bootstrap.entries(founders))
        for host in hosts { add(.start(host.slot), after: Int64(host.slot) * 1000) }
        for (i, fault) in scenario.faults.enumerated() { add(.fault(i), at: fault.at) }
        for i in 0..<weather.clients {
            clients.append(Client(number: i))
            add(.client(i), after: clientRandom.around(20 * Simulation.millisecond))
        }
        for i in 0..<weather.watchers {
            watchers.append(Watcher(number: i))
            add(.watcher(i), after: clientRandom.around(100 * Simulation.millisecond))
        }
        add(.operate, after: Simulation.second)
    }

    func addHost(isFounder: Bool, slot: Int) {
        precondition(slot == hosts.count)
        hosts.append(Host(slot: slot, isFounder: isFounder, seed: scenario.seed, self))
    }

    var founders: [Member] { (0..<weather.members).map(Host.member(inSlot:)) }

    func slot(of id: MemberID) -> Int? {
        let slot = Int(truncatingIfNeeded: id.rawValue) - 1
        return hosts.indices.contains(slot) ? slot : nil
    }

    func add(_ event: WorldEvent, at time: Int64) { queue.add(event, at: max(time, now)) }
    func add(_ event: WorldEvent, after delay: Int64) { queue.add(event, at: now + max(0, delay)) }

    // MARK: Running

    /// Runs to the end of the scenario, mends everything, and sees the cluster come to rest.
    package func run() throws(Violation) {
        while step < scenario.steps { try next() }
        mend()
        let limit = step + UInt64(Self.restingStepsMax)
        let until = now + Self.restingTimeMax
        while !isAtRest {
            guard step < limit, now < until else { throw notAtRest }
            try next()
        }
        try judgeEnd()
    }

    private static let restingStepsMax = 400_000
    private static let restingTimeMax = 300 * Simulation.second

    private func next() throws(Violation) {
        guard let (event, time) = queue.popFirst() else {
            preconditionFailure("members tick for ever")
        }
        if let slot = event.host, hosts[slot].pausedUntil > time, hosts[slot].isRunning {
            queue.add(event, at: hosts[slot].pausedUntil)
            now = time
            return
        }
        now = time
        step += 1
        digest.add(UInt64(bitPattern: time) << 5 | event.kind)
        try carryOut(event)
        if let violation { throw violation }
    }

    private func carryOut(_ event: WorldEvent) throws(Violation) {
        switch event {
        case .tick(let slot, let life):
            if let host = living(slot, life) { host.tick() }
        case .turn(let slot, let life):
            if let host = living(slot, life) { try host.turn() }
        case .deliver(let message, let slot): try deliver(message, to: slot)
        case .committed(let slot, let life):
            if let host = living(slot, life) { try host.commitGroup() }
        case .reported(let slot, let life, let sequence):
            if let host = living(slot, life) { try host.report(through: sequence) }
        case .idle(let slot, let life):
            if let host = living(slot, life) { try host.idle() }
        case .segmentJob(let slot, let life, let job):
            if let host = living(slot, life) { try host.run(job) }
        case .saveSnapshot(let slot, let life):
            if let host = living(slot, life) { try host.saveSnapshot() }
        case .sendSnapshot(let slot, let life, let wanted):
            if let host = living(slot, life) { try host.sendSnapshot(wanted) }
        case .transfer(let transfer): try deliver(transfer)
        case .transferred(let slot, let life, let member, let succeeded):
            if let host = living(slot, life) { host.transferEnded(member, succeeded) }
        case .versions(let slot, let life):
            if let host = living(slot, life) { host.learnVersions() }
        case .end(let slot, let life):
            if let host = living(slot, life) { host.leave() }
        case .start(let slot): try hosts[slot].start()
        case .fault(let i): begin(scenario.faults[i], number: i)
        case .faultEnds(let i): end(scenario.faults[i], number: i)
        case .client(let i): try act(client: i)
        case .request(let i, let number): try request(client: i, number)
        case .answer(let i, let number, let reply): try answer(client: i, number, reply)
        case .timeout(let i, let number): giveUp(client: i, number)
        case .watcher(let i): try act(watcher: i)
        case .operate: operate()
        }
    }

    /// The host, if it still runs as it did when the event was made.
    private func living(_ slot: Int, _ life: UInt32) -> Host? {
        let host = hosts[slot]
        return host.life == life && host.isRunning ? host : nil
    }

    /// Goes into the run's fingerprint.
    func fold(_ word: UInt64) { digest.add(word) }

    // MARK: The end

    private func mend() {
        isMended = true
        trace.note(now) { "everything is mended" }
        for i in scenario.faults.indices where scenario.faults[i].at <= now {
            end(scenario.faults[i], number: i)
        }
        for host in hosts {
            host.mend()
            if !host.isRunning, host.isStartable { add(.start(host.slot), after: 0) }
        }
        for i in clients.indices { clients[i].mustWriteOnce = true }
        (weather.lossPerMille, weather.duplicatePerMille, weather.answerLossPerMille) = (0, 0, 0)
        weather.delayMax = min(weather.delayMax, 1000)
    }

    /// Whether all members have all that was committed, and all who wait were answered.
    private var isAtRest: Bool {
        guard step % 32 == 0, work.isDone(judge.oracle.membership) else { return false }
        guard clients.allSatisfy({ !$0.isWaiting && !$0.mustWriteOnce }) else { return false }
        let last = judge.oracle.events.last?.index ?? 0
        guard watchers.allSatisfy({ $0.next > last }) else { return false }
        // Who was added has its vote, if it is there.
        guard
            judge.oracle.membership.newcomers.allSatisfy({ newcomer in
                slot(of: newcomer.id).map { hosts[$0].isGone } ?? true
            })
        else { return false }
        let ids = judge.oracle.membership.ids
        guard let first = slot(of: ids[0]), let leader = hosts[first].engine?.leader,
            leader != .none
        else { return false }
        return ids.allSatisfy { id in
            guard let slot = slot(of: id), let engine = hosts[slot].engine else { return false }
            return engine.leader == leader && engine.appliedIndex == judge.committedCount
                && engine.lastLogIndex == judge.committedCount
        }
    }

    private var notAtRest: Violation {
        let lines = hosts.filter { !$0.isGone }.map(\.standing)
        let waiting = clients.filter { $0.isWaiting || $0.mustWriteOnce }.count
        let behind = watchers.filter { $0.next <= judge.oracle.events.last?.index ?? 0 }.count
        return Violation(
            "comes to rest when nothing fails",
            """
            after \((now) / Simulation.second) s: \(judge.committedCount) committed, members \
            \(judge.oracle.membership.ids), \(waiting) clients wait, \(behind) watchers are behind; \
            \(lines.joined(separator: "; "))
            """)
    }

    private func judgeEnd() throws(Violation) {
        try keys.checkAll(&coverage)
        coverage.count(.keyExpired, judge.oracle.expiredCount)
        coverage.count(.endedInAgreement)
        trace.note(now) { "at rest" }
    }
}
