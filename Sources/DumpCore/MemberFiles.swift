import Storage
package import StorageIO

/// The files of a member that a path names.
package struct MemberFiles: Equatable, Sendable {
    /// Nil: only a log was named.
    package var memberPath: String?
    package var walPath: String

    var snapPath: String? { memberPath.map { "\($0)/snap" } }
    var votePath: String? { memberPath.map { "\($0)/vote" } }
    var markPath: String? { memberPath.map { "\($0)/mark" } }
    var kvdNotePath: String? { memberPath.map { "\($0)/kvds" } }

    /// Finds a member at `path`: a data dir, its `member`, or its `wal`.
    ///
    /// `wal`: where the log is, if `--wal-dir` put it elsewhere.
    package static func find(
        _ path: String, wal: String? = nil, storage: some FileStorage
    ) throws(DumpError) -> MemberFiles {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        let names = try list(path, storage)
        if names.contains("member") {
            return try inMember("\(path)/member", wal: wal, storage)
        }
        if names.contains("wal") || names.contains("snap") {
            return try inMember(path, wal: wal, storage)
        }
        if names.contains(where: { WALSegmentName($0) != nil }) {
            return MemberFiles(memberPath: parent(ofLog: path, storage), walPath: path)
        }
        guard !names.contains("proxy") else {
            throw DumpError(
                "\(path) is the data dir of a proxy, which keeps no data. Name a member's data dir."
            )
        }
        let sample = names.isEmpty ? "is empty" : "holds \(names.prefix(3).joined(separator: ", "))"
        throw DumpError(
            "\(path) is no data dir, member dir or wal dir: it \(sample). Name the directory that "
                + "kvd or etcd has as --data-dir.")
    }

    private static func list(
        _ path: String, _ storage: some FileStorage
    ) throws(DumpError) -> [String] {
        let kind = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: path)
        }
        guard let kind else {
            throw DumpError("\(path) does not exist. Check the path.")
        }
        guard kind == .directory else {
            throw DumpError("\(path) is a file. Name the data dir that it belongs to.")
        }
        return try DumpError.catching { () throws(StorageError) in try storage.list(path) }
    }

    private static func inMember(
        _ path: String, wal: String?, _ storage: some FileStorage
    ) throws(DumpError) -> MemberFiles {
        let walPath = wal ?? "\(path)/wal"
        let kind = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: walPath)
        }
        guard kind == .directory else {
            throw DumpError(
                "\(path) has no log: \(walPath) is not a directory. If --wal-dir put the log "
                    + "elsewhere, give that directory with --wal-dir here too.")
        }
        return MemberFiles(memberPath: path, walPath: walPath)
    }

    /// A log's own member, if it lies in one.
    private static func parent(ofLog path: String, _ storage: some FileStorage) -> String? {
        guard let slash = path.lastIndex(of: "/"), path[slash...] == "/wal" else { return nil }
        let parent = String(path[..<slash])
        return (try? storage.kind(of: "\(parent)/snap")) == .directory ? parent : nil
    }

    /// The log's segments, and the bytes they have.
    func segments(
        _ storage: some FileStorage
    ) throws(StorageError) -> [(name: WALSegmentName, bytes: Int)] {
        var found: [(name: WALSegmentName, bytes: Int)] = []
        for name in try storage.list(walPath).compactMap(WALSegmentName.init) {
            do throws(StorageError) {
                let file = try storage.open("\(walPath)/\(name)", for: .reading)
                found.append((name, try file.sizeBytes()))
            } catch  where error.isMissing {
                // A running server released it since it was listed.
            }
        }
        return found
    }
}
