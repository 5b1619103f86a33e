public import StorageIO

/// A snapshot that is durable under its name.
public struct SnapshotFile: Equatable, Sendable {
    public var name: SnapshotName
    public var path: String
    public var fileBytes: Int
    public var stateBytes: UInt64
}

/// Writes one snapshot file. Synchronous; one thread.
///
/// Under a temporary name until `finish`, which makes the file durable, then gives it its name, then
/// makes that durable: a file with a snapshot's name is whole, whenever the power fails.
public final class SnapshotWriter<IO: FileStorage> {
    private let storage: IO
    private let directory: String
    private let header: SnapshotHeader
    private let pace: WritePace
    private let encoder: SnapshotEncoder
    private let file: IO.File
    private let temporaryPath: String
    private var buffer: [UInt8] = []
    private var writtenBytes = 0
    private let startedAt = MachineClock.monotonicNanoseconds
    private var isOver = false

    init(
        _ header: SnapshotHeader, directory: String, storage: IO, pace: WritePace
    ) throws(SnapshotError) {
        self.storage = storage
        self.directory = directory
        self.header = header
        self.pace = pace
        encoder = SnapshotEncoder(header)
        let path = "\(directory)/\(header.name).tmp"
        temporaryPath = path
        file = try SnapshotError.catching(path) { () throws(StorageError) in
            try storage.open(path, for: .replacing)
        }
        buffer.reserveCapacity(SnapshotFormat.pieceBytes + LZ4Frame.blockBytes * 2)
        try encoder.start { bytes throws(SnapshotError) in try take(bytes) }
    }

    /// Takes the next bytes of the state.
    public func append(_ state: UnsafeRawBufferPointer) throws(SnapshotError) {
        precondition(!isOver)
        try encoder.append(state) { bytes throws(SnapshotError) in try take(bytes) }
    }

    /// Ends the file and makes it durable under its name.
    public func finish() throws(SnapshotError) -> SnapshotFile {
        try seal()
        return try publish()
    }

    /// Ends the file and makes it durable, still under its temporary name.
    package func seal() throws(SnapshotError) {
        precondition(!isOver)
        try encoder.finish { bytes throws(SnapshotError) in try take(bytes) }
        try flush(mustSync: true)
    }

    /// Reads what was sealed.
    package func reader() throws(SnapshotError) -> SnapshotReader<IO> {
        try SnapshotReader(temporaryPath, storage: storage)
    }

    /// Gives the sealed file its name.
    package func publish() throws(SnapshotError) -> SnapshotFile {
        precondition(!isOver)
        let path = "\(directory)/\(header.name)"
        try SnapshotError.catching(path) { () throws(StorageError) in
            try storage.rename(temporaryPath, to: path)
            try storage.syncDirectory(directory)
        }
        isOver = true
        return SnapshotFile(
            name: header.name, path: path, fileBytes: writtenBytes,
            stateBytes: encoder.stateBytes)
    }

    /// Removes what there is of the file. For after an error; harmless after `finish`.
    public func abandon() {
        guard !isOver else { return }
        isOver = true
        // What cannot be removed now is removed at the next start.
        try? storage.remove(temporaryPath)
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws(SnapshotError) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= SnapshotFormat.pieceBytes { try flush(mustSync: pace != .unlimited) }
    }

    private func flush(mustSync: Bool) throws(SnapshotError) {
        try SnapshotError.catching(temporaryPath) { () throws(StorageError) in
            try file.write(buffer, at: writtenBytes)
            if mustSync { try file.sync() }
        }
        writtenBytes += buffer.count
        buffer.removeAll(keepingCapacity: true)
        let elapsed = MachineClock.monotonicNanoseconds - startedAt
        let pause = pace.pause(after: writtenBytes, elapsed: elapsed)
        if pause > 0 { MachineClock.sleep(nanoseconds: pause) }
    }
}
