import Cluster
import KeyStore
import RaftModel
import State
package import StateFiles
import Storage
import StorageIO

/// `kvd-dump restore`: makes the data dir of a member of a *new* cluster whose keys are a backup's.
///
/// To be run once for each member, with the same `--initial-cluster`: all get the same state, of the
/// same index and term, and know each other. The ids are new, so that nothing of the old cluster can
/// meet them. Keys keep their indices; below `/0` the old members are replaced by the new ones.
package struct Restore {
    package struct Target: Sendable {
        package var dataDir: String
        package var name: String
        package var initialCluster: String
        package var token: String

        package init(dataDir: String, name: String, initialCluster: String, token: String) {
            (self.dataDir, self.name) = (dataDir, name)
            (self.initialCluster, self.token) = (initialCluster, token)
        }
    }

    package static func run(
        from source: String, archive: String?, until limit: StateReplay.Limit, _ target: Target,
        _ output: Output
    ) throws(DumpError) {
        let members = try members(target)
        guard let own = members.first(where: { $0.name == target.name }) else {
            throw DumpError(
                "--name \(target.name) is not in --initial-cluster \(target.initialCluster). Name this "
                    + "member as it is named there.")
        }
        if try DataDirFinder.exists(target.dataDir) {
            let names = try DumpError.catching { try PosixStorage().list(target.dataDir) }
            guard names.isEmpty else {
                throw DumpError("\(target.dataDir) is not empty. Restore into a new directory.")
            }
        }
        let restored = try state(source, archive, limit)
        let image = try renew(restored, members)
        let identity = WALMetadata(
            memberID: own.id, clusterID: ClusterID(members: members.map(\.id)))
        try write(image, identity, target)
        output.line(
            "\(target.dataDir): member \(own.id) of cluster \(identity.clusterID), index \(image.index), "
                + "term \(image.term), \(image.nodeCount) keys. Start it with --name \(target.name) "
                + "--data-dir \(target.dataDir) and this member's URLs")
    }

    private static func members(_ target: Target) throws(DumpError) -> [Member] {
        let cluster: InitialCluster
        do throws(EndpointURLError) {
            cluster = try InitialCluster(target.initialCluster)
        } catch {
            throw DumpError(
                "--initial-cluster \(target.initialCluster): \(error). Write it as "
                    + "NAME=http://HOST:PORT,NAME=….")
        }
        guard !cluster.isEmpty else { throw DumpError("--initial-cluster names no member.") }
        if let twice = cluster.duplicateURLs.first {
            throw DumpError("--initial-cluster names \(twice) twice.")
        }
        return cluster.makeMembers(token: target.token)
    }

    /// A backup's state, or that of a data dir at the moment asked for.
    private static func state(
        _ source: String, _ archive: String?, _ limit: StateReplay.Limit
    ) throws(DumpError) -> StateImage {
        switch try DataDirFinder.find(source) {
        case .file(let file):
            guard limit == .committed else {
                throw DumpError(
                    "\(file) is one moment only. Give a data dir with --from, and --archive if its "
                        + "segments have left it, to restore as of another.")
            }
            return try StoreDump.load(file).0
        case .dirs(let dirs):
            return try DumpError.catching {
                try StateReplay.run(
                    snapPath: dirs.snap, walPath: dirs.wal, archive: archive, until: limit)
            }.state.image()
        }
    }

    /// The same keys, and the new members below `/0`.
    private static func renew(
        _ image: StateImage, _ members: [Member]
    ) throws(DumpError) -> StateImage {
        let store = Store()
        store.restore(image.store)
        for path in [StorePath.members, StorePath.removedMembers] { remove(path, store) }
        for member in members {
            let path = Array(StorePath.raftAttributes(member.id).utf8)
            let value = MemberJSON.raftAttributes(peerURLs: member.peerURLs)
            try put(path, value, store)
        }
        guard image.index > 0 else { throw DumpError("the backup holds nothing.") }
        return StateImage(
            store: store.image, term: image.term, index: image.index,
            confState: ConfState(members: members.map(\.id)), clusterTime: image.clusterTime)
    }

    private static func remove(_ path: String, _ store: Store) {
        // It need not be there.
        _ = try? Array(path.utf8).withUnsafeBytes { path in
            try store.delete(path, isDirectory: true, isRecursive: true, now: 0)
        }
    }

    private static func put(
        _ path: [UInt8], _ value: [UInt8], _ store: Store
    ) throws(DumpError) {
        try DumpError.catching {
            _ = try path.withUnsafeBytes { path in
                try value.withUnsafeBytes { value in
                    try store.create(path, value: value, now: 0)
                }
            }
        }
    }

    private static func write(
        _ image: StateImage, _ identity: WALMetadata, _ target: Target
    ) throws(DumpError) {
        try DumpError.catching {
            let directory = try DataDirectory.open(target.dataDir, storage: PosixStorage())
            let snapshots = SnapshotDirectory(directory.snapPath, storage: directory.storage)
            let writer = try snapshots.create(
                Backup.header(of: image, identity), pace: .unlimited)
            var encoder = StateEncoder(image)
            var failure: SnapshotError?
            while failure == nil,
                encoder.next({ piece in
                    do throws(SnapshotError) { try writer.append(piece) } catch { failure = error }
                })
            {}
            if let failure {
                writer.abandon()
                throw failure
            }
            _ = try writer.finish()
            let wal = try WAL.create(
                in: directory.walPath, storage: directory.storage, metadata: identity)
            try wal.append(WALSnapshotRecord(index: image.index, term: image.term))
            try wal.append(
                hardState: HardState(term: image.term, vote: .none, commit: image.index),
                entries: [])
            try wal.sync()
            try wal.close()
        }
    }
}
