import Cluster
import Configuration
import KVServer
import Logging
import Raft
import RaftModel
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
    let mark: CommitMark
    /// Whether the log was there before this start.
    let isRestart: Bool

    /// Opens the data dir, and makes a new member in it if none lives there.
    static func open(_ configuration: ServerConfiguration) throws(StartFailure) -> Boot {
        let logger = Logger(label: "etcdserver")
        let storage = PosixStorage()
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
        if isRestart {
            Logger(label: "etcdmain").notice(
                "the server is already initialized as member before, starting as etcd member...")
            noteIgnoredFlags(configuration)
        } else {
            try createLog(configuration, directory, logger)
        }
        Kvd.write(configuration.memberNotes(isFirstStart: !isRestart))
        return try recover(directory, configuration, isRestart: isRestart, logger)
    }

    private static func noteIgnoredFlags(_ configuration: ServerConfiguration) {
        let ignored = configuration.setFlags.filter { $0.hasPrefix("initial-cluster") }.sorted()
        guard !ignored.isEmpty else { return }
        Logger(label: "etcdmain").info(
            """
            \(ignored.map { "--" + $0 }.joined(separator: ", ")) ignored: the members are those \
            that the log in the data dir says
            """)
    }

    /// Makes the log of a new member, without entries yet: `fill` writes those, at this start or,
    /// should this one be cut short, at the next.
    private static func createLog(
        _ configuration: ServerConfiguration, _ directory: DataDirectory<PosixStorage>,
        _ logger: Logger
    ) throws(StartFailure) {
        let (metadata, _) = try firstMembers(configuration)
        try StartFailure.catching { () throws(WALError) in
            let wal = try WAL.create(
                in: directory.walPath, storage: directory.storage, metadata: metadata)
            try wal.close()
        }
    }

    /// The members of `--initial-cluster`, and what the log says of them and of this one.
    private static func firstMembers(
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> (WALMetadata, [Member]) {
        let faults = configuration.bootstrapCheck.faults(resolve: HostResolver.system)
        guard faults.isEmpty else {
            throw StartFailure(notes: configuration.notes(for: faults))
        }
        let members = configuration.initialCluster.makeMembers(token: configuration.clusterToken)
        guard let own = members.first(where: { $0.name == configuration.name }) else {
            preconditionFailure("checked: \(configuration.name) is in the initial cluster")
        }
        let cluster = ClusterID(members: members.map(\.id))
        return (WALMetadata(memberID: own.id, clusterID: cluster), members)
    }

    /// Writes the entries that every first member's log begins with, if they are not there yet.
    private static func fill(
        _ wal: WAL<PosixStorage>, _ log: inout RecoveredLog, _ configuration: ServerConfiguration
    ) throws(StartFailure) {
        guard log.lastIndex == 0 else { return }
        let (metadata, members) = try firstMembers(configuration)
        guard metadata == log.metadata else {
            throw StartFailure(
                "etcdmain",
                """
                data dir \(configuration.dataDirectory) holds the unfinished first start of member \
                \(log.metadata.memberID) of cluster \(log.metadata.clusterID), but the flags now say \
                member \(metadata.memberID) of cluster \(metadata.clusterID). Nothing was ever written \
                there: remove it and start again, or go back to the flags of that start
                """)
        }
        let state = Bootstrap.hardState(members)
        let entries = Bootstrap.entries(members)
        try StartFailure.catching { () throws(WALError) in
            try wal.append(hardState: state, entries: entries)
            try wal.sync()
        }
        (log.hardState, log.entries) = (state, entries)
        log.lastIndex = UInt64(entries.count)
        log.lastTerm = Bootstrap.term
    }

    private static func recover(
        _ directory: DataDirectory<PosixStorage>, _ configuration: ServerConfiguration,
        isRestart: Bool, _ logger: Logger
    ) throws(StartFailure) -> Boot {
        var (wal, log) = try StartFailure.catching { () throws(WALError) in
            try WAL.recover(in: directory.walPath, storage: directory.storage)
        }
        for note in log.report.notes(lastIndex: log.lastIndex) {
            Logger(label: "wal").warning("\(note)")
        }
        try fill(wal, &log, configuration)
        let mark = try StartFailure.catching { () throws(StorageError) in
            try CommitMark.open(
                directory.markPath, storage: directory.storage, memberID: log.metadata.memberID)
        }
        try checkNothingIsMissing(log, mark, directory)
        let verb = isRestart ? "restarting" : "starting"
        let commit = isRestart ? " at commit index \(log.hardState.commit)" : ""
        logger.info(
            """
            \(verb) member \(log.metadata.memberID) in cluster \(log.metadata.clusterID)\(commit)
            """)
        return Boot(
            directory: directory, metadata: log.metadata, wal: wal, log: log, mark: mark,
            isRestart: isRestart)
    }

    /// What was applied was durable before. A log that ends earlier has lost entries at its end,
    /// its last marker included, so that nothing in it says so.
    private static func checkNothingIsMissing(
        _ log: RecoveredLog, _ mark: borrowing CommitMark, _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) {
        let applied: UInt64
        switch mark.recalled {
        case .exact(let values), .older(let values): applied = values.commit
        case .unknown: return
        }
        guard applied > log.lastIndex else { return }
        throw StartFailure(
            "wal",
            """
            the log in \(directory.walPath) ends at index \(log.lastIndex), but this member had \
            applied entries up to \(applied) (\(directory.markPath)): entries that were acknowledged \
            are missing at its end. Restore the data dir from a backup, or remove this member from \
            the cluster and add it again with an empty data dir
            """)
    }

    /// What Raft starts from.
    var restored: Raft.RestoredState {
        Raft.RestoredState(hardState: log.hardState, entries: log.entries)
    }

    /// The index that has to be applied before plain reads are answered: what this member had
    /// applied before, as far as it can be known; else all that its log has.
    var readableFrom: UInt64 {
        switch mark.recalled {
        case .exact(let values): min(values.commit, log.lastIndex)
        case .older, .unknown: isRestart ? log.lastIndex : log.hardState.commit
        }
    }
}

/// Why the server could not start, as lines for the log; exit 1 follows.
struct StartFailure: Error {
    let notes: [ConfigurationNote]

    init(notes: [ConfigurationNote]) {
        precondition(!notes.isEmpty, "a failure has a reason")
        self.notes = notes
    }

    init(_ package: String, _ text: String) {
        self.init(notes: [ConfigurationNote(.critical, package, text)])
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
