package import Storage
package import StorageIO

/// The dir of a member that was to be one and never was: discovery found its cluster full.
package enum UnusedMember {
    /// Removes `member/`, unless anything in it would be missed: then it stays, and the data dir is a
    /// member's to whoever opens it.
    package static func remove(
        from dataDirectory: String, storage: some FileStorage
    ) throws(DataDirectoryError) {
        guard case .member = try DataDirectoryKind.inspect(dataDirectory, storage: storage) else {
            return
        }
        let path = "\(dataDirectory)/member"
        do throws(StorageError) {
            let found = try storage.list(path)
            for name in found {
                guard try isNothing(name, in: path, storage) else { return }
            }
            for name in found { try storage.remove("\(path)/\(name)") }
            try storage.remove(path)
            try storage.syncDirectory(dataDirectory)
        } catch {
            throw DataDirectoryError(.storage(error), path: dataDirectory)
        }
    }

    private static func isNothing(
        _ name: String, in path: String, _ storage: some FileStorage
    ) throws(StorageError) -> Bool {
        if names.contains(name) { return true }
        let inner = "\(path)/\(name)"
        guard try storage.kind(of: inner) == .directory else { return false }
        return try storage.list(inner).isEmpty
    }

    /// Files without which nothing is lost.
    private static let names = Set(
        // What a discovering member leaves, to go on after an interruption.
        ["LOCK", "discovery"] + DataDirectoryNote.allCases.map(\.rawValue))
}
