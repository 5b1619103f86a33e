import Glibc

extension FileStorage {
    /// Creates a directory and those above it as far as they are missing, and makes their names
    /// durable. Others may be creating the same ones at the same moment.
    ///
    /// Throws what a call of the way threw: `ENOTDIR` where something else has one of the names.
    package func createDirectories(_ path: String) throws(StorageError) {
        if try isDirectory(path) { return }
        let parent = parentPath(of: path)
        if parent != path { try createDirectories(parent) }
        do throws(StorageError) {
            try createDirectory(path)
        } catch {
            // It was not there a moment ago: a member started beside this one was faster.
            guard error.code == EEXIST, try isDirectory(path) else { throw error }
        }
        // Whoever created it may not have come this far.
        try syncDirectory(parent)
    }

    /// False: nothing is there.
    private func isDirectory(_ path: String) throws(StorageError) -> Bool {
        switch try kind(of: path) {
        case .directory?: return true
        case .some: throw StorageError(.createDirectory, path, code: ENOTDIR)
        case nil: return false
        }
    }
}
