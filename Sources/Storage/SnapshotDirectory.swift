public import StorageIO

/// The snapshots of a member, `member/snap`: made, listed, received, set aside, removed.
///
///     <term>-<index>.ksnap          whole, whenever it was looked at
///     <term>-<index>.ksnap.tmp      being written
///     <term>-<index>.snap           etcd's
///     <name>.broken                 found damaged
///     <term>-<index>.ksnap.<identity>.part
///                                   coming in from a leader; goes on where it stopped
///     <term>-<index>.ksnap.part     the same, of a sender that does not say which file it is
///
/// Synchronous; to be used by one thread at a time.
public struct SnapshotDirectory<IO: FileStorage>: Sendable {
    private static var temporarySuffixes: [String] { [".tmp", PartialSnapshot.suffix] }

    public let path: String
    public let storage: IO

    public init(_ path: String, storage: IO) {
        (self.path, self.storage) = (path, storage)
    }

    public func path(of name: SnapshotName) -> String { "\(path)/\(name)" }

    /// Newest first.
    public func list() throws(StorageError) -> [SnapshotName] {
        try storage.list(path).compactMap(SnapshotName.init).sorted { $0.isNewer(than: $1) }
    }

    /// Begins a snapshot.
    public func create(
        _ header: SnapshotHeader, pace: WritePace = .unlimited
    ) throws(SnapshotError) -> SnapshotWriter<IO> {
        try SnapshotWriter(header, directory: path, storage: storage, pace: pace)
    }

    /// Opens one of kvd's own.
    public func open(_ name: SnapshotName) throws(SnapshotError) -> SnapshotReader<IO> {
        precondition(name.format == .kvd)
        return try SnapshotReader(path(of: name), storage: storage)
    }

    /// Begins or goes on with taking in a snapshot that somebody else made.
    ///
    /// - Parameter identity: of the sender's file; what has come of it can then be gone on with after a
    ///   restart.
    public func receive(
        _ name: SnapshotName, identity: String = ""
    ) throws(SnapshotError) -> SnapshotReceiver<IO> {
        precondition(name.format == .kvd)
        return try SnapshotReceiver(name, identity: identity, directory: path, storage: storage)
    }

    /// What an earlier run has got of a snapshot that may still be of use: the newest such file, if it is
    /// newer than all whole ones.
    public func partial() throws(StorageError) -> PartialSnapshot? {
        let names = try storage.list(path)
        let newestIndex = names.compactMap(SnapshotName.init).map(\.index).max() ?? 0
        return names.compactMap { PartialSnapshot(fileName: $0) }
            .filter { $0.name.index > newestIndex }
            .min { $0.name.isNewer(than: $1.name) }
    }

    /// Sets a damaged snapshot aside, as etcd does.
    public func markBroken(_ name: SnapshotName) throws(StorageError) {
        try storage.rename(path(of: name), to: "\(path(of: name)).broken")
        try storage.syncDirectory(path)
    }

    /// Removes what earlier runs did not finish and nobody can go on with.
    public func removeTemporaries() throws(StorageError) {
        let kept = try partial()?.fileName
        let names = try storage.list(path).filter { name in
            name != kept && Self.temporarySuffixes.contains { name.hasSuffix($0) }
        }
        guard !names.isEmpty else { return }
        for name in names { try storage.remove("\(path)/\(name)") }
        try storage.syncDirectory(path)
    }

    /// Removes all but the newest `count` (0: none is removed) and says which. etcd's own stay until
    /// one of kvd's is newer than all of them.
    ///
    /// What is newer than `index`, of the member's own newest, does not count: it came from a leader,
    /// and if the log never takes it over it must not have pushed out what the log needs.
    public func purge(
        keeping count: Int, upTo index: UInt64 = .max
    ) throws(StorageError) -> [SnapshotName] {
        guard count > 0 else { return [] }
        let names = try list().filter { $0.index <= index }
        guard names.first?.format == .kvd else { return [] }
        let old = names.dropFirst(count)
        guard !old.isEmpty else { return [] }
        // Oldest first: what is left is always the newest.
        for name in old.reversed() { try storage.remove(path(of: name)) }
        try storage.syncDirectory(path)
        return Array(old)
    }
}
