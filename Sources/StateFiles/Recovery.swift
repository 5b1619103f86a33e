package import KeyStore
package import Logging
package import RaftModel
package import State
package import Storage
package import StorageIO

/// From the files of a data dir to a state: the newest snapshot that is whole and that the log
/// knows, then the log behind it.
package struct Recovery<IO: FileStorage> {
    package var state: MemberState
    /// What the state was loaded from; index 0: nothing.
    package var snapshot: SnapshotMetadata
    package var snapshotStateBytes: Int
    package var wal: WAL<IO>
    package var log: RecoveredLog
    /// Whether the state was loaded from a `.ksnap`.
    package var hasOwnSnapshot = false

    /// Whether the dir is one that an etcd wrote.
    package var isEtcds: Bool {
        log.report.writer != .kvd || (snapshot.index > 0 && !hasOwnSnapshot)
    }

    /// What a start is told beside the files.
    package struct Options {
        package var store: Store.Options
        package var wal: WALOptions
        /// The monotonic clock now, in nanoseconds: the cluster's goes on from there.
        package var monotonic: Int64
        package var logger: Logger

        package init(
            store: Store.Options, wal: WALOptions, monotonic: Int64,
            logger: Logger = Logger(label: "etcdserver")
        ) {
            (self.store, self.wal) = (store, wal)
            (self.monotonic, self.logger) = (monotonic, logger)
        }
    }

    package static func run(
        _ directory: DataDirectory<IO>, _ options: Options
    ) throws(RecoveryError) -> Recovery {
        let snapshots = SnapshotDirectory(directory.snapPath, storage: directory.storage)
        let loader = SnapshotLoader(snapshots)
        let isEtcd3s = try isEtcd3s(directory)
        let names = try RecoveryError.disk { () throws(StorageError) in
            try snapshots.removeTemporaries()
            return try snapshots.list()
        }
        for name in names {
            let loaded: SnapshotLoader<IO>.Loaded
            do throws(SnapshotLoader<IO>.Failure) { loaded = try loader.load(name) } catch {
                try setAside(name, error, snapshots, options.logger)
                continue
            }
            if let found = try recover(from: loaded, name, directory, options) {
                found.state.acceptsAnyVersion = isEtcd3s
                return found
            }
        }
        let (log, recovered) = try readLog(directory, options)
        let state = MemberState(options: options.store)
        state.acceptsAnyVersion = isEtcd3s
        return Recovery(
            state: state, snapshot: SnapshotMetadata(),
            snapshotStateBytes: 0, wal: log, log: recovered)
    }

    /// etcd 3.x keeps a database beside its snapshots, at all times.
    private static func isEtcd3s(
        _ directory: DataDirectory<IO>
    ) throws(RecoveryError) -> Bool {
        try RecoveryError.disk { () throws(StorageError) in
            try directory.storage.kind(of: "\(directory.snapPath)/db") != nil
        }
    }

    /// Nil: the log does not know this snapshot, or has another entry in its place. It was being taken
    /// over from a leader when the member stopped; an older one, and the log behind it, say all that
    /// this member ever said.
    private static func recover(
        from loaded: SnapshotLoader<IO>.Loaded, _ name: SnapshotName,
        _ directory: DataDirectory<IO>, _ options: Options
    ) throws(RecoveryError) -> Recovery? {
        let record = WALSnapshotRecord(index: name.index, term: name.term)
        let wal: WAL<IO>
        let log: RecoveredLog
        do throws(WALError) {
            (wal, log) = try WAL.recover(
                in: directory.walPath, storage: directory.storage, from: record,
                options: options.wal, progress: reportProgress(options))
        } catch {
            switch error.code {
            case .snapshotNotInLog, .snapshotMismatch: break
            default: throw RecoveryError(error)
            }
            options.logger.warning("snapshot \(name) is passed over: \(error.problem)")
            return nil
        }
        // A snapshot may be another member's, which led when this one needed it.
        if let cluster = loaded.cluster, cluster != log.metadata.clusterID {
            throw RecoveryError(
                "etcdserver",
                """
                \(directory.snapPath)/\(name) is of cluster \(cluster), but the log in \
                \(directory.walPath) of cluster \(log.metadata.clusterID): one of the two does not \
                belong here. Move the snapshot out of the dir, or check --data-dir and --wal-dir
                """)
        }
        let state = MemberState(options: options.store)
        state.restore(loaded.image, monotonic: options.monotonic)
        options.logger.info(
            "loaded snapshot \(name): \(loaded.image.nodeCount) keys at index \(name.index)")
        return Recovery(
            state: state, snapshot: loaded.image.metadata, snapshotStateBytes: loaded.stateBytes,
            wal: wal, log: log, hasOwnSnapshot: name.format == .kvd)
    }

    private static func readLog(
        _ directory: DataDirectory<IO>, _ options: Options
    ) throws(RecoveryError) -> (WAL<IO>, RecoveredLog) {
        try RecoveryError.log { () throws(WALError) in
            try WAL.recover(
                in: directory.walPath, storage: directory.storage, options: options.wal,
                progress: reportProgress(options))
        }
    }

    /// A line every few seconds, for logs that take long to read.
    private static func reportProgress(_ options: Options) -> (Int, Int) -> Void {
        var saidAt = MachineClock.monotonicNanoseconds
        return { read, total in
            let now = MachineClock.monotonicNanoseconds
            guard now - saidAt > 3_000_000_000 else { return }
            saidAt = now
            options.logger.info("reading the log: \(read >> 20) of \(total >> 20) MB")
        }
    }

    /// A damaged snapshot is renamed, as etcd does, so that nobody takes it for a good one again.
    private static func setAside(
        _ name: SnapshotName, _ failure: SnapshotLoader<IO>.Failure,
        _ snapshots: SnapshotDirectory<IO>, _ logger: Logger
    ) throws(RecoveryError) {
        guard case .damaged(let problem) = failure else {
            throw RecoveryError("etcdserver", "\(failure)")
        }
        logger.error("snapshot \(name) is damaged and set aside as \(name).broken: \(problem)")
        try RecoveryError.disk { () throws(StorageError) in try snapshots.markBroken(name) }
    }
}
