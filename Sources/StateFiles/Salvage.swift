import Cluster
import KeyStore
import Logging
import RaftModel
import State
package import Storage
package import StorageIO

/// `--rejoin`: makes of a damaged log one that a member can start from.
///
/// What is intact from the newest whole snapshot on is copied into a new log, up to the first
/// damage; the old log is kept beside it. The member is noted as one that must not vote until the
/// leader has told it how far it has to get, and it has got there (see `Raft+Rejoin`). Its highest
/// term and vote come from the vote record, which lies apart from the log: without that record
/// nobody knows what it promised, and it cannot rejoin.
package struct Salvage<IO: FileStorage> {
    private let directory: DataDirectory<IO>
    private let options: Recovery<IO>.Options
    private let unixSeconds: Int64
    private let metadata: WALMetadata

    /// Does nothing if the log is whole, or if it was salvaged before.
    /// - Parameter unixSeconds: by the wall clock; names the log that is set aside.
    package static func run(
        _ directory: DataDirectory<IO>, _ options: Recovery<IO>.Options, unixSeconds: Int64
    ) throws(RecoveryError) {
        let isUnderWay = try RecoveryError.disk { () throws(StorageError) in
            try directory.has(.rejoining)
        }
        guard !isUnderWay else { return }
        let (found, damage) = try inspect(directory)
        guard let damage else {
            options.logger.notice("--rejoin: the log is whole; starting as without it")
            return
        }
        guard let metadata = found else {
            throw RecoveryError(
                "etcdserver",
                """
                --rejoin: nothing in \(directory.walPath) says any more whose log it was. Remove this \
                member from the cluster and add it again with an empty data dir
                """)
        }
        options.logger.warning("--rejoin: \(damage)")
        let salvage = Salvage(
            directory: directory, options: options, unixSeconds: unixSeconds, metadata: metadata)
        try salvage.rebuild()
    }

    // MARK: What is wrong

    /// Whose log it is, as far as an intact record says it, and what is wrong with it; nil: nothing.
    private static func inspect(
        _ directory: DataDirectory<IO>
    ) throws(RecoveryError) -> (WALMetadata?, damage: String?) {
        var metadata: WALMetadata?
        let summary = try scan(directory, from: newestIndex(directory)) { record in
            if record.type == .metadata, record.isIntact, metadata == nil {
                metadata = try? WALMetadata.decode(record.data)
            }
            return true
        }
        if let damage = summary.damage.first { return (metadata, "\(damage)") }
        guard let metadata else { return (nil, "it does not say whose it is") }
        let mark = try RecoveryError.disk { () throws(StorageError) in
            try CommitMark.open(
                directory.markPath, storage: directory.storage, memberID: metadata.memberID)
        }
        let last = summary.segments.compactMap { $0.indices?.upperBound }.max() ?? 0
        let applied = mark.recalled.applied
        guard applied > last else { return (metadata, nil) }
        return (metadata, "the log ends at index \(last), but \(applied) was applied")
    }

    /// What lies behind a snapshot is all that a start reads.
    private static func newestIndex(
        _ directory: DataDirectory<IO>
    ) throws(RecoveryError) -> UInt64? {
        try RecoveryError.disk { () throws(StorageError) in
            let snapshots = SnapshotDirectory(directory.snapPath, storage: directory.storage)
            return try snapshots.list().first?.index
        }
    }

    private static func scan(
        _ directory: DataDirectory<IO>, from index: UInt64?, endsAtDamage: Bool = false,
        _ visit: (LogRecord) -> Bool
    ) throws(RecoveryError) -> LogScanSummary {
        do throws(WALError) {
            return try LogScan.run(
                directory.walPath, storage: directory.storage, from: index,
                endsAtDamage: endsAtDamage, visit)
        } catch {
            throw RecoveryError("etcdserver", "--rejoin: \(error)", storage: error.storage)
        }
    }

    // MARK: What is left

    private func rebuild() throws(RecoveryError) {
        let (snapshot, state) = try newestSnapshot()
        let (entries, commit) = try intactEntries(after: snapshot)
        try checkPeers(state, entries)
        let promise = try promise()
        var hardState = HardState(term: promise.term, vote: promise.vote, commit: snapshot.index)
        hardState.commit = max(
            snapshot.index, min(commit, entries.last?.index ?? snapshot.index))
        let old = "\(directory.memberPath)/wal.damaged-\(unixSeconds)"
        let (directory, storage) = (directory, directory.storage)
        try RecoveryError.disk { () throws(StorageError) in
            // From here on a start without the flag goes on where this one stops.
            try directory.leave(.rejoining)
            try storage.rename(directory.walPath, to: old)
            try storage.createDirectory(directory.walPath)
            try storage.syncDirectory(directory.memberPath)
        }
        try RecoveryError.log { () throws(WALError) in
            let wal = try WAL.create(
                in: directory.walPath, storage: storage, metadata: metadata,
                options: options.wal)
            if snapshot.index > 0 { try wal.append(snapshot) }
            try wal.append(hardState: hardState, entries: entries)
            try wal.sync()
            try wal.close()
        }
        options.logger.notice(
            """
            --rejoin: kept \(entries.count) entries behind the snapshot at index \(snapshot.index); \
            the rest comes from the leader, and until it is here this member does not vote. The \
            damaged log is kept in \(old): remove it when it is not needed any more
            """)
    }

    private func newestSnapshot() throws(RecoveryError) -> (WALSnapshotRecord, MemberState) {
        let snapshots = SnapshotDirectory(directory.snapPath, storage: directory.storage)
        let loader = SnapshotLoader(snapshots)
        let names = try RecoveryError.disk { () throws(StorageError) in try snapshots.list() }
        let state = MemberState(options: options.store)
        for name in names {
            guard let loaded = try? loader.load(name) else { continue }
            state.restore(loaded.image, monotonic: options.monotonic)
            return (WALSnapshotRecord(index: name.index, term: name.term), state)
        }
        return (.none, state)
    }

    /// Entries that follow the snapshot without a gap and were committed, and the highest commit index in
    /// front of the first damage. What was not committed by then may have been replaced by what is lost,
    /// or by a leader's snapshot: the leader, which takes what this member says it has for a part of
    /// what it once acknowledged, must not hear of it.
    private func intactEntries(
        after snapshot: WALSnapshotRecord
    ) throws(RecoveryError) -> ([Entry], commit: UInt64) {
        var replay = LogReplay(from: snapshot)
        var commit: UInt64 = 0
        _ = try Self.scan(directory, from: snapshot.index, endsAtDamage: true) { record in
            guard record.isIntact else { return false }
            if record.type == .snapshot {
                guard let taken = try? WALSnapshotRecord.decode(record.data),
                    replay.accountsFor(taken)
                else { return false }
            }
            guard replay.take(record.type, record.data) == nil else { return false }
            commit = max(commit, replay.hardState.commit)
            return true
        }
        var entries = replay.entries
        entries.removeAll { $0.index > commit }
        return (entries, commit)
    }

    /// Somebody must have what is missing.
    private func checkPeers(_ state: MemberState, _ entries: [Entry]) throws(RecoveryError) {
        let members = ForcedCluster.members(state.membership.ids, after: entries)
        guard members.filter({ $0 != metadata.memberID }).isEmpty else { return }
        throw RecoveryError(
            "etcdserver",
            """
            --rejoin: nothing that is left of \(directory.memberPath) names another member, so there is \
            nobody to fetch the rest from. Restore this member from a backup (kvd-dump restore), or \
            remove it from its cluster and add it again with an empty data dir
            """)
    }

    private func promise() throws(RecoveryError) -> (term: UInt64, vote: MemberID) {
        let record = try RecoveryError.disk { () throws(StorageError) in
            try VoteRecord.open(
                directory.votePath, storage: directory.storage, member: metadata.memberID)
        }
        guard let promise = record.recalled else {
            throw RecoveryError(
                "etcdserver",
                """
                --rejoin: \(directory.votePath) does not say what this member has promised, so it could \
                vote twice. Remove it from the cluster and add it again with an empty data dir
                """)
        }
        return promise
    }
}
