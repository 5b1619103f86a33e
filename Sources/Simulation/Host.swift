import Cluster
import KVServer
import Raft
import RaftModel
import Storage
import StorageIO

/// A member on its machine: the real parts as `kvd` wires them, on a simulated disk and clock.
final class Host {
    let slot: Int
    let isFounder: Bool
    let storage: SimulatedStorage
    unowned let world: World
    private let seed: UInt64
    /// Counts starts.
    private(set) var life: UInt32 = 0
    private(set) var running: Running?
    /// Left the cluster, or cannot be helped: never starts again.
    private(set) var isGone = false
    var isStarting = false
    /// Bits of its files turned over, and it has not been whole since.
    var isRotten = false { didSet { lost = isRotten ? durable : nil } }
    /// What it had before they did.
    private(set) var lost: LogMirror?
    var pausedUntil: Int64 = 0
    /// Its note in the data dir. It may be lost with the power, but is never half of one.
    var notedKvds: Set<MemberID> = []

    // MARK: Its clocks: this machine's time runs `1 + driftPerMillion / 10⁶` as fast as the world's.

    private var clockBase: Int64 = 0
    private var clockSince: Int64 = 0
    private var driftPerMillion: Int64 = 0
    private var wallOffset: Int64

    // MARK: What somebody outside knows of it

    /// Its log as it was reported durable, and the batches handed over behind that.
    var durable = LogMirror()
    var outstanding: [LogBatchFacts] = []
    /// Its log in memory.
    var written = LogMirror()
    var knownCommit: UInt64 = 0
    var knownApplied: UInt64 = 0
    var ledTerm: UInt64 = 0
    /// The highest index at which a plain read was answered.
    var shownIndex: UInt64 = 0

    // MARK: Its disk

    var diskSlowFactor: Int64 = 1
    var diskFullUntil: Int64 = 0
    /// A call is to fail, so that the member may stop for it.
    var expectsDiskError = false
    /// In which segment, and before which byte, everything is named durable by a marker that is.
    var vouched: (segment: WALSegmentName, bytes: Int)?

    init(slot: Int, isFounder: Bool, seed: UInt64, _ world: World) {
        (self.slot, self.isFounder, self.world) = (slot, isFounder, world)
        self.seed = seed &+ UInt64(slot) &* 0x1000
        storage = SimulatedStorage(seed: self.seed)
        var random = SplitMix64(seed: self.seed, purpose: 5)
        clockBase = random.between(1, 1000) * Simulation.second
        wallOffset =
            1_700_000_000 * Simulation.second + random.between(-2, 2) * Simulation.second
    }

    var id: MemberID { MemberID(UInt64(slot) + 1) }
    var engine: Engine? { running?.engine }
    var isRunning: Bool { running != nil }
    var isStartable: Bool { !isGone && !isStarting && running == nil }

    static func member(inSlot slot: Int) -> Member {
        Member(
            id: MemberID(UInt64(slot) + 1), peerURLs: ["http://m\(slot + 1):2380"],
            name: "m\(slot + 1)")
    }

    /// For a cluster that does not come to rest.
    var standing: String {
        guard let engine else { return "\(id) is down" }
        let status = engine.raftStatus
        return
            "\(id) \(status.role) term \(status.term) leader \(status.leader) commit "
            + "\(status.commit) applied \(engine.appliedIndex) of \(engine.lastLogIndex), members "
            + "\(engine.membership.ids)"
    }

    // MARK: Time

    var monotonic: Int64 {
        let passed = world.now - clockSince
        return clockBase + passed + passed / 1_000_000 * driftPerMillion
    }

    var wall: Int64 { monotonic + wallOffset }

    func setDrift(perMillion: Int64) {
        (clockBase, clockSince) = (monotonic, world.now)
        driftPerMillion = perMillion
    }

    func jumpWall(by nanoseconds: Int64) { wallOffset += nanoseconds }

    private var tickInterval: Int64 {
        100 * Simulation.millisecond * 1_000_000 / (1_000_000 + driftPerMillion)
    }

    func advance() { running?.engine.advance(monotonic: monotonic, wall: wall) }

    func tick() {
        guard let running else { return }
        shakeHands(running)
        advance()
        running.engine.tick()
        needsTurn()
        world.add(.tick(slot, life), after: tickInterval)
    }

    func needsTurn() {
        guard let running, !running.isTurnDue else { return }
        running.isTurnDue = true
        world.add(
            .turn(slot, life),
            after: 1000 * world.diskRandom.between(1, Int64(world.weather.turnMicroseconds)))
    }

    // MARK: Starts and ends

    func started(_ running: Running) {
        life += 1
        self.running = running
        (knownCommit, knownApplied, ledTerm) = (0, 0, 0)
        world.add(.tick(slot, life), after: tickInterval)
        needsTurn()
    }

    /// The process is gone: by a signal, of itself, or with its machine.
    func end(_ reason: String) {
        guard running != nil else { return }
        world.trace.note(world.now) { "\(id) ends: \(reason)" }
        if running?.engine.isLeader == true { world.coverage.count(.leaderLost) }
        running = nil
        pausedUntil = 0
        world.lostHost(slot)
    }

    func kill() {
        end("killed")
        if world.weather.forgetsKvds { notedKvds = [] }
        storage.killProcess()
        storage.removeFaults()
    }

    func losePower(keeping survivors: SimulatedStorage.Survivors) {
        end("power fails")
        storage.removeFaults()
        storage.crash(keeping: survivors)
        if world.diskRandom.chance(percent: 20) || world.weather.forgetsKvds { notedKvds = [] }
        expectsDiskError = false
    }

    /// Its cluster goes on without it.
    func leave() {
        end("removed from its cluster")
        storage.killProcess()
        isGone = true
        world.coverage.count(.memberRemoved)
    }

    /// It never starts again.
    func giveUp() {
        kill()
        isGone = true
        world.trace.note(world.now) { "\(id) is given up" }
    }

    /// A call to the disk failed.
    func failed(_ error: StorageError?, _ what: String) throws(Violation) {
        if storage.isPoweredOff {
            world.coverage.count(.powerLostInCall)
            losePower(keeping: .any)
        } else if error != nil, expectsDiskError || world.now < diskFullUntil {
            expectsDiskError = false
            world.coverage.count(.memberStoppedByDisk)
            world.trace.note(world.now) { "\(id) stops: \(what)" }
            kill()
        } else {
            throw Violation("disks that work are enough", "\(id): \(what)")
        }
        restartLater()
    }

    func restartLater() {
        guard isStartable else { return }
        isStarting = true
        world.add(.start(slot), after: world.diskRandom.around(300 * Simulation.millisecond))
    }

    func mend() {
        pausedUntil = 0
        diskSlowFactor = 1
        diskFullUntil = 0
        storage.capacityBytes = nil
        storage.removeFaults()
        expectsDiskError = false
    }

    // MARK: Its peers

    func receive(_ message: Message, from peer: Int) {
        guard let running else { return }
        // A member that was removed is told so at the door.
        if running.engine.membership.removed.contains(message.from) {
            return world.tellRemoved(peer)
        }
        guard message.kind != .snapshot else { return }
        advance()
        // A stranger that others vouched for says what it is itself.
        if !running.engine.membership.listed.contains(where: { $0.id == message.from }) {
            running.engine.setIsKvd(message.from, true)
        }
        running.engine.receive([message])
        needsTurn()
    }

    func noteUnreachable(_ member: MemberID) {
        guard world.diskRandom.chance(percent: 25) else { return }
        running?.engine.reportUnreachable(member)
    }

    /// Members learn what others understand as they connect to them, whether they have anything to say
    /// or not.
    private func shakeHands(_ running: Running) {
        guard !running.knowsAllPeers else { return }
        for member in running.engine.membership.listed where member.id != id {
            guard !running.kvdPeers.contains(member.id), let peer = world.slot(of: member.id),
                world.hosts[peer].isRunning, !world.network.isCut(slot, peer),
                !world.network.isCut(peer, slot), world.diskRandom.chance(percent: 40)
            else { continue }
            running.kvdPeers.insert(member.id)
            notedKvds.insert(member.id)
            running.engine.setIsKvd(member.id, true)
        }
        updateFeatures()
    }

    /// At a start: who were kvds before. Until they have said so again, they are sent nothing that an
    /// etcd would not understand.
    func recallKvds(_ running: Running) {
        for member in notedKvds { running.engine.setIsKvd(member, true) }
    }

    /// Whether its connection with `member` lets `message` through: see `PeerLink.isKvd`.
    func mayBeSaid(_ message: Message, _ running: Running) -> Bool {
        !message.kind.isKvds || running.kvdPeers.contains(message.to)
            || !running.engine.membership.listed.contains { $0.id == message.to }
    }

    func updateFeatures() {
        guard let running else { return }
        let own = id
        let membership = running.engine.membership
        running.knowsAllPeers = membership.listed.allSatisfy {
            $0.id == own || running.kvdPeers.contains($0.id)
        }
        notedKvds.subtract(membership.removed)
        let areKvd = membership.ids.allSatisfy { $0 == own || notedKvds.contains($0) }
        // Before its log says so, a member does not know whom it has joined.
        running.engine.setAllMembersAreKvd(areKvd && !membership.ids.isEmpty)
    }

    func learnVersions() {
        guard let running else { return }
        var others: [MemberID: MemberVersions?] = [:]
        for id in running.engine.membership.ids where id != self.id {
            others.updateValue(MemberVersions(server: .served, cluster: nil), forKey: id)
        }
        advance()
        running.engine.versionsLearnt(others)
        needsTurn()
    }
}

/// What is known of a batch that was handed to the log.
struct LogBatchFacts {
    var sequence: UInt64
    var snapshot: SnapshotMetadata?
    var entries: [Entry] = []
    var hardState: HardState?
}
