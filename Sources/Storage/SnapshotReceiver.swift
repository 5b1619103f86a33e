public import RaftModel
public import StorageIO

/// Takes in the bytes of a snapshot file that somebody else made. Synchronous; one thread.
///
/// What has come lies in `<name>.part`, so that a transfer that was cut off can go on from
/// `receivedBytes` if its sender does; else `restart`. Nothing in it is believed before `finish`.
public final class SnapshotReceiver<IO: FileStorage> {
    private let storage: IO
    private let directory: String
    private let name: SnapshotName
    private let file: IO.File
    public private(set) var receivedBytes: Int

    private let partPath: String

    init(_ name: SnapshotName, directory: String, storage: IO) throws(SnapshotError) {
        (self.name, self.directory, self.storage) = (name, directory, storage)
        let path = "\(directory)/\(name).part"
        partPath = path
        (file, receivedBytes) = try SnapshotError.catching(path) { () throws(StorageError) in
            let file = try storage.open(path, for: .creatingIfMissing)
            return (file, try file.sizeBytes())
        }
    }

    /// Forgets what came in an earlier transfer.
    public func restart() throws(SnapshotError) {
        guard receivedBytes > 0 else { return }
        try SnapshotError.catching(partPath) { () throws(StorageError) in
            try file.truncate(sizeBytes: 0)
        }
        receivedBytes = 0
    }

    public func append(_ bytes: UnsafeRawBufferPointer) throws(SnapshotError) {
        try SnapshotError.catching(partPath) { () throws(StorageError) in
            try file.write(bytes, at: receivedBytes)
        }
        receivedBytes += bytes.count
    }

    /// Verifies every byte, hands the state over as it is read, and makes the file durable under its
    /// name. `take` may throw for its own reasons; then, and if the file is damaged, it is gone.
    public func finish(
        expecting metadata: SnapshotMetadata,
        _ take: (SnapshotReader<IO>) throws -> Void
    ) throws -> SnapshotFile {
        do {
            try SnapshotError.catching(partPath) { () throws(StorageError) in try file.sync() }
            let reader = try SnapshotReader(partPath, storage: storage)
            let header = reader.header
            guard header.index == metadata.index, header.term == metadata.term else {
                throw SnapshotError(
                    .damaged(.otherSnapshot(term: header.term, index: header.index)),
                    file: partPath)
            }
            try take(reader)
            try reader.verify()
            return try settle(stateBytes: UInt64(reader.stateBytes))
        } catch {
            abandon()
            throw error
        }
    }

    private func settle(stateBytes: UInt64) throws(SnapshotError) -> SnapshotFile {
        let path = "\(directory)/\(name)"
        try SnapshotError.catching(path) { () throws(StorageError) in
            try storage.rename(partPath, to: path)
            try storage.syncDirectory(directory)
        }
        return SnapshotFile(
            name: name, path: path, fileBytes: receivedBytes, stateBytes: stateBytes)
    }

    /// Removes what has come so far.
    public func abandon() { try? storage.remove(partPath) }
}
