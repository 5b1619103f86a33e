public import StorageIO

/// Notes to the next start, as empty files in `member/`: durable before `leave` returns.
public enum DataDirectoryNote: String, Sendable, CaseIterable {
    /// The log lost entries, and the member has not got them all back: it must not vote.
    case rejoining = "REJOIN"
    /// The store is not what the log says: it must not be read before a leader's is in its place.
    case stateIsVoid = "VOID"
    /// The member was added to a running cluster, and its log is empty until a leader fills it.
    case joining = "JOINING"
}

extension DataDirectory {
    private func path(of note: DataDirectoryNote) -> String { "\(memberPath)/\(note.rawValue)" }

    public func has(_ note: DataDirectoryNote) throws(StorageError) -> Bool {
        try storage.kind(of: path(of: note)) != nil
    }

    public func leave(_ note: DataDirectoryNote) throws(StorageError) {
        let file = try storage.open(path(of: note), for: .creatingIfMissing)
        try file.sync()
        try storage.syncDirectory(memberPath)
    }

    public func remove(_ note: DataDirectoryNote) throws(StorageError) {
        guard try has(note) else { return }
        try storage.remove(path(of: note))
        try storage.syncDirectory(memberPath)
    }
}
