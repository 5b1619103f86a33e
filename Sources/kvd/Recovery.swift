import Cluster
import Configuration
import KeyStore
import Logging
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// From the files of a data dir to a state: the newest snapshot that is whole and that the log
/// knows, then the log behind it.
struct Recovery {
    var state: MemberState
    /// What the state was loaded from; index 0: nothing.
    var snapshot: SnapshotMetadata
    var snapshotStateBytes: Int
    var wal: WAL<PosixStorage>
    var log: RecoveredLog
    /// Whether the state was loaded from a `.ksnap`.
    var hasOwnSnapshot = false

    /// Whether the dir is one that an etcd wrote.
    var isEtcds: Bool {
        log.report.writer != .kvd || (snapshot.index > 0 && !hasOwnSnapshot)
    }

    private static let logger = Logger(label: "etcdserver")

    static func run(
        _ directory: DataDirectory<PosixStorage>, options: Store.Options, wal: WALOptions
    ) throws(StartFailure) -> Recovery {
        let snapshots = SnapshotDirectory(directory.snapPath, storage: directory.storage)
        let loader = SnapshotLoader(snapshots)
        let isEtcd3s = try isEtcd3s(directory)
        let names = try StartFailure.catching { () throws(StorageError) in
            try snapshots.removeTemporaries()
            return try snapshots.list()
        }
        for name in names {
            let loaded: SnapshotLoader.Loaded
            do throws(SnapshotLoader.Failure) { loaded = try loader.load(name) } catch {
                try setAside(name, error, snapshots)
                continue
            }
            if let found = try recover(from: loaded, name, directory, options, wal) {
                found.state.acceptsAnyVersion = isEtcd3s
                return found
            }
        }
        let (log, recovered) = try readLog(directory, wal)
        let state = MemberState(options: options)
        state.acceptsAnyVersion = isEtcd3s
        return Recovery(
            state: state, snapshot: SnapshotMetadata(),
            snapshotStateBytes: 0, wal: log, log: recovered)
    }

    /// etcd 3.x keeps a database beside its snapshots, at all times.
    private static func isEtcd3s(
        _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) -> Bool {
        try StartFailure.catching { () throws(StorageError) in
            try directory.storage.kind(of: "\(directory.snapPath)/db") != nil
        }
    }

    /// Nil: the log does not know this snapshot. It was being taken over from a leader when the
    /// member stopped; an older one, and the log behind it, say all that this member ever said.
    private static func recover(
        from loaded: SnapshotLoader.Loaded, _ name: SnapshotName,
        _ directory: DataDirectory<PosixStorage>, _ options: Store.Options, _ walOptions: WALOptions
    ) throws(StartFailure) -> Recovery? {
        let record = WALSnapshotRecord(index: name.index, term: name.term)
        let wal: WAL<PosixStorage>
        let log: RecoveredLog
        do throws(WALError) {
            (wal, log) = try WAL.recover(
                in: directory.walPath, storage: directory.storage, from: record,
                options: walOptions, progress: reportProgress())
        } catch {
            guard case .snapshotNotInLog = error.code else {
                throw StartFailure("etcdserver", "\(error)")
            }
            logger.warning("snapshot \(name) is passed over: \(error.problem)")
            return nil
        }
        // A snapshot may be another member's, which led when this one needed it.
        if let cluster = loaded.cluster, cluster != log.metadata.clusterID {
            throw StartFailure(
                "etcdserver",
                """
                \(directory.snapPath)/\(name) is of cluster \(cluster), but the log in \
                \(directory.walPath) of cluster \(log.metadata.clusterID): one of the two does not \
                belong here. Move the snapshot out of the dir, or check --data-dir and --wal-dir
                """)
        }
        let state = MemberState(options: options)
        state.restore(loaded.image, monotonic: MachineClock.monotonicNanoseconds)
        logger.info(
            "loaded snapshot \(name): \(loaded.image.nodeCount) keys at index \(name.index)")
        return Recovery(
            state: state, snapshot: loaded.image.metadata, snapshotStateBytes: loaded.stateBytes,
            wal: wal, log: log, hasOwnSnapshot: name.format == .kvd)
    }

    private static func readLog(
        _ directory: DataDirectory<PosixStorage>, _ options: WALOptions
    ) throws(StartFailure) -> (WAL<PosixStorage>, RecoveredLog) {
        try StartFailure.catching { () throws(WALError) in
            try WAL.recover(
                in: directory.walPath, storage: directory.storage, options: options,
                progress: reportProgress())
        }
    }

    /// A line every few seconds, for logs that take long to read.
    private static func reportProgress() -> (Int, Int) -> Void {
        var saidAt = MachineClock.monotonicNanoseconds
        return { read, total in
            let now = MachineClock.monotonicNanoseconds
            guard now - saidAt > 3_000_000_000 else { return }
            saidAt = now
            logger.info("reading the log: \(read >> 20) of \(total >> 20) MB")
        }
    }

    /// A damaged snapshot is renamed, as etcd does, so that nobody takes it for a good one again.
    private static func setAside(
        _ name: SnapshotName, _ failure: SnapshotLoader.Failure,
        _ snapshots: SnapshotDirectory<PosixStorage>
    ) throws(StartFailure) {
        guard case .damaged(let problem) = failure else {
            throw StartFailure("etcdserver", "\(failure)")
        }
        logger.error("snapshot \(name) is damaged and set aside as \(name).broken: \(problem)")
        try StartFailure.catching { () throws(StorageError) in try snapshots.markBroken(name) }
    }
}
