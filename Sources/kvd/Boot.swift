import Cluster
import Configuration
import KVServer
import Logging
import Raft
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// A data dir's two beginnings: a member that never ran, or the one that lives in it.
///
/// Blocks on the disk, so it runs before the event loop has anything to do.
struct Boot: ~Copyable {
    let directory: DataDirectory<PosixStorage>
    let metadata: WALMetadata
    let wal: WAL<PosixStorage>
    let log: RecoveredLog
    let state: MemberState
    /// What the state was loaded from; index 0: nothing.
    let snapshot: SnapshotMetadata
    let snapshotStateBytes: Int
    let mark: CommitMark
    let vote: VoteRecord<PosixStorage>
    /// Whether the log was there before this start.
    let isRestart: Bool
    let isRejoining: Bool
    let isStateVoid: Bool
    /// The members of the running cluster that this one joins: they may call before its log says
    /// who they are. Empty for a member that has a log.
    let hosts: [Member]
    /// The members that were kvds before this start.
    let knownKvds: Set<MemberID>
    /// The index that has to be applied before plain reads are answered.
    let readableFrom: UInt64
    /// The dir is an etcd's, and has no snapshot of our own yet.
    let wantsSnapshot: Bool

    /// Opens the data dir, and makes a new member in it if none lives there.
    ///
    /// - Parameter inquiry: asks other members what a new one has to know.
    static func open(
        _ configuration: ServerConfiguration, _ inquiry: PeerInquiry
    ) throws(StartFailure) -> Boot {
        let storage = PosixStorage()
        var configuration = configuration
        let directory = try StartFailure.catching { () throws(DataDirectoryError) in
            try DataDirectory.open(
                configuration.dataDirectory, storage: storage,
                walPath: configuration.walDirectory)
        }
        let (isRestart, unknown) = try StartFailure.catching { () throws(DataDirectoryError) in
            (try directory.hasWAL(), try directory.unknownNames())
        }
        for name in unknown {
            Logger(label: "etcdmain").warning(
                """
                found invalid file/dir \(name) under data dir \(configuration.dataDirectory) \
                (Ignore this if you are upgrading etcd)
                """)
        }
        var hosts: [Member] = []
        if isRestart {
            Logger(label: "etcdmain").notice(
                "the server is already initialized as member before, starting as etcd member...")
            if configuration.rejoins { try salvage(directory, configuration) }
        } else {
            try checkNothingLivedHere(directory)
            configuration = try findMembers(configuration, directory)
            hosts = try createLog(configuration, directory, inquiry)
        }
        Kvd.write(configuration.memberNotes(isFirstStart: !isRestart))
        return try recover(directory, configuration, isRestart: isRestart, hosts: hosts)
    }

    private static func salvage(
        _ directory: DataDirectory<PosixStorage>, _ configuration: ServerConfiguration
    ) throws(StartFailure) {
        try StartFailure.recovering { () throws(RecoveryError) in
            try Salvage.run(
                directory, configuration.recoveryOptions,
                unixSeconds: WallClock.unixNanoseconds / 1_000_000_000)
        }
    }

    /// A dir without a log that has a snapshot or a mark was a member's: to begin anew in it would
    /// make an empty cluster of what was a full one.
    private static func checkNothingLivedHere(
        _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) {
        let signs = try StartFailure.catching { () throws(StorageError) -> [String] in
            let snapshots = SnapshotDirectory(directory.snapPath, storage: directory.storage)
            var signs = try snapshots.list().map { snapshots.path(of: $0) }
            for path in [directory.markPath, directory.votePath]
            where try directory.storage.kind(of: path) != nil { signs.append(path) }
            return signs
        }
        guard let sign = signs.first else { return }
        throw StartFailure(
            "etcdmain",
            """
            \(directory.walPath) holds no log, but \(sign) says that a member lived here: its log was \
            deleted or moved. Put it back, or restore the member from a backup, or remove it from the \
            cluster and add it again with an empty data dir; to begin a new member here, remove \
            \(directory.memberPath)
            """)
    }

    private static func findMembers(
        _ configuration: ServerConfiguration, _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) -> ServerConfiguration {
        switch try FirstMembers.find(configuration, directory) {
        case .member(let found): return found
        case .proxy(let cluster):
            guard let cluster, !cluster.isEmpty else {
                throw StartFailure(
                    "etcdmain",
                    """
                    the members of the full cluster cannot be read from the discovery service, so \
                    there is nobody to be a proxy of. Use a token with a place left
                    """)
            }
            throw StartFailure(proxyOf: cluster.urls)
        }
    }

    /// Makes the log of a new member, without entries yet. Those of a new cluster's member are
    /// written by `fill`, at this start or, should this one be cut short, at the next; those of a
    /// member that joins come from the leader.
    ///
    /// Returns the members that it joins.
    private static func createLog(
        _ configuration: ServerConfiguration, _ directory: DataDirectory<PosixStorage>,
        _ inquiry: PeerInquiry
    ) throws(StartFailure) -> [Member] {
        let isJoining = configuration.initialClusterState == .existing
        var hosts: [Member] = []
        let metadata: WALMetadata
        if isJoining {
            try checkFlags(configuration)
            (metadata, hosts) = try inquiry.runningCluster(configuration)
        } else {
            let members: [Member]
            (metadata, members) = try firstMembers(configuration)
            try inquiry.checkNotBootstrapped(metadata.memberID, members)
        }
        try StartFailure.catching { () throws(StorageError) in
            if isJoining {
                try directory.leave(.joining)
            } else {
                try directory.remove(.joining)
            }
        }
        try StartFailure.catching { () throws(WALError) in
            let wal = try WAL.create(
                in: directory.walPath, storage: directory.storage, metadata: metadata,
                options: configuration.walOptions)
            try wal.close()
        }
        return hosts
    }

    private static func checkFlags(_ configuration: ServerConfiguration) throws(StartFailure) {
        let resolve = try FirstMembers.resolver(configuration)
        let faults = configuration.bootstrapCheck.faults(resolve: resolve)
        guard faults.isEmpty else {
            throw StartFailure(notes: configuration.notes(for: faults))
        }
    }

    /// The members of `--initial-cluster`, and what the log says of them and of this one.
    private static func firstMembers(
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> (WALMetadata, [Member]) {
        try checkFlags(configuration)
        let members = configuration.initialCluster.makeMembers(token: configuration.clusterToken)
        guard let own = members.first(where: { $0.name == configuration.name }) else {
            preconditionFailure("checked: \(configuration.name) is in the initial cluster")
        }
        let cluster = ClusterID(members: members.map(\.id))
        return (WALMetadata(memberID: own.id, clusterID: cluster), members)
    }

    /// Writes the entries that every first member's log begins with, if they are not there yet.
    private static func fill(
        _ recovery: inout Recovery<PosixStorage>, _ configuration: ServerConfiguration,
        _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) {
        let found = recovery.log
        guard found.lastIndex == 0 else {
            noteDiscoveryIgnored(configuration, directory)
            return try forgetRegistration(directory)
        }
        let (metadata, members) = try firstMembers(findMembers(configuration, directory))
        guard metadata == found.metadata else {
            throw StartFailure(
                "etcdmain",
                """
                data dir \(configuration.dataDirectory) holds the unfinished first start of member \
                \(found.metadata.memberID) of cluster \(found.metadata.clusterID), but the flags now \
                say member \(metadata.memberID) of cluster \(metadata.clusterID). Nothing was ever \
                written there: remove it and start again, or go back to the flags of that start
                """)
        }
        do throws(RecoveryError) { try recovery.fill(members) } catch { throw StartFailure(error) }
        try forgetRegistration(directory)
    }

    private static func forgetRegistration(
        _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) {
        try StartFailure.catching { () throws(StorageError) in
            try directory.removeRegistrationRecord()
        }
    }

    private static func noteDiscoveryIgnored(
        _ configuration: ServerConfiguration, _ directory: DataDirectory<PosixStorage>
    ) {
        guard configuration.discoveryURL != nil else { return }
        Logger(label: "etcdmain").warning(
            """
            discovery token ignored since a cluster has already been initialized. Valid log found at \
            "\(directory.walPath)"
            """)
    }

    private static func recover(
        _ directory: DataDirectory<PosixStorage>, _ configuration: ServerConfiguration,
        isRestart: Bool, hosts: [Member]
    ) throws(StartFailure) -> Boot {
        var recovery = try StartFailure.recovering { () throws(RecoveryError) in
            try Recovery.run(directory, configuration.recoveryOptions)
        }
        for note in recovery.log.report.notes(lastIndex: recovery.log.lastIndex) {
            Logger(label: "wal").warning("\(note)")
        }
        noteEtcd(recovery, isRestart: isRestart)
        let isRejoining = try hasNote(.rejoining, directory)
        // A first start that was cut short; a log that was lost begins elsewhere.
        let isJoining = try isStillJoining(recovery, directory)
        if !isRejoining, !isJoining { try fill(&recovery, configuration, directory) }
        let member = recovery.log.metadata.memberID
        let mark = try StartFailure.catching { () throws(StorageError) in
            try CommitMark.open(directory.markPath, storage: directory.storage, memberID: member)
        }
        let vote = try StartFailure.catching { () throws(StorageError) in
            try VoteRecord.open(directory.votePath, storage: directory.storage, member: member)
        }
        if !isRejoining {
            do throws(RecoveryError) { try recovery.checkNothingIsMissing(mark, directory) } catch {
                throw StartFailure(error)
            }
        }
        if configuration.forcesNewCluster { try force(&recovery) }
        recovery.remember(vote)
        let readableFrom = recovery.readableFrom(
            mark.recalled, isRestart: isRestart, isRejoining: isRejoining)
        let verb = isRestart ? "restarting" : "starting"
        let commit = isRestart ? " at commit index \(recovery.log.hardState.commit)" : ""
        Logger(label: "etcdserver").info(
            "\(verb) member \(member) in cluster \(recovery.log.metadata.clusterID)\(commit)")
        return Boot(
            directory: directory, metadata: recovery.log.metadata, wal: recovery.wal,
            log: recovery.log, state: recovery.state, snapshot: recovery.snapshot,
            snapshotStateBytes: recovery.snapshotStateBytes, mark: mark, vote: vote,
            isRestart: isRestart, isRejoining: isRejoining,
            isStateVoid: try hasNote(.stateIsVoid, directory), hosts: hosts,
            knownKvds: try knownKvds(directory, recovery.log.metadata),
            readableFrom: readableFrom,
            wantsSnapshot: isRestart && !recovery.hasOwnSnapshot
                && recovery.isEtcds)
    }

    /// Whether this member joined a running cluster and has got nothing of its log yet.
    private static func isStillJoining(
        _ recovery: Recovery<PosixStorage>, _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) -> Bool {
        guard try hasNote(.joining, directory) else { return false }
        guard recovery.log.lastIndex > 0 else { return true }
        try StartFailure.catching { () throws(StorageError) in try directory.remove(.joining) }
        return false
    }

    private static func hasNote(
        _ note: DataDirectoryNote, _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) -> Bool {
        try StartFailure.catching { () throws(StorageError) in try directory.has(note) }
    }

    /// What the last run knew of the others. Only a hint, so no fault of it stops a start.
    private static func knownKvds(
        _ directory: DataDirectory<PosixStorage>, _ owner: WALMetadata
    ) throws(StartFailure) -> Set<MemberID> {
        let found = try StartFailure.catching { () throws(StorageError) in
            try directory.kvdNote()
        }
        switch found {
        case .none: return []
        case .note(let note) where note.owner == owner: return note.members
        case .note(let note):
            Logger(label: "etcdserver").warning(
                """
                \(directory.kvdNotePath) is passed over: it is of member \(note.owner.memberID) of \
                cluster \(note.owner.clusterID)
                """)
        case .damaged:
            Logger(label: "etcdserver").warning(
                """
                \(directory.kvdNotePath) is passed over, since nothing in it can be read. It is written \
                anew when the others have said what they are
                """)
        }
        return []
    }

    /// What etcd left, at the first start of a kvd on it.
    private static func noteEtcd(_ recovery: Recovery<PosixStorage>, isRestart: Bool) {
        let log = recovery.log
        guard isRestart, log.report.writer != .kvd else { return }
        let version = recovery.state.clusterVersion.map { " of cluster version \($0.majorMinor)" }
        let family = log.report.writer == .etcd3 ? "etcd 3" : "etcd 2"
        let snapshot =
            recovery.snapshot.index > 0
            ? "snapshot at index \(recovery.snapshot.index)" : "no snapshot"
        Logger(label: "etcdserver").notice(
            """
            \(family) data dir\(version ?? ""): \(snapshot), \(log.entries.count) entries up to index \
            \(log.lastIndex). Its files stay until kvd's first own snapshot is safe
            """)
    }

    /// `--force-new-cluster`: what is committed stays, and this member is the only one.
    private static func force(_ recovery: inout Recovery<PosixStorage>) throws(StartFailure) {
        let (base, commit) = (recovery.snapshot.index, recovery.log.hardState.commit)
        let kept = Array(recovery.log.entries.prefix(Int(commit - base)))
        let metadata = recovery.log.metadata
        Logger(label: "etcdserver").notice(
            """
            forcing restart of member \(metadata.memberID) in cluster \(metadata.clusterID) at \
            commit index \(commit)
            """)
        let members = ForcedCluster.members(recovery.snapshot.confState.members, after: kept)
        let added = ForcedCluster.entries(
            own: metadata.memberID, members: members,
            newcomers: ForcedCluster.newcomers(
                recovery.state.membership.newcomers.map(\.id), after: kept),
            term: recovery.log.hardState.term, lastIndex: commit)
        var state = recovery.log.hardState
        state.commit = commit + UInt64(added.count)
        let wal = recovery.wal
        try StartFailure.catching { () throws(WALError) in
            try wal.append(hardState: state, entries: added)
            try wal.sync()
        }
        recovery.log.entries = kept + added
        recovery.log.hardState = state
        recovery.log.lastIndex = state.commit
        recovery.log.lastTerm = recovery.log.entries.last?.term ?? recovery.snapshot.term
    }

    /// What Raft starts from.
    var restored: Raft.RestoredState {
        Raft.RestoredState(
            hardState: log.hardState, snapshot: snapshot, entries: log.entries,
            isRejoining: isRejoining, isStateVoid: isStateVoid)
    }

}

/// Why the server could not start, as lines for the log; exit 1 follows.
struct StartFailure: Error {
    let notes: [ConfigurationNote]
    /// Not nil: there is no member to be started, but a proxy of the cluster with these peer URLs.
    let fallback: [EndpointURL]?

    init(notes: [ConfigurationNote]) {
        precondition(!notes.isEmpty, "a failure has a reason")
        (self.notes, fallback) = (notes, nil)
    }

    /// `--discovery-fallback proxy`
    init(proxyOf peers: [EndpointURL]) {
        notes = [
            ConfigurationNote(.notice, "etcdmain", "discovery cluster full, falling back to proxy")
        ]
        fallback = peers
    }

    init(_ package: String, _ text: String) {
        self.init(notes: [ConfigurationNote(.critical, package, text)])
    }

    init(_ error: RecoveryError) { self.init(error.label, error.description) }

    static func recovering<Result>(
        _ body: () throws(RecoveryError) -> Result
    ) throws(StartFailure) -> Result {
        do throws(RecoveryError) { return try body() } catch { throw StartFailure(error) }
    }

    /// Runs `body`; its error's description becomes the line.
    static func catching<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(StartFailure) -> Result {
        do throws(Failure) { return try body() } catch {
            throw StartFailure("etcdmain", "\(error)")
        }
    }
}
