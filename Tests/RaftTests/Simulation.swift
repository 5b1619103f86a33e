import RaftModel

@testable import Raft

/// A whole cluster, its disks and its network on one seed. Members are the real `Raft`; the judge
/// looks after every step.
///
/// Each seed draws its own weather: what is lost, delayed, repeated, cut off, how slow disks are,
/// how often members crash (and lose what was not durable, a torn batch included), whether members
/// come and go, and which features are on.
struct Simulation {
    struct Weather {
        var lossPercent: Int
        var repeatPercent: Int
        var delayMax: Int
        var partitionPerMille: Int
        var crashPerMille: Int
        var leaderCrashPerMille: Int
        /// A new leader is cut off within `cutDelayMax` steps.
        var cutLeaderPercent: Int
        var cutDelayMax: Int
        /// A leader that has not committed an entry of its term is cut off as it gets an answer.
        var cutOnAnswerPercent: Int
        /// A voter goes down right after its vote is durable, and comes back at once.
        var crashVoterPercent: Int
        var restartPercent: Int
        var electionTicks: Int
        var messageBytesMax: Int
        var diskPercent: Int
        var proposalPercent: Int
        var confChangePerMille: Int
        var transferPerMille: Int
        var featuresPerMille: Int
        var compactionPerMille: Int
        /// A member that crashes loses the end of its log, durable or not; one at a time.
        var rotPercent: Int

        init(_ random: inout SplitMix64) {
            lossPercent = random.pick([0, 2, 10, 40])
            repeatPercent = random.pick([0, 5, 20])
            delayMax = random.pick([1, 3, 10, 30])
            partitionPerMille = random.pick([0, 5, 20])
            crashPerMille = random.pick([0, 2, 10, 30])
            leaderCrashPerMille = random.pick([0, 0, 20, 60])
            cutLeaderPercent = random.pick([0, 0, 50, 90])
            cutDelayMax = random.pick([1, 10, 40])
            cutOnAnswerPercent = random.pick([0, 0, 20, 50])
            crashVoterPercent = random.pick([0, 0, 0, 50])
            restartPercent = random.pick([3, 20, 60])
            electionTicks = random.pick([10, 10, 4, 2])
            messageBytesMax = random.pick([1, 100, 1000])
            diskPercent = random.pick([5, 20, 60, 100])
            proposalPercent = random.pick([5, 30, 80])
            confChangePerMille = random.pick([0, 0, 10, 40])
            transferPerMille = random.pick([0, 5])
            featuresPerMille = random.pick([0, 0, 5])
            compactionPerMille = random.pick([0, 10, 50])
            rotPercent = random.pick([0, 30, 80])
        }

        /// Everything works, so that in the end all must agree.
        static func calm() -> Weather {
            var random = SplitMix64(seed: 0)
            var weather = Weather(&random)
            (weather.lossPercent, weather.repeatPercent, weather.delayMax) = (0, 0, 1)
            (weather.partitionPerMille, weather.crashPerMille, weather.diskPercent) = (0, 0, 100)
            (weather.proposalPercent, weather.confChangePerMille) = (0, 0)
            (weather.transferPerMille, weather.featuresPerMille) = (0, 0)
            (weather.leaderCrashPerMille, weather.restartPercent) = (0, 100)
            (weather.cutLeaderPercent, weather.crashVoterPercent) = (0, 0)
            weather.cutOnAnswerPercent = 0
            (weather.compactionPerMille, weather.rotPercent) = (0, 0)
            return weather
        }
    }

    struct Member {
        var raft: Raft
        var disk: TestDisk
        var batches: [Raft.PersistBatch] = []
        var appliedIndex: UInt64
        var state: UInt64
        var knownCommit: UInt64 = 0
        var isDown = false
        var group = 0
        /// The last term that it was seen to lead, and when it is to be cut off for it.
        var ledTerm: UInt64 = 0
        var cutAt: Int?
        /// What it had, if it lost some of it and has not got it back.
        var lost: TestDisk?
    }

    struct Flight {
        var due: Int
        var message: Message
    }

    struct Delivery {
        var due: Int
        var leader: Int
        var follower: MemberID
    }

    var random: SplitMix64
    var weather: Weather
    var features = Raft.Features.kvd
    var members: [Member] = []
    var network: [Flight] = []
    var deliveries: [Delivery] = []
    var judge = Judge()
    var now = 0
    var proposals: UInt64 = 0
    /// For each read that was asked for, what was committed then.
    var reads: [UInt64: UInt64] = [:]
    var lastRead: UInt64 = 0
    var readsAnswered = 0
    var rejoinsBegun = 0
    /// Goes into the digest of a run, so that two runs of a seed can be compared.
    var trace: UInt64 = 0

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        weather = Weather(&random)
        if random.chance(percent: 50) { features = .etcd23 }
        let voters = random.pick([1, 3, 3, 3, 4, 5, 5])
        let spares = weather.confChangePerMille > 0 ? 2 : 0
        let first = TestDisk.bootstrapped(voters)
        judge.begins(with: first.entries)
        for position in 0..<voters + spares {
            let disk = position < voters ? first : TestDisk(snapshot: Snapshot())
            members.append(started(position, disk))
        }
    }

    func started(_ position: Int, _ disk: TestDisk) -> Member {
        var configuration = Raft.Configuration(
            id: MemberID(UInt64(position) + 1), electionTicks: weather.electionTicks,
            seed: UInt64(now) &* 1000 &+ UInt64(position))
        configuration.features = features
        configuration.messageBytesMax = weather.messageBytesMax
        configuration.inFlightMessagesMax = 4
        configuration.committedBytesMax = 300
        let state = disk.snapshot.data.isEmpty ? 0 : Raft.number(from: disk.snapshot.data) ?? 0
        return Member(
            raft: Raft(configuration, restored: disk.restored), disk: disk,
            appliedIndex: disk.snapshot.metadata.index, state: state)
    }

    // MARK: A step

    mutating func step() throws(Judge.Violation) {
        now += 1
        stir()
        for i in members.indices where !members[i].isDown {
            if random.chance(percent: 30) { members[i].raft.tick() }
            act(on: i)
            try pump(i)
            try writeSome(i)
        }
        try deliverDue()
    }

    /// Crashes, restarts, partitions.
    private mutating func stir() {
        for i in members.indices {
            if members[i].isDown {
                if random.chance(percent: weather.restartPercent) {
                    restart(i)
                }
                continue
            }
            let isLeader = members[i].raft.isLeader
            let extra = isLeader ? weather.leaderCrashPerMille : 0
            if random.chance(perMille: weather.crashPerMille + extra) { crash(i) }
        }
        for i in members.indices where members[i].cutAt == now {
            members[i].cutAt = nil
            cutOff(i)
        }
        let isCutting = weather.cutLeaderPercent + weather.cutOnAnswerPercent > 0
        if isCutting, random.chance(percent: 1) {
            for i in members.indices { members[i].group = 0 }
        }
        guard random.chance(perMille: weather.partitionPerMille) else { return }
        let isHealing = random.chance(percent: 50)
        for i in members.indices { members[i].group = isHealing ? 0 : random.below(2) }
    }

    private mutating func cutOff(_ i: Int) {
        for j in members.indices { members[j].group = i == j ? 1 : 0 }
    }

    /// What was handed to the disk arrives up to some record; the rest is gone.
    private mutating func crash(_ i: Int) {
        let records = members[i].batches.reduce(0) { $0 + TestDisk.recordCount(of: $1) }
        var left = random.below(records + 1)
        for batch in members[i].batches where left > 0 {
            members[i].disk.write(batch, records: left)
            left -= TestDisk.recordCount(of: batch)
        }
        members[i].batches = []
        members[i].isDown = true
        if canRot(i), random.chance(percent: weather.rotPercent) {
            members[i].lost = members[i].disk
            members[i].disk.loseEntries(1 + random.below(members[i].disk.entries.count))
            rejoinsBegun += 1
        }
    }

    /// No majority may rot; and members of etcd 2.x cannot help one that did.
    private func canRot(_ i: Int) -> Bool {
        features == .kvd && weather.featuresPerMille == 0 && weather.confChangePerMille == 0
            && members.count > 2 && members.allSatisfy { $0.lost == nil }
            && !members[i].disk.entries.isEmpty
    }

    private mutating func restart(_ i: Int) {
        let lost = members[i].lost
        members[i] = started(i, members[i].disk)
        members[i].lost = lost
    }

    private mutating func writeSome(_ i: Int) throws(Judge.Violation) {
        guard !members[i].batches.isEmpty, random.chance(percent: weather.diskPercent) else {
            return
        }
        let count = 1 + random.below(members[i].batches.count)
        for batch in members[i].batches.prefix(count) {
            members[i].disk.write(batch)
            guard let snapshot = batch.snapshot else { continue }
            members[i].appliedIndex = snapshot.metadata.index
            members[i].state = Raft.number(from: snapshot.data) ?? 0
            try judge.isInState(
                members[i].state, after: members[i].appliedIndex, member: members[i].raft.id)
        }
        let votes = members[i].batches.prefix(count).contains {
            $0.hardState.map { $0.vote != .none && $0.vote != members[i].raft.id } ?? false
                && $0.entries.isEmpty && $0.needsSync
        }
        let last = members[i].batches[count - 1].sequence
        members[i].batches.removeFirst(count)
        members[i].raft.persisted(through: last)
        try pump(i)
        if votes, random.chance(percent: weather.crashVoterPercent) { restart(i) }
    }

    private mutating func deliverDue() throws(Judge.Violation) {
        let due = network.filter { $0.due <= now }
        network.removeAll { $0.due <= now }
        for flight in due {
            let (from, to) = (position(flight.message.from), position(flight.message.to))
            guard !members[to].isDown, members[from].group == members[to].group else { continue }
            members[to].raft.step(flight.message)
            try pump(to)
            let raft = members[to].raft
            if flight.message.kind == .appendResponse, raft.isLeader,
                raft.commitIndex < raft.termStartIndex,
                random.chance(percent: weather.cutOnAnswerPercent)
            {
                cutOff(to)
            }
        }
        for delivery in deliveries where delivery.due <= now && !members[delivery.leader].isDown {
            members[delivery.leader].raft.snapshotReported(
                for: delivery.follower, succeeded: random.chance(percent: 70))
            try pump(delivery.leader)
        }
        deliveries.removeAll { $0.due <= now }
    }

    func position(_ id: MemberID) -> Int { Int(id.rawValue) - 1 }

    // MARK: Owners

    /// What clients and operators ask of a member.
    private mutating func act(on i: Int) {
        let isLeader = members[i].raft.isLeader
        if random.chance(percent: isLeader ? weather.proposalPercent : 1) {
            var entries: [Entry] = []
            for _ in 0...random.below(3) {
                proposals += 1
                entries.append(Entry(data: Raft.bytes(of: proposals)))
            }
            try? members[i].raft.propose(entries)
        }
        if weather.proposalPercent > 0, random.chance(percent: 3) {
            lastRead += 1
            reads[lastRead] = judge.committedCount
            members[i].raft.readIndex(context: lastRead)
        }
        if isLeader, random.chance(perMille: weather.confChangePerMille) { changeMembers(i) }
        if isLeader, random.chance(perMille: weather.transferPerMille) {
            let target = MemberID(UInt64(random.below(members.count)) + 1)
            try? members[i].raft.transferLeadership(to: target)
        }
        if random.chance(perMille: weather.featuresPerMille) {
            members[i].raft.setFeatures(random.pick([.kvd, .etcd23]))
        }
        if random.chance(perMille: weather.partitionPerMille) {
            members[i].raft.unreachable(MemberID(UInt64(random.below(members.count)) + 1))
        }
        if random.chance(perMille: weather.compactionPerMille) { compact(i) }
    }

    private mutating func changeMembers(_ i: Int) {
        let member = MemberID(UInt64(random.below(members.count)) + 1)
        let isMember = members[i].raft.isMember(member)
        // Of two, one may be left that lacks only the news that the other is gone, and would need
        // its vote. See `Raft.leave()`; no number of messages rules it out.
        guard !isMember || members[i].raft.confState.members.count > 2 else { return }
        try? members[i].raft.propose(
            ConfChange(kind: isMember ? .remove : .add, member: member))
    }

    private func snapshot(of i: Int) -> Snapshot? {
        let index = members[i].raft.appliedIndex
        guard index == members[i].appliedIndex, let term = members[i].raft.term(at: index) else {
            return nil
        }
        return Snapshot(
            data: Raft.bytes(of: members[i].state),
            metadata: SnapshotMetadata(
                confState: members[i].raft.confState, index: index, term: term))
    }

    private mutating func compact(_ i: Int) {
        guard let snapshot = snapshot(of: i), snapshot.metadata.index > 0 else { return }
        members[i].disk.compact(to: snapshot)
        let tail = UInt64(random.below(6))
        members[i].raft.compact(through: max(snapshot.metadata.index, tail) - tail)
    }

    // MARK: Effects

    mutating func pump(_ i: Int) throws(Judge.Violation) {
        while let ready = members[i].raft.takeReady() {
            if let batch = ready.persist {
                if let first = batch.entries.first {
                    let previous =
                        batch.snapshot?.metadata.index == first.index - 1
                        ? batch.snapshot?.metadata.term
                        : members[i].raft.term(at: first.index - 1)
                    try judge.writes(
                        batch.entries, previousTerm: previous ?? 0, by: members[i].raft.id)
                }
                members[i].batches.append(batch)
            }
            try look(at: i)
            ready.messages.forEach { send($0) }
            try apply(ready.committed, on: i)
            for read in ready.readStates { try check(read, on: i) }
            for wanted in ready.snapshotsWanted { sendSnapshot(from: i, to: wanted.member) }
        }
        try look(at: i)
        if members[i].lost != nil, !members[i].raft.isRejoining {
            (members[i].lost, members[i].disk.isRejoining) = (nil, false)
        }
    }

    private mutating func look(at i: Int) throws(Judge.Violation) {
        if members[i].raft.isLeader {
            try judge.leads(members[i].raft)
            if members[i].ledTerm < members[i].raft.term {
                members[i].ledTerm = members[i].raft.term
                if random.chance(percent: weather.cutLeaderPercent) {
                    members[i].cutAt = now + 1 + random.below(weather.cutDelayMax)
                }
            }
        }
        let known = members[i].knownCommit
        guard members[i].raft.commitIndex > known else { return }
        try judge.commits(
            members[i].raft, known: known, disks: members.map(\.disk), lost: members.map(\.lost))
        members[i].knownCommit = members[i].raft.commitIndex
    }

    private mutating func apply(_ entries: [Entry], on i: Int) throws(Judge.Violation) {
        for entry in entries {
            guard entry.index == members[i].appliedIndex + 1 else {
                throw Judge.Violation(
                    description: "\(i + 1) is handed \(entry.index) at \(members[i].appliedIndex)")
            }
            members[i].appliedIndex = entry.index
            members[i].state = Judge.state(after: entry, from: members[i].state)
            try judge.isInState(members[i].state, after: entry.index, member: members[i].raft.id)
            trace = trace &* 31 &+ members[i].state &+ UInt64(i)
            guard entry.kind == .confChange else { continue }
            let change = try? entry.data.withUnsafeBytes { try ConfChange.decode($0) }
            members[i].raft.applyConfChange(change)
        }
        if let last = entries.last { members[i].raft.applied(through: last.index) }
    }

    /// A read sees everything that was committed when it was asked for.
    private mutating func check(_ read: Raft.ReadState, on i: Int) throws(Judge.Violation) {
        let needed = reads[read.context] ?? 0
        guard read.index >= needed else {
            throw Judge.Violation(
                description: "\(i + 1) reads at \(read.index), but \(needed) was committed")
        }
        readsAnswered += 1
    }

    private mutating func send(_ message: Message) {
        trace = trace &* 31 &+ message.index &+ message.term &* 7 &+ message.to.rawValue
        guard network.count < 400, !random.chance(percent: weather.lossPercent) else { return }
        network.append(Flight(due: now + 1 + random.below(weather.delayMax), message: message))
        if random.chance(percent: weather.repeatPercent) { send(message) }
    }

    private mutating func sendSnapshot(from i: Int, to follower: MemberID) {
        if let snapshot = snapshot(of: i), random.chance(percent: 90),
            let message = members[i].raft.sendSnapshot(snapshot, to: follower)
        {
            send(message)
        }
        deliveries.append(
            Delivery(due: now + 1 + random.below(20), leader: i, follower: follower))
    }

    // MARK: The end

    /// With nothing failing any more, all members come to the same state. Returns what is amiss.
    mutating func settle() throws(Judge.Violation) {
        let electionTicks = weather.electionTicks
        weather = .calm()
        for i in members.indices { members[i].cutAt = nil }
        (weather.electionTicks, weather.messageBytesMax) = (electionTicks, 1000)
        for i in members.indices {
            if members[i].isDown { restart(i) }
            members[i].group = 0
            // Between members of etcd 2.x, one may stay at a higher term than the leader for ever.
            members[i].raft.setFeatures(.kvd)
        }
        features = .kvd
        // A member far behind may get an entry a message, as its leader was configured.
        for _ in 0..<8000 {
            try step()
            if isSettled { return }
        }
        let lines = members.map {
            "\($0.raft.id) \($0.raft.role) \($0.raft.term) \($0.raft.commitIndex)"
                + " \($0.raft.lastIndex) of \($0.raft.confState.members)"
                + ($0.raft.isLeader ? " \($0.raft.memberStatuses)" : "")
        }
        throw Judge.Violation(description: "does not settle: \(lines.joined(separator: "; "))")
    }

    private var isSettled: Bool {
        // One who was removed may think for ever that it leads.
        guard
            let leader = members.filter(\.raft.isLeader).max(by: { $0.raft.term < $1.raft.term })
        else { return false }
        guard leader.raft.commitIndex == leader.raft.lastIndex else { return false }
        let voters = leader.raft.confState.members
        return voters.allSatisfy { voter in
            let member = members[position(voter)]
            return member.raft.leader == leader.raft.id
                && member.appliedIndex == leader.raft.lastIndex && member.state == leader.state
                && member.disk.lastIndex == leader.raft.lastIndex
        }
    }
}
