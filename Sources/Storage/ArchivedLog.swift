import Glibc
public import StorageIO

/// A log and its archive as one directory, for reading only: `LogReader` and `LogScan` see the
/// segments that the archive has as if they had never left.
///
///     let log = ArchivedLog("member/wal", archive: "/archive", storage: PosixStorage())
///     try LogScan.run("member/wal", storage: log, from: index) { … }
///
/// A segment that is in both is read from the log. One from the archive is held in memory, whole,
/// while it is open: a segment's size, whatever the length of the log. The log's own dir need not
/// be there.
public struct ArchivedLog<IO: FileStorage>: FileStorage {
    private let directory: String
    private let archive: LogArchive<IO>
    private let storage: IO

    public init(_ directory: String, archive: String, storage: IO) {
        self.directory = directory
        self.archive = LogArchive(archive, storage: storage)
        self.storage = storage
    }

    public func open(
        _ path: String, for use: StorageUse
    ) throws(StorageError) -> ArchivedLogFile<IO> {
        guard case .reading = use else { throw readOnly(.open, path) }
        do throws(StorageError) {
            return ArchivedLogFile(path, .file(try storage.open(path, for: .reading)))
        } catch  where error.isMissing {
            guard let segment = segment(at: path) else { throw error }
            return ArchivedLogFile(path, .bytes(try unpack(segment)))
        }
    }

    /// The segment that `path` names, if it is one of this log.
    private func segment(at path: String) -> WALSegmentName? {
        let prefix = "\(directory)/"
        guard path.utf8.starts(with: prefix.utf8) else { return nil }
        return WALSegmentName(String(path.dropFirst(prefix.count)))
    }

    private func unpack(_ segment: WALSegmentName) throws(StorageError) -> [UInt8] {
        var bytes: [UInt8] = []
        do throws(ArchiveError) {
            try archive.decompress(archive.path(of: segment)) { bytes += $0 }
        } catch {
            if case .storage(let error) = error.code { throw error }
            var damage = StorageError(.read, archive.path(of: segment), code: EUCLEAN)
            damage.explanation = error.description
            throw damage
        }
        return bytes
    }

    public func list(_ directory: String) throws(StorageError) -> [String] {
        guard directory == self.directory else { return try storage.list(directory) }
        var names: Set<String> = []
        if try storage.kind(of: directory) != nil {
            names = Set(try storage.list(directory))
        }
        do throws(ArchiveError) {
            names.formUnion(try archive.segments().map(\.description))
        } catch {
            guard case .storage(let error) = error.code else { return names.sorted() }
            throw error
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func kind(of path: String) throws(StorageError) -> StorageKind? {
        if let kind = try storage.kind(of: path) { return kind }
        guard let segment = segment(at: path) else { return nil }
        return try storage.kind(of: archive.path(of: segment))
    }

    // MARK: What only a writer wants

    private func readOnly(_ operation: StorageOperation, _ path: String) -> StorageError {
        StorageError(operation, path, code: EROFS)
    }

    public func createDirectory(_ path: String) throws(StorageError) {
        throw readOnly(.createDirectory, path)
    }

    public func rename(_ source: String, to target: String) throws(StorageError) {
        throw readOnly(.rename, source)
    }

    public func remove(_ path: String) throws(StorageError) { throw readOnly(.remove, path) }

    public func syncDirectory(_ directory: String) throws(StorageError) {
        throw readOnly(.syncDirectory, directory)
    }

    public func lock(_ path: String) throws(StorageError) -> ArchivedLogFile<IO> {
        throw readOnly(.lock, path)
    }

    public func bootID() throws(StorageError) -> BootID { try storage.bootID() }
}

/// A file of an `ArchivedLog`: a real one, or an archived segment in memory.
public final class ArchivedLogFile<IO: FileStorage>: StorageFile {
    enum Contents: Sendable {
        case file(IO.File)
        case bytes([UInt8])
    }

    public let path: String
    private let contents: Contents

    init(_ path: String, _ contents: Contents) {
        self.path = path
        self.contents = contents
    }

    public func sizeBytes() throws(StorageError) -> Int {
        switch contents {
        case .file(let file): try file.sizeBytes()
        case .bytes(let bytes): bytes.count
        }
    }

    public func read(
        into memory: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(StorageError) -> Int {
        switch contents {
        case .file(let file): return try file.read(into: memory, at: offset)
        case .bytes(let bytes):
            guard offset < bytes.count else { return 0 }
            let end = min(bytes.count, offset + memory.count)
            memory.copyBytes(from: bytes[offset..<end])
            return end - offset
        }
    }

    // MARK: What only a writer wants

    private func readOnly(_ operation: StorageOperation) -> StorageError {
        StorageError(operation, path, code: EROFS)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StorageError) {
        throw readOnly(.write)
    }

    public func preallocate(sizeBytes: Int) throws(StorageError) { throw readOnly(.preallocate) }

    public func truncate(sizeBytes: Int) throws(StorageError) { throw readOnly(.truncate) }

    public func sync() throws(StorageError) { throw readOnly(.sync) }

    public func lockExclusively() throws(StorageError) { throw readOnly(.lock) }

    public func map(sizeBytes: Int) throws(StorageError) -> MappedRegion { throw readOnly(.map) }
}
