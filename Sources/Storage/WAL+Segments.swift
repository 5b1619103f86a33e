import RaftModel
public import StorageIO

/// A place in a log at which appending can go on.
struct LogPosition: Equatable, Sendable {
    var segment: WALSegmentName
    var endBytes: Int
    var rolling: CRC32C
}

/// The next segment, made while the present one is being filled.
///
/// A preparation may be carried out on any thread; only its result goes back to the log's.
public struct SegmentPreparation<IO: FileStorage>: Sendable {
    let storage: IO
    /// `<number>.tmp` in the log's dir: no segment, so a restart removes it.
    let path: String
    let sizeBytes: Int
    let writesZeros: Bool

    /// Creates the file, with its blocks reserved and zeros in them, durably.
    public func run() throws(StorageError) -> IO.File {
        let file = try storage.open(path, for: .replacing)
        try file.preallocate(sizeBytes: sizeBytes)
        if writesZeros {
            // In pieces, each synced: one big flush would make the log's own syncs wait for it.
            let zeros = [UInt8](repeating: 0, count: min(sizeBytes, 1 << 19))
            var offset = 0
            while offset + zeros.count <= sizeBytes {
                try file.write(zeros, at: offset)
                try file.sync()
                offset += zeros.count
            }
        }
        try file.sync()
        return file
    }
}

enum PreparationState<IO: FileStorage> {
    case none
    case underWay
    case done(IO.File, path: String)
}

extension WAL {
    /// Creates a log in `directory`, which must exist and hold none.
    public static func create(
        in directory: String, storage: IO, metadata: WALMetadata, options: WALOptions = .init()
    ) throws(WALError) -> WAL {
        let segment = WALSegmentName(sequence: 0, firstIndex: 0)
        let names = try rethrowing(directory) { () throws(StorageError) in
            try storage.list(directory)
        }
        guard !names.contains(where: { WALSegmentName($0) != nil }) else {
            throw WALError(.exists, file: directory)
        }
        let path = "\(directory)/\(WALSegmentName.hexDigits(0)).tmp"
        let preparation = SegmentPreparation(
            storage: storage, path: path, sizeBytes: options.segmentBytes,
            writesZeros: options.writesZerosAhead)
        let file = try rethrowing(path) { () throws(StorageError) in try preparation.run() }
        let wal = WAL(
            storage: storage, directory: directory, options: options, metadata: metadata,
            file: file,
            position: LogPosition(segment: segment, endBytes: 0, rolling: CRC32C()),
            lastIndex: 0, hardState: .empty)
        try wal.adopt(file, as: segment, from: path)
        return wal
    }

    /// Goes over to a new segment. Everything written must be sealed and in the file.
    func cut() throws(WALError) {
        precondition(buffer.isEmpty, "a batch cannot span segments")
        try attempt { () throws(StorageError) in
            // A segment that ends where its data ends needs no end mark, and reads on.
            try file.truncate(sizeBytes: writtenBytes)
            try file.sync()
        }
        durableBytes = writtenBytes
        let (empty, path) = try takePrepared()
        let next = WALSegmentName(sequence: segment.sequence + 1, firstIndex: lastIndex + 1)
        try adopt(empty, as: next, from: path)
    }

    /// Writes a segment's head into a prepared file and gives it its name.
    private func adopt(
        _ file: IO.File, as next: WALSegmentName, from path: String
    ) throws(WALError) {
        buffer.begin(WALMarker(sequence: next.sequence, offset: 0, durable: 0))
        buffer.add(.metadata, metadata.encoded)
        if next.sequence == 0 {
            buffer.add(.snapshot, WALSnapshotRecord.none.encoded)
        } else if !hardState.isEmpty {
            buffer.add(hardState)
        }
        buffer.seal()
        let target = "\(directory)/\(next)"
        let renamed = try attempt { () throws(StorageError) in
            try file.write(buffer.paddedBytes(writtenAt: 0), at: 0)
            try file.sync()
            try storage.rename(path, to: target)
            try storage.syncDirectory(directory)
            // Opened again under its name, so that messages and traces name it.
            return try storage.open(target, for: .updating)
        }
        try attempt { () throws(StorageError) in try renamed.lockExclusively() }
        self.file = renamed
        segment = next
        writtenBytes = buffer.count
        durableBytes = buffer.count
        vouchedBytes = 0
        buffer.clear()
    }

    // MARK: Preparing the next segment

    /// What to prepare now, or nil. Run it, on any thread, and hand over the outcome to
    /// `prepared(_:by:)`; until then this gives nil.
    public func nextPreparation() -> SegmentPreparation<IO>? {
        guard case .none = preparation, failure == nil,
            writtenBytes > options.segmentBytes / 2
        else { return nil }
        preparation = .underWay
        return makePreparation(writesZeros: options.writesZerosAhead)
    }

    /// Takes over a prepared segment; nil if it could not be made. That is no error yet: the
    /// next cut tries again, and fails if it must.
    public func prepared(_ file: IO.File?, by done: SegmentPreparation<IO>) {
        guard let file else {
            preparation = .none
            return
        }
        preparation = .done(file, path: done.path)
    }

    private func makePreparation(writesZeros: Bool) -> SegmentPreparation<IO> {
        preparationCount += 1
        return SegmentPreparation(
            storage: storage,
            path: "\(directory)/\(WALSegmentName.hexDigits(UInt64(preparationCount))).tmp",
            sizeBytes: options.segmentBytes, writesZeros: writesZeros)
    }

    private func takePrepared() throws(WALError) -> (IO.File, path: String) {
        if case .done(let file, let path) = preparation {
            preparation = .none
            return (file, path)
        }
        // The disk was too slow, or nobody prepares: reserve only, writing zeros takes too long.
        let preparation = makePreparation(writesZeros: false)
        let file = try attempt { () throws(StorageError) in try preparation.run() }
        return (file, preparation.path)
    }

    static func rethrowing<Result>(
        _ path: String, _ body: () throws(StorageError) -> Result
    ) throws(WALError) -> Result {
        do throws(StorageError) { return try body() } catch {
            throw WALError(.storage(error), file: path)
        }
    }
}
