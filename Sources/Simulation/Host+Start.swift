import Cluster
import KVServer
import KeyStore
import Logging
import Raft
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// A member's start, with the recovery that `kvd` has.
extension Host {
    private static let dataDirectory = "/data"
    private static let silent = Logger(label: "kvd-sim") { _ in SwiftLogNoOpLogHandler() }
    static let clusterID = ClusterID(0xc1)

    enum StartFailure: Error {
        case disk(StorageError)
        case damage(String)
    }

    func start() throws(Violation) {
        isStarting = false
        guard running == nil, !isGone else { return }
        do throws(StartFailure) {
            try start(rejoining: false)
        } catch {
            try startFailed(error)
        }
    }

    private func startFailed(_ failure: StartFailure) throws(Violation) {
        world.coverage.count(.startFailed)
        world.trace.note(world.now) { "\(id) does not start: \(failure)" }
        switch failure {
        case .disk(let error):
            guard !storage.isPoweredOff else {
                world.coverage.count(.powerLostInCall)
                losePower(keeping: .any)
                return restartLater()
            }
            guard expectsDiskError || world.now < diskFullUntil else {
                throw Violation("disks that work are enough", "\(id): \(error)")
            }
            expectsDiskError = false
            storage.killProcess()
            restartLater()
        case .damage(let problem):
            storage.killProcess()
            guard isRotten else { throw Violation("a crash leaves what can be started", problem) }
            world.coverage.count(.rotRefused)
            try rejoin()
        }
    }

    /// What an operator does with a member whose files are damaged.
    private func rejoin() throws(Violation) {
        do throws(StartFailure) {
            try start(rejoining: true)
            world.coverage.count(.rotSalvaged)
        } catch {
            storage.killProcess()
            switch error {
            case .disk: restartLater()
            case .damage:
                world.coverage.count(.memberReplaced)
                giveUp()
                world.work.wish(.remove(id))
            }
        }
    }

    private var walOptions: WALOptions {
        var options = WALOptions()
        options.segmentBytes = world.weather.segmentBytes
        options.writesZerosAhead = false
        options.segmentFilesMax = world.weather.snapshotFilesMax
        return options
    }

    private func start(rejoining: Bool) throws(StartFailure) {
        mutateDisk()
        let directory = try Self.opening { () throws(DataDirectoryError) in
            try DataDirectory.open(Self.dataDirectory, storage: storage)
        }
        let isRestart = try Self.opening { () throws(DataDirectoryError) in
            try directory.hasWAL()
        }
        if isRestart { mutateLog(directory) } else { try createLog(directory) }
        if isRestart, rejoining { try salvage(directory) }
        let options = recoveryOptions
        var recovery = try Self.recovering { () throws(RecoveryError) in
            try Recovery.run(directory, options)
        }
        let isRejoining = try noted(.rejoining, directory)
        if recovery.log.lastIndex == 0, isFounder, !isRejoining {
            let founders = world.founders
            do throws(RecoveryError) { try recovery.fill(founders) } catch {
                throw Self.failure(error)
            }
        }
        let mark = try Self.calling { () throws(StorageError) in
            try CommitMark.open(directory.markPath, storage: storage, memberID: id)
        }
        let vote = try Self.calling { () throws(StorageError) in
            try VoteRecord.open(directory.votePath, storage: storage, member: id)
        }
        if !isRejoining {
            do throws(RecoveryError) { try recovery.checkNothingIsMissing(mark, directory) } catch {
                throw Self.failure(error)
            }
        }
        recovery.remember(vote)
        if world.scenario.mutation == .forgetVoteOnRestart { recovery.log.hardState.vote = .none }
        checkMemory(of: recovery, isRestart: isRestart, isRejoining: isRejoining)
        let engine = makeEngine(
            recovery, mark.recalled, isRestart: isRestart, isRejoining: isRejoining,
            isVoid: try noted(.stateIsVoid, directory))
        let group = GroupCommit(recovery.wal, vote)
        try Self.logging { () throws(WALError) in try group.begin() }
        begin(
            Running(engine: engine, group: group, directory: directory, mark: mark), recovery,
            isRestart: isRestart)
    }

    private func mutateDisk() {
        switch world.scenario.mutation {
        case .skipLogSync:
            storage.inject(StorageFault(.sync, on: ".wal", repeats: true, .lie))
        case .skipDirectorySync:
            storage.inject(StorageFault(.syncDirectory, repeats: true, .lie))
        default: break
        }
    }

    private var recoveryOptions: Recovery<SimulatedStorage>.Options {
        Recovery.Options(
            store: engineConfiguration.store, wal: walOptions, monotonic: monotonic,
            logger: Self.silent)
    }

    private func createLog(
        _ directory: DataDirectory<SimulatedStorage>
    ) throws(StartFailure) {
        try Self.logging { () throws(WALError) in
            let wal = try WAL.create(
                in: directory.walPath, storage: storage,
                metadata: WALMetadata(memberID: id, clusterID: Self.clusterID),
                options: walOptions)
            try wal.close()
        }
    }

    private func salvage(_ directory: DataDirectory<SimulatedStorage>) throws(StartFailure) {
        let options = recoveryOptions
        try Self.recovering { () throws(RecoveryError) in
            try Salvage.run(directory, options, unixSeconds: wall / Simulation.second)
        }
    }

    private func makeEngine(
        _ recovery: Recovery<SimulatedStorage>, _ recalled: CommitMark.Recalled,
        isRestart: Bool, isRejoining: Bool, isVoid: Bool
    ) -> Engine {
        var readableFrom = recovery.readableFrom(
            recalled, isRestart: isRestart, isRejoining: isRejoining)
        if world.scenario.mutation == .readTooEarly { readableFrom = 0 }
        return Engine(
            configuration: engineConfiguration,
            restored: Raft.RestoredState(
                hardState: recovery.log.hardState, snapshot: recovery.snapshot,
                entries: recovery.log.entries, isRejoining: isRejoining, isStateVoid: isVoid),
            state: recovery.state, snapshotStateBytes: recovery.snapshotStateBytes,
            readableFrom: readableFrom, monotonic: monotonic, wall: wall)
    }

    private func begin(
        _ running: Running, _ recovery: Recovery<SimulatedStorage>, isRestart: Bool
    ) {
        let log = recovery.log
        durable = LogMirror(
            base: recovery.snapshot, entries: log.entries, hardState: log.hardState)
        written = durable
        outstanding = []
        running.engine.onFact = { [unowned world] in world.count($0) }
        running.engine.isReachable = { [unowned self] in world.isReachable($0, from: slot) }
        running.wal.noteOutOfSpace = { [unowned self] _ in ranOutOfSpace() }
        running.wal.waitForSpace = { [unowned self] in waitForSpace() }
        if isRestart { world.coverage.count(.restarted) }
        if log.report.cut != nil { world.coverage.count(.tornTailCut) }
        recallKvds(running)
        started(running)
        world.trace.note(world.now) {
            "\(id) starts: snapshot \(recovery.snapshot.index), log up to \(log.lastIndex) of term "
                + "\(log.lastTerm), term \(log.hardState.term), vote \(log.hardState.vote)"
        }
        startJobs()
    }

    private var engineConfiguration: EngineConfiguration {
        var options = EngineConfiguration(
            member: id, cluster: Self.clusterID,
            attributes: MemberAttributes(
                name: "m\(slot + 1)", clientURLs: ["http://m\(slot + 1):2379"]),
            electionTicks: world.weather.electionTicks, heartbeatInterval: .milliseconds(100),
            seed: world.scenario.seed &* 31 &+ UInt64(slot) << 32 &+ UInt64(life))
        options.snapshotEntryCount = world.weather.snapshotEntries
        options.verifyEntryCount = world.weather.verifyEntries
        options.store.historyEventsMax = world.weather.historyEventsMax
        // A short memory is short in every respect.
        if options.store.historyEventsMax <= 100 { options.store.historyKeysMax = 3 }
        options.catchUpEntries = world.weather.catchUpEntries
        options.refusesUnsafeReconfiguration = world.weather.isStrictAboutMembers
        (options.serverLog, options.raftLog) = (Self.silent, Self.silent)
        return options
    }

    // MARK: Failures

    private func noted(
        _ note: DataDirectoryNote, _ directory: DataDirectory<SimulatedStorage>
    ) throws(StartFailure) -> Bool {
        try Self.calling { () throws(StorageError) in try directory.has(note) }
    }

    private static func failure(_ error: RecoveryError) -> StartFailure {
        error.storage.map { .disk($0) } ?? .damage("\(error)")
    }

    private static func recovering<Result>(
        _ body: () throws(RecoveryError) -> Result
    ) throws(StartFailure) -> Result {
        do throws(RecoveryError) { return try body() } catch { throw failure(error) }
    }

    private static func calling<Result: ~Copyable>(
        _ body: () throws(StorageError) -> Result
    ) throws(StartFailure) -> Result {
        do throws(StorageError) { return try body() } catch { throw .disk(error) }
    }

    private static func logging<Result>(
        _ body: () throws(WALError) -> Result
    ) throws(StartFailure) -> Result {
        do throws(WALError) { return try body() } catch {
            throw error.storage.map { .disk($0) } ?? .damage("\(error)")
        }
    }

    private static func opening<Result>(
        _ body: () throws(DataDirectoryError) -> Result
    ) throws(StartFailure) -> Result {
        do throws(DataDirectoryError) { return try body() } catch {
            if case .storage(let cause) = error.code { throw .disk(cause) }
            throw .damage("\(error)")
        }
    }
}
