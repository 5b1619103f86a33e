import Storage
import StorageIO

/// What a path names.
package struct DataDirFinder {
    /// A member's dirs; some may not be there.
    package struct Dirs: Equatable {
        package var member: String
        package var wal: String
        package var snap: String
    }

    package enum Found: Equatable {
        case dirs(Dirs)
        case file(String)
    }

    private static let storage = PosixStorage()

    /// A data dir, its `member`, its `wal` or `snap`, an etcd 2.0.0 dir, or a file.
    package static func find(_ path: String) throws(DumpError) -> Found {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        switch try kind(path) {
        case .file?: return .file(path)
        case .directory?: break
        case .other?: throw DumpError("\(path) is neither a file nor a directory.")
        case nil: throw DumpError("\(path) does not exist. Give a data dir, or a part of one.")
        }
        let names = try DumpError.catching { try storage.list(path) }
        if names.contains("member") { return .dirs(below("\(path)/member")) }
        if names.contains("wal") || names.contains("snap") { return .dirs(below(path)) }
        if names.contains(where: { WALSegmentName($0) != nil || $0.hasSuffix(".wal.lz4") }) {
            return .dirs(Dirs(member: path, wal: path, snap: "\(parent(path))/snap"))
        }
        if names.contains(where: { SnapshotName($0) != nil }) {
            return .dirs(Dirs(member: path, wal: "\(parent(path))/wal", snap: path))
        }
        throw DumpError(
            "\(path) holds no log and no snapshots. Give a data dir (--data-dir of the server), its "
                + "member, wal or snap directory, or a file in them.")
    }

    package static func dirs(_ path: String) throws(DumpError) -> Dirs {
        guard case .dirs(let dirs) = try find(path) else {
            throw DumpError("\(path) is a file. Give a data dir, or its member or wal directory.")
        }
        return dirs
    }

    private static func below(_ member: String) -> Dirs {
        Dirs(member: member, wal: "\(member)/wal", snap: "\(member)/snap")
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func kind(_ path: String) throws(DumpError) -> StorageKind? {
        try DumpError.catching { try storage.kind(of: path) }
    }

    static func exists(_ path: String) throws(DumpError) -> Bool { try kind(path) != nil }
}
