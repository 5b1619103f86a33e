import Cluster
import KeyStore
import RaftModel
import State
import StateFiles
import Storage
package import StorageIO

/// `restore`: the data dir of a member of a *new* cluster, whose store is that of a backup, or of
/// some moment in a member's log. Run once for each member, with the same `initialCluster`.
///
///     source ─▶ store ─▶ members replaced ─▶ <term>-<index>.ksnap, durable
///                                            log: ids, snapshot record, hard state
///
/// Index and term go on from the source's, ids are those of a first start with these flags, so a
/// member of the old cluster can never be taken for one of the new. The snapshot comes first: a dir
/// that was half made has no log, and is not started from.
package struct Restoration {
    /// A snapshot file, or a member's dir.
    package var source = ""
    package var walDirectory: String?
    /// `<segment>.wal.lz4` files of the same log.
    package var archive: String?
    package var moment = Moment.end
    package var target = ""
    package var name = ""
    package var initialCluster = ""
    package var token = Cluster.defaultToken
    package var now: Int64 = 0

    package init() {}

    package func run(
        _ storage: some FileStorage, _ output: Output, _ progress: Progress
    ) throws(DumpError) -> Bool {
        let members = try newMembers()
        try checkTarget(storage)
        guard let own = members.first(where: { $0.name == name }) else {
            throw .usage(
                "--name \(name) is not in --initial-cluster, which has "
                    + "\(members.map(\.name).joined(separator: ", ")).")
        }
        let state = try load(storage, progress)
        guard state.appliedIndex > 0 else {
            throw DumpError(
                "\(source): nothing is committed by then, so there is nothing to restore.")
        }
        let image = try Self.image(of: state, with: members)
        let cluster = ClusterID(members: members.map(\.id))
        try write(image, own.id, cluster, storage, progress)
        progress.end()
        output.line(
            "\(target): member \(own.id) (\(name)) of cluster \(cluster), index \(image.index) "
                + "(term \(image.term)), \(image.nodeCount) nodes, hash "
                + ByteText.hex(image.contentHash, digits: 16))
        return true
    }

    private func newMembers() throws(DumpError) -> [Member] {
        let cluster: InitialCluster
        do throws(EndpointURLError) { cluster = try InitialCluster(initialCluster) } catch {
            throw .usage("--initial-cluster: \(error)")
        }
        guard !cluster.isEmpty else {
            throw .usage("--initial-cluster names no member. Give it as NAME=PEERURL,….")
        }
        if let url = cluster.duplicateURLs.first {
            throw .usage("--initial-cluster has \(url) more than once. Give each member its own.")
        }
        return cluster.makeMembers(token: token)
    }

    private func checkTarget(_ storage: some FileStorage) throws(DumpError) {
        let names = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: target) == nil ? [] : try storage.list(target)
        }
        guard names.isEmpty else {
            throw DumpError(
                "\(target) is not empty (\(names.prefix(3).joined(separator: ", "))). Give --to a "
                    + "directory that is not there yet.")
        }
    }

    // MARK: The store

    private func load(
        _ storage: some FileStorage, _ progress: Progress
    ) throws(DumpError) -> MemberState {
        let kind = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: source)
        }
        guard kind == .file else {
            let files = try MemberFiles.find(source, wal: walDirectory, storage: storage)
            return try StateSource.load(files, archive: archive, until: moment, storage, progress)
                .state
        }
        guard moment == .end, archive == nil else {
            throw .usage(
                "\(source) is one snapshot, of one moment. For --at-index, --at-time and --archive "
                    + "give --from the data dir.")
        }
        let snapshot = try SnapshotSource.load(source, storage: storage, progress)
        let state = MemberState()
        state.acceptsAnyVersion = true
        state.restore(snapshot.image, monotonic: 0)
        return state
    }

    /// The state with these members and no others, before any of them has published itself or
    /// agreed on a version. The same on every member: it is part of what their stores hash to.
    static func image(
        of state: MemberState, with members: [Member]
    ) throws(DumpError) -> StateImage {
        for path in [
            StorePath.members, StorePath.removedMembers, StorePath.newcomers, StorePath.version,
        ] {
            var request = Request(method: .delete, path: Array(path.utf8))
            (request.isDirectory, request.recursive) = (true, true)
            apply(request, to: state.store)
        }
        for member in members {
            var request = Request(
                method: .put, path: Array(StorePath.raftAttributes(member.id).utf8),
                value: MemberJSON.raftAttributes(peerURLs: member.peerURLs))
            request.previousExists = false
            apply(request, to: state.store)
        }
        let image = state.image(confState: ConfState(members: members.map(\.id)))
        let check = MemberState()
        check.restore(image, monotonic: 0)
        guard check.membership.ids == members.map(\.id), check.membership.removed.isEmpty,
            check.clusterVersion == nil
        else {
            throw DumpError(
                "the members of the source cannot be replaced: its store has something under "
                    + "\(StorePath.cluster) that no kvd or etcd writes there.")
        }
        return image
    }

    private static func apply(_ request: Request, to store: Store) {
        request.withView { view in
            guard let command = Command(view) else { preconditionFailure("put and delete only") }
            // What is not there need not be deleted; `image` checks the outcome.
            _ = try? store.apply(command, now: 0)
        }
    }

    // MARK: The data dir

    private func write(
        _ image: StateImage, _ member: MemberID, _ cluster: ClusterID, _ storage: some FileStorage,
        _ progress: Progress
    ) throws(DumpError) {
        let directory = try DumpError.catching { () throws(DataDirectoryError) in
            try DataDirectory.open(target, storage: storage)
        }
        let header = SnapshotHeader(image, member: member, cluster: cluster, createdAt: now)
        _ = try SnapshotFileWriter.write(
            image, header, to: "\(directory.snapPath)/\(header.name)", storage: storage, progress)
        let metadata = WALMetadata(memberID: member, clusterID: cluster)
        do throws(WALError) {
            let log = try WAL.create(
                in: directory.walPath, storage: storage, metadata: metadata)
            try log.append(WALSnapshotRecord(index: image.index, term: image.term))
            try log.append(
                hardState: HardState(term: image.term, vote: .none, commit: image.index),
                entries: [])
            try log.close()
        } catch {
            throw DumpError("\(error)")
        }
    }
}
