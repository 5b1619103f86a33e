import Cluster
import KVServer
import KeyStore
import Raft
import RaftModel
import State

/// `EngineCluster.Member` is something else.
typealias ClusterMember = Member

/// Engines of one cluster in one thread: their clocks, disks and network are variables.
///
/// A disk takes what it is given when `persists` says so; messages arrive at the next `settle`,
/// unless their member is cut off. Nothing is random but the election draws, which are seeded.
final class EngineCluster {
    struct Member {
        var engine: Engine
        var isRunning = true
        /// What its disk has, as a restart would find it.
        var hardState = HardState.empty
        var entries: [Entry] = []
        /// Its newest durable snapshot.
        var snapshot: StateImage?
        /// Images of leaders that have arrived and that Raft has not taken yet.
        var arrived: [StateImage] = []
        /// Whether it found that its state is not what the log says.
        var wasVoid = false
        /// What a restart would be told by the mark: how far this member had applied.
        var mark: UInt64 = 0
        var answers: [Ticket: Outcome] = [:]
        var notifications: [Notification] = []
        var stop: StopReason?
    }

    private(set) var ids: [MemberID]
    private(set) var members: [Member] = []
    /// Nanoseconds of all monotonic clocks, and of all wall clocks.
    var monotonic: Int64 = 1_000_000_000
    var wall: Int64 = 1_700_000_000_000_000_000
    /// Members whose messages get nowhere.
    var cutOff: Set<Int> = []
    /// Members that hear nobody, though they are heard; and the reverse.
    var deaf: Set<Int> = []
    var mute: Set<Int> = []
    /// Members that stand still, as after SIGSTOP; what is for them waits.
    var paused: Set<Int> = []
    /// Members whose disk has stopped answering.
    var stalledDisks: Set<Int> = []
    /// Members that stand for an etcd 2.3 each; nil: all are known to be kvds from the start.
    var etcds: Etcd23Models?
    private var inbox: [(to: MemberID, Message)] = []
    private var waitingForPaused: [(to: MemberID, Message)] = []
    private let configure: (inout EngineConfiguration) -> Void
    private var unreported: [Int: [Raft.PersistBatch]] = [:]
    private var lastTicket: UInt32 = 0

    init(size: Int, configure: @escaping (inout EngineConfiguration) -> Void = { _ in }) {
        self.configure = configure
        let cluster = (1...size).map {
            ClusterMember(
                id: MemberID(UInt64($0)), peerURLs: ["http://127.0.0.1:\(2380 + $0)"],
                name: "m\($0)")
        }
        ids = cluster.map(\.id)
        for i in 0..<size {
            let state = Bootstrap.hardState(cluster)
            let entries = Bootstrap.entries(cluster)
            let engine = Self.makeEngine(
                i, state, entries, nil, configure, readableFrom: state.commit,
                monotonic: monotonic, wall: wall)
            members.append(Member(engine: engine, hardState: state, entries: entries))
        }
    }

    /// The id of the member that `join` starts next.
    var nextID: MemberID { MemberID(UInt64(ids.count + 1)) }

    /// Starts a member with an empty log, under the next id.
    func join() -> MemberID {
        let id = nextID
        let engine = Self.makeEngine(
            ids.count, .empty, [], nil, configure, readableFrom: 0, monotonic: monotonic, wall: wall
        )
        ids.append(id)
        members.append(Member(engine: engine))
        return id
    }

    private static func makeEngine(
        _ i: Int, _ hardState: HardState, _ entries: [Entry], _ image: StateImage?,
        _ configure: (inout EngineConfiguration) -> Void, readableFrom: UInt64, monotonic: Int64,
        wall: Int64
    ) -> Engine {
        var configuration = EngineConfiguration(
            member: MemberID(UInt64(i + 1)), cluster: ClusterID(0xc1),
            attributes: MemberAttributes(
                name: "m\(i + 1)", clientURLs: ["http://127.0.0.1:\(4000 + i)"]),
            electionTicks: 10, heartbeatInterval: .milliseconds(100), seed: UInt64(i + 1))
        configure(&configuration)
        let state = MemberState(options: configuration.store)
        if let image { state.restore(image, monotonic: monotonic) }
        let engine = Engine(
            configuration: configuration,
            restored: Raft.RestoredState(
                hardState: hardState, snapshot: image?.metadata ?? SnapshotMetadata(),
                entries: entries.filter { $0.index > image?.index ?? 0 }),
            state: state, readableFrom: readableFrom, monotonic: monotonic, wall: wall)
        engine.setAllMembersAreKvd(true)
        return engine
    }

    subscript(i: Int) -> Engine { members[i].engine }

    var leader: Int? { members.indices.first { members[$0].isRunning && self[$0].isLeader } }

    // MARK: Time and work

    /// One heartbeat interval passes for all, and what it leads to.
    func tick() {
        monotonic += 100_000_000
        wall += 100_000_000
        inbox += waitingForPaused
        waitingForPaused = []
        for i in members.indices where isActive(i) {
            self[i].advance(monotonic: monotonic, wall: wall)
            self[i].tick()
        }
        settle()
    }

    /// Ticks until `condition` holds; false after `limit` ticks.
    func tick(until condition: () -> Bool, limit: Int = 200) -> Bool {
        for _ in 0..<limit {
            if condition() { return true }
            tick()
        }
        return condition()
    }

    /// Pumps, persists and delivers until nothing happens any more.
    func settle() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for i in members.indices where isActive(i) {
                if pump(i) { isBusy = true }
            }
            let arriving = inbox
            inbox = []
            for (to, message) in arriving {
                guard let i = ids.firstIndex(of: to), members[i].isRunning, !cutOff.contains(i),
                    !deaf.contains(i)
                else { continue }
                guard !paused.contains(i) else {
                    waitingForPaused.append((to, message))
                    continue
                }
                self[i].receive([etcds?.passOn(message) ?? message])
                isBusy = true
            }
        }
    }

    private func isActive(_ i: Int) -> Bool { members[i].isRunning && !paused.contains(i) }

    private func pump(_ i: Int) -> Bool {
        var effects = Effects()
        if let etcds { etcds.tell(self[i]) }
        self[i].advance(monotonic: monotonic, wall: wall)
        self[i].pump(into: &effects)
        for batch in effects.persist {
            if let snapshot = batch.snapshot { install(snapshot.metadata, on: i) }
            unreported[i, default: []].append(batch)
        }
        if let image = effects.snapshot { save(image, of: i) }
        for wanted in effects.snapshotsWanted { sendSnapshot(wanted, from: i) }
        if effects.stateIsVoid { members[i].wasVoid = true }
        if !cutOff.contains(i), !mute.contains(i) {
            inbox += effects.messages.map { ($0.to, $0) }
        }
        for (ticket, outcome) in effects.answers { members[i].answers[ticket] = outcome }
        members[i].notifications += effects.notifications
        members[i].mark = self[i].appliedIndex
        if effects.wantsVersions { answerVersions(i) }
        if let reason = effects.stop { members[i].stop = reason }
        etcds?.applied(self[i], log: members[i].entries)
        return report(i) || !effects.messages.isEmpty || effects.wantsVersions
    }

    // MARK: Snapshots

    private func save(_ image: StateImage, of i: Int) {
        members[i].snapshot = image
        let bytes = StateEncoder.bytes(image)
        self[i].snapshotSaved(index: image.index, stateBytes: bytes.count)
    }

    private func sendSnapshot(_ wanted: Raft.SnapshotWanted, from i: Int) {
        guard let image = members[i].snapshot, image.index >= wanted.indexMin else {
            self[i].wantSnapshot()
            self[i].reportSnapshot(wanted.member, succeeded: false)
            return
        }
        guard let message = self[i].snapshotMessage(image.metadata, to: wanted.member),
            let to = ids.firstIndex(of: wanted.member)
        else { return }
        members[to].arrived.append(
            etcds?.passOn(image, from: ids[i], to: wanted.member) ?? image)
        inbox.append((wanted.member, message))
        self[i].reportSnapshot(wanted.member, succeeded: true)
    }

    private func install(_ metadata: SnapshotMetadata, on i: Int) {
        guard let image = members[i].arrived.last(where: { $0.index == metadata.index }) else {
            preconditionFailure("only what has arrived is handed to Raft")
        }
        _ = self[i].install(image, stateBytes: 1000)
        members[i].snapshot = image
        if members[i].entries.last?.index ?? 0 < image.index { members[i].entries = [] }
    }

    private func answerVersions(_ i: Int) {
        let versions = MemberVersions(server: .served, cluster: nil)
        var others: [MemberID: MemberVersions?] = [:]
        for id in ids where id != ids[i] { others.updateValue(versions, forKey: id) }
        self[i].versionsLearnt(others)
    }

    private func report(_ i: Int) -> Bool {
        guard !stalledDisks.contains(i), let batches = unreported[i], let last = batches.last else {
            return false
        }
        for batch in batches {
            if let first = batch.entries.first {
                members[i].entries.removeAll { $0.index >= first.index }
                members[i].entries += batch.entries
            }
            if let state = batch.hardState { members[i].hardState = state }
        }
        unreported[i] = nil
        self[i].persisted(through: last.sequence)
        return true
    }

    // MARK: Crashes

    /// What its disk did not report is gone, and so is all that it had in memory.
    func crash(_ i: Int) {
        members[i].isRunning = false
        unreported[i] = nil
    }

    /// As if the last commit indices, which are not synced by themselves, had never been written.
    func setCommit(of i: Int, to commit: UInt64) { members[i].hardState.commit = commit }

    /// Starts it from its disk; `remembersMark` is false after a power loss.
    func restart(_ i: Int, remembersMark: Bool = true) {
        var state = members[i].hardState
        let last = members[i].entries.last?.index ?? members[i].snapshot?.index ?? 0
        state.commit = min(state.commit, last)
        let readableFrom = remembersMark ? min(members[i].mark, last) : last
        members[i].engine = Self.makeEngine(
            i, state, members[i].entries, members[i].snapshot, configure,
            readableFrom: readableFrom, monotonic: monotonic, wall: wall)
        members[i].isRunning = true
    }

    // MARK: Clients

    /// Proposes a PUT on a member; its answer will be under the ticket.
    func put(_ key: String, _ value: String, on i: Int, ttlSeconds: Int64? = nil) -> Ticket {
        let ticket = nextTicket()
        var request = Request(method: .put, path: Array("/1\(key)".utf8), value: Array(value.utf8))
        if let ttlSeconds { request.expiration = self[i].clusterTime + ttlSeconds * 1_000_000_000 }
        request.withView { self[i].propose($0, ticket: ticket) }
        return ticket
    }

    func readLinearizably(on i: Int) -> Ticket {
        let ticket = nextTicket()
        self[i].readLinearizably(ticket: ticket)
        return ticket
    }

    func nextTicket() -> Ticket {
        lastTicket += 1
        return Ticket(connection: 1, request: lastTicket)
    }

    func answer(_ ticket: Ticket, on i: Int) -> Outcome? { members[i].answers[ticket] }

    func value(of key: String, on i: Int) -> String? {
        let path = Array("/1\(key)".utf8)
        return path.withUnsafeBytes { path in
            guard let node = try? self[i].store.tree.node(at: path) else { return nil }
            return node.withValue { String(decoding: $0, as: UTF8.self) }
        }
    }
}

extension Outcome {
    var isApplied: Bool { if case .applied = self { true } else { false } }
    var isReadable: Bool { if case .readable = self { true } else { false } }
    var refusal: Refusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}
