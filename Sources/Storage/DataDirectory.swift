public import StorageIO

/// A member's data dir, made, checked and locked for as long as this value lives.
///
///     DATADIR/                0700
///       member/               0700
///         LOCK                flock'ed; holds the process id of who has it
///         mark                `CommitMark`
///         vote                `VoteRecord`
///         kvds                `KvdNote`
///         wal/                0700  <sequence>-<firstIndex>.wal, *.tmp
///         snap/               0700
///       proxy/                a proxy's, never with a member's
///
/// Source: `reference/disk-format.md` §1; LOCK, mark, vote and kvds are ours.
public struct DataDirectory<IO: FileStorage>: Sendable {
    public let storage: IO
    public let path: String
    /// `member/wal`, or the dir that `--wal-dir` named.
    public let walPath: String
    private let lock: IO.File

    public var memberPath: String { "\(path)/member" }
    public var snapPath: String { "\(path)/member/snap" }
    public var markPath: String { "\(path)/member/mark" }
    public var votePath: String { "\(path)/member/vote" }

    /// Makes what is missing of the dir, makes it durable, checks that it can be written, and
    /// locks it.
    public static func open(
        _ path: String, storage: IO, walPath: String? = nil
    ) throws(DataDirectoryError) -> DataDirectory {
        let walPath = walPath ?? "\(path)/member/wal"
        switch try DataDirectoryKind.inspect(path, storage: storage) {
        case .memberAndProxy: throw DataDirectoryError(.memberAndProxy, path: path)
        case .proxy: throw DataDirectoryError(.isProxy, path: path)
        case .tooOld: throw DataDirectoryError(.tooOld, path: path)
        case .farTooOld: throw DataDirectoryError(.farTooOld, path: path)
        case .empty, .member: break
        }
        do throws(StorageError) {
            for directory in [path, "\(path)/member", walPath, "\(path)/member/snap"] {
                try storage.createDirectories(directory)
            }
            // LOCK first: a second process must not write a byte, not even a probe.
            let lock = try storage.lock("\(path)/member/LOCK")
            for directory in [path, "\(path)/member", walPath] {
                try probe(directory, storage)
                try storage.syncDirectory(directory)
            }
            // A snapshot whose name could not be made durable stays in sight of a process that comes
            // after: what it builds upon it must not be left without it by a power loss.
            try storage.syncDirectory("\(path)/member/snap")
            return DataDirectory(storage: storage, path: path, walPath: walPath, lock: lock)
        } catch {
            guard error.isLocked else { throw DataDirectoryError(.storage(error), path: path) }
            throw DataDirectoryError(.inUse(processID: error.lockHolder), path: path)
        }
    }

    /// Whether a member lived here: the log's dir has any name in it but half-made segments.
    public func hasWAL() throws(DataDirectoryError) -> Bool {
        do throws(StorageError) {
            return try Self.hasWAL(walPath, storage)
        } catch {
            throw DataDirectoryError(.storage(error), path: path)
        }
    }

    private static func hasWAL(_ walPath: String, _ storage: IO) throws(StorageError) -> Bool {
        try storage.list(walPath).contains { !$0.hasTemporarySuffix }
    }

    /// As `hasWAL`, of a dir that is not opened: looks, and changes nothing. What cannot be read is
    /// no member's; opening it says why.
    public static func holdsWAL(_ path: String, storage: IO, walPath: String? = nil) -> Bool {
        let walPath = walPath ?? "\(path)/member/wal"
        guard case .directory? = try? storage.kind(of: walPath) else { return false }
        return (try? hasWAL(walPath, storage)) ?? false
    }

    /// What `inspect` found that is neither ours nor etcd's: worth a warning each. `fixtures` has
    /// the certificates of `--auto-tls`.
    public func unknownNames() throws(DataDirectoryError) -> [String] {
        do throws(StorageError) {
            return try storage.list(path).filter { !["member", "proxy", "fixtures"].contains($0) }
        } catch {
            throw DataDirectoryError(.storage(error), path: path)
        }
    }

    /// As etcd does it, so that a read-only file system is found at the start.
    private static func probe(_ directory: String, _ storage: IO) throws(StorageError) {
        let path = "\(directory)/.touch"
        _ = try storage.open(path, for: .replacing)
        try storage.remove(path)
    }
}

/// Whose a data dir is, by the names in it.
public enum DataDirectoryKind: Sendable {
    /// Nothing there, or nothing of ours.
    case empty
    case member
    case proxy
    case memberAndProxy
    case tooOld
    /// etcd 0.4's.
    case farTooOld

    /// Looks, and changes nothing.
    public static func inspect(
        _ path: String, storage: some FileStorage
    ) throws(DataDirectoryError) -> DataDirectoryKind {
        let kind: StorageKind?
        let names: [String]
        let hasOldLog: Bool
        do throws(StorageError) {
            kind = try storage.kind(of: path)
            names = kind == .directory ? try storage.list(path) : []
            let isOld = names.contains("snap") && names.contains("wal")
            hasOldLog = isOld ? try !storage.list("\(path)/wal").isEmpty : false
        } catch {
            throw DataDirectoryError(.storage(error), path: path)
        }
        guard kind == nil || kind == .directory else {
            throw DataDirectoryError(.notADirectory, path: path)
        }
        return switch (names.contains("member"), names.contains("proxy")) {
        case (true, true): .memberAndProxy
        case (true, false): .member
        case (false, true): .proxy
        case (false, false):
            hasOldLog ? .tooOld : Self.isVersion04(names) ? .farTooOld : .empty
        }
    }

    /// etcd 0.4 kept `conf`, `log` and `snapshot`, or `standby_info`, at the top.
    private static func isVersion04(_ names: [String]) -> Bool {
        names.contains("standby_info") || (names.contains("conf") && names.contains("log"))
    }
}
