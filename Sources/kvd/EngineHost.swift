import ClientAPI
import Cluster
import Dispatch
import KVServer
import KeyStore
import Logging
import Logs
import NIOCore
import Raft
import RaftModel
import Storage
import StorageIO
import Transport

/// The engine's owner on its event loop: hands it work and time, pumps it once a turn of the loop,
/// and carries out what comes of it.
///
/// One pump serves everything that one turn of the loop brought: all requests read from all
/// connections, all messages, all syncs that ended. So batches grow with the load by themselves.
final class EngineHost {
    let engine: Engine
    let eventLoop: any EventLoop
    let log = Logger(label: "etcdserver")
    let wal = Logger(label: "wal")
    private var mark: CommitMark
    /// Holds the lock of the data dir for as long as the node lives.
    let directory: DataDirectory<PosixStorage>
    let keeper: SnapshotKeeper
    /// Of the last batch handed to the log.
    private var submittedSequence: UInt64 = 0
    /// A leader's snapshot takes the place of a void state when this batch is durable.
    private var restoringSequence: UInt64?
    /// Members that wait for a snapshot newer than there is.
    var waitingForSnapshot: [Raft.SnapshotWanted] = []
    /// The files that followers are to get, or did not get all of.
    var offers: [MemberID: SnapshotOffer] = [:] {
        didSet { engine.offeredIndex = offers.values.map(\.file.metadata.index).min() }
    }
    private var markedIndex: UInt64 = 0
    /// Set once, right after this was made; released at the stop.
    private(set) var parts: Parts?
    private var effects = Effects()
    private var isPumpScheduled = false
    private var ticker: RepeatedTask?
    private var scrubTicker: RepeatedTask?
    /// What the others have said since the start.
    var peerFeatures: [MemberID: PeerFeatures] = [:]
    /// Members that are kvds by their own word, given now or before the last restart.
    var knownKvds: Set<MemberID>
    /// Those of the note in the data dir.
    var notedKvds: Set<MemberID>
    /// The etcd leader whose snapshot is being made a file of.
    var takingInFrom: MemberID?
    private let onStop: @Sendable (StopReason) -> Void
    /// Set when this member is to stop cleanly.
    var retirement: Retirement?
    private let report: ServiceReport?

    struct Parts {
        var writer: LogWriter<PosixStorage>
        var peers: PeerTransport
        var clients: ClientServer
        /// The clients' server refers to these two weakly.
        var backups: LiveBackups
        var metrics: LiveMetrics
    }

    init(
        engine: Engine, directory: DataDirectory<PosixStorage>,
        mark: consuming CommitMark, keeper: SnapshotKeeper, knownKvds: Set<MemberID>,
        eventLoop: any EventLoop, report: ServiceReport?,
        onStop: @escaping @Sendable (StopReason) -> Void
    ) {
        eventLoop.preconditionInEventLoop()
        self.engine = engine
        self.mark = mark
        self.directory = directory
        self.keeper = keeper
        (self.knownKvds, notedKvds) = (knownKvds, knownKvds)
        self.eventLoop = eventLoop
        self.report = report
        self.onStop = onStop
    }

    /// What is special about a start.
    struct Beginning {
        /// Write the state down in a snapshot at once.
        var wantsSnapshot: Bool
        /// The members of the cluster that this one joins with an empty log.
        var hosts: [Peer]
    }

    /// Starts time and the first pump, which applies what is known to be committed.
    func start(_ parts: Parts, _ beginning: Beginning) {
        precondition(self.parts == nil, "a host starts once")
        self.parts = parts
        let configuration = engine.configuration
        let patience = configuration.heartbeatInterval * configuration.electionTicks
        engine.isReachable = { [weak peers = parts.peers] in
            !(peers?.statistics(of: $0)?.isMissing(for: patience) ?? true)
        }
        recallKvds()
        // A snapshot brings its members with it; those in the log come when it is applied.
        updatePeers(parts)
        parts.peers.join(beginning.hosts)
        if beginning.wantsSnapshot { engine.wantSnapshot(always: true) }
        let interval = TimeAmount(engine.configuration.heartbeatInterval)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            bound.value.tick()
        }
        needsPump()
    }

    /// Has everything read again at intervals.
    func scrub(every interval: Duration, _ scrubber: Scrubber) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let (loop, interval) = (eventLoop, TimeAmount(interval))
        scrubTicker = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            scrubber.run { finding in
                guard finding.wantsSnapshot else { return }
                loop.execute {
                    bound.value.engine.wantSnapshot(always: true)
                    bound.value.needsPump()
                }
            }
        }
    }

    /// Asks for a pump at the end of this turn of the loop.
    func needsPump() {
        guard !isPumpScheduled else { return }
        isPumpScheduled = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { bound.value.pump() }
    }

    /// Everything up to this batch is on the disk.
    func persisted(through sequence: UInt64) {
        engine.persisted(through: sequence)
        if let restoring = restoringSequence, restoring <= sequence {
            restoringSequence = nil
            change(.stateIsVoid, isSet: false)
        }
        needsPump()
    }

    private func tick() {
        advance()
        if !offers.isEmpty { withdrawOffers() }
        engine.tick()
        parts?.clients.tick()
        report?.update()
        needsPump()
    }

    func advance() {
        engine.advance(
            monotonic: MachineClock.monotonicNanoseconds, wall: WallClock.unixNanoseconds)
    }

    private func pump() {
        isPumpScheduled = false
        guard let parts else { return }
        advance()
        engine.pump(into: &effects)
        for batch in effects.persist { persist(batch, parts) }
        if !effects.messages.isEmpty { parts.peers.send(effects.messages) }
        storeMark()
        if effects.peersChanged { updatePeers(parts) }
        if !effects.answers.isEmpty || !effects.notifications.isEmpty
            || parts.clients.hasToRecheckWatches
        {
            parts.clients.deliver(
                answers: effects.answers, notifications: effects.notifications)
        }
        if !effects.removedContent.isEmpty { release(effects.removedContent) }
        if effects.wantsVersions { askVersions(parts) }
        carryOutSnapshots()
        continueRetiring()
        if let reason = effects.stop { end(reason) }
    }

    /// A leader that was removed has a moment left, as in etcd, to tell the others.
    private func end(_ reason: StopReason) {
        guard reason == .removedFromCluster, engine.isLeader else { return onStop(reason) }
        let onStop = onStop
        eventLoop.scheduleTask(in: .seconds(1)) { onStop(reason) }
    }

    private func persist(_ batch: Raft.PersistBatch, _ parts: Parts) {
        if let snapshot = batch.snapshot { install(snapshot, before: batch.sequence, parts) }
        parts.writer.submit(LogBatch(batch))
        submittedSequence = batch.sequence
    }

    /// Puts a leader's snapshot, which is a durable file by now, in the place of the state. The log
    /// names it in a batch of its own, which comes before the entries that follow it.
    private func install(_ snapshot: Snapshot, before sequence: UInt64, _ parts: Parts) {
        guard let arrival = keeper.take(snapshot.metadata) else {
            preconditionFailure("only what has arrived is handed to Raft")
        }
        let watchers = engine.install(arrival.image, stateBytes: arrival.stateBytes)
        parts.clients.endWatches(watchers)
        let metadata = snapshot.metadata
        parts.writer.submit(
            LogBatch(
                sequence: sequence - 1,
                snapshot: WALSnapshotRecord(index: metadata.index, term: metadata.term)))
        restoringSequence = sequence
    }

    /// The log names a snapshot of our own, so that an etcd's reader finds it there.
    func recordInLog(_ metadata: SnapshotMetadata) {
        parts?.writer.submit(
            LogBatch(
                sequence: submittedSequence,
                snapshot: WALSnapshotRecord(index: metadata.index, term: metadata.term)))
    }

    private func carryOutSnapshots() {
        if let image = effects.snapshot { save(image) }
        if !effects.snapshotsWanted.isEmpty { send(effects.snapshotsWanted) }
        if effects.stateIsVoid { change(.stateIsVoid, isSet: true) }
        if effects.hasRejoined { change(.rejoining, isSet: false) }
    }

    private func change(_ note: DataDirectoryNote, isSet: Bool) {
        let (directory, log) = (directory, log)
        keeper.run {
            do throws(StorageError) {
                if isSet { try directory.leave(note) } else { try directory.remove(note) }
            } catch {
                log.error("the note \(note.rawValue) could not be changed: \(error)")
            }
        }
    }

    /// Before any answer that shows the store leaves: it is what the next start may not fall behind.
    private func storeMark() {
        guard let index = engine.shownIndex, index > markedIndex else { return }
        markedIndex = index
        mark.store(
            CommitMark.Values(
                commit: markedIndex, syncTimeNanoseconds: engine.clusterTime,
                syncedAt: MachineClock.sinceBoot))
    }

    /// Freeing the content of a directory of a million keys takes 100 ms and more.
    private func release(_ content: [RemovedContent]) {
        DispatchQueue.global(qos: .utility).async { withExtendedLifetime(content) {} }
    }

    private func updatePeers(_ parts: Parts) {
        let others = engine.membership.listed.filter { $0.id != engine.configuration.member }
        parts.peers.update(peers: others.compactMap(Peer.init))
        updateFeatures()
    }

    private func askVersions(_ parts: Parts) {
        let others = engine.membership.members.filter { $0.id != engine.configuration.member }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        parts.peers.client.fetchVersions(of: others.compactMap(Peer.init)).whenSuccess { versions in
            bound.value.engine.versionsLearnt(versions)
            bound.value.needsPump()
        }
    }

    /// Answers all who wait, and lets go of the parts.
    func stop(_ reason: StopReason?) -> Parts? {
        report?.stopping()
        ticker?.cancel()
        scrubTicker?.cancel()
        parts?.clients.stop()
        advance()
        engine.stop(reason)
        pump()
        defer { parts = nil }
        return parts
    }
}

extension EngineHost: PeerTransportDelegate {
    func received(_ messages: [Message], from peer: MemberID) {
        guard takingInFrom == peer || messages.contains(where: { $0.kind == .snapshot }) else {
            return receive(messages)
        }
        for message in messages where !isOvertaken(message) {
            // An etcd 2.x leader's snapshot carries the state with it.
            if let snapshot = message.snapshot, !snapshot.data.isEmpty {
                takeIn(message, snapshot)
            } else {
                receiveSnapshot(message)
            }
        }
    }

    /// Its state has arrived. Pumped at once, so that it is known whether Raft has taken it.
    func receiveSnapshot(_ message: Message) {
        guard let metadata = message.snapshot?.metadata, keeper.hasArrived(metadata) else {
            return log.error("dropped a snapshot message of \(message.from): no state came with it")
        }
        advance()
        engine.receive([message])
        pump()
        keeper.settle(metadata)
    }

    func receive(_ messages: [Message]) {
        advance()
        engine.receive(messages)
        needsPump()
    }

    func unreachable(_ peer: MemberID) {
        engine.reportUnreachable(peer)
        needsPump()
    }

    func removedFromCluster() { onStop(.removedFromCluster) }

    func standing(of member: MemberID) -> PeerStanding {
        if engine.membership.removed.contains(member) { return .removed }
        let membership = engine.membership
        let known = membership[member] ?? membership.newcomer(member)
        return known == nil ? .unknown : .member
    }

    var members: [Member] { engine.membership.listed }
    var clusterVersion: SemanticVersion? { engine.clusterVersion }
}

extension LogBatch {
    init(_ batch: Raft.PersistBatch) {
        self.init(
            sequence: batch.sequence, hardState: batch.hardState, entries: batch.entries,
            needsSync: batch.needsSync)
    }
}
