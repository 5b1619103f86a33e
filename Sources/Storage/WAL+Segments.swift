import RaftModel
import StorageIO

/// A place in a log at which appending can go on.
struct LogPosition: Equatable, Sendable {
    var segment: WALSegmentName
    var endBytes: Int
    var rolling: CRC32C
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
            source: .fresh(writesZeros: options.writesZerosAhead))
        let prepared = try rethrowing(path) { () throws(StorageError) in try preparation.run() }
        let wal = WAL(
            storage: storage, directory: directory, options: options, metadata: metadata,
            file: prepared.file,
            position: LogPosition(segment: segment, endBytes: 0, rolling: CRC32C()),
            lastIndex: 0, hardState: .empty)
        try wal.adopt(prepared, as: segment)
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
        let prepared = try takePrepared()
        let next = WALSegmentName(sequence: segment.sequence + 1, firstIndex: lastIndex + 1)
        let old = segment
        try adopt(prepared, as: next)
        closed.append(old)
        mayRelease = true
    }

    /// Writes a segment's head into a prepared file and gives it its name.
    private func adopt(
        _ prepared: PreparedSegment<IO>, as next: WALSegmentName
    ) throws(WALError) {
        let file = prepared.file
        buffer.begin(
            WALMarker(
                sequence: next.sequence, offset: 0, durable: UInt64(prepared.leftOverEnd)))
        buffer.add(.metadata, metadata.encoded)
        if next.sequence == 0 {
            buffer.add(.snapshot, WALSnapshotRecord.none.encoded)
        } else if !hardState.isEmpty {
            buffer.add(hardState)
        }
        buffer.seal()
        let target = "\(directory)/\(next)"
        try attempt(waitingForSpace: true) { () throws(StorageError) in
            try file.write(buffer.paddedBytes(writtenAt: 0), at: 0)
        }
        try attempt { () throws(StorageError) in try file.sync() }
        try attempt(waitingForSpace: true) { () throws(StorageError) in
            try storage.rename(prepared.path, to: target)
        }
        let renamed = try attempt { () throws(StorageError) in
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
        guard wantsPreparation else { return nil }
        preparation = .underWay
        return makePreparation(writesZeros: options.writesZerosAhead)
    }

    var wantsPreparation: Bool {
        guard case .none = preparation, failure == nil else { return false }
        return writtenBytes > options.segmentBytes / 2
    }

    /// Takes over a prepared segment; nil if it could not be made. That is no error yet: the
    /// next cut tries again, and fails if it must.
    public func prepared(_ segment: PreparedSegment<IO>?, by _: SegmentPreparation<IO>) {
        preparation = segment.map { .done($0) } ?? .none
    }

    private func makePreparation(writesZeros: Bool) -> SegmentPreparation<IO> {
        if !recycled.isEmpty {
            return SegmentPreparation(
                storage: storage, path: recycled.removeFirst(), sizeBytes: options.segmentBytes,
                source: .recycled)
        }
        preparationCount += 1
        return SegmentPreparation(
            storage: storage,
            path: "\(directory)/\(WALSegmentName.hexDigits(UInt64(preparationCount))).tmp",
            sizeBytes: options.segmentBytes, source: .fresh(writesZeros: writesZeros))
    }

    private func takePrepared() throws(WALError) -> PreparedSegment<IO> {
        while true {
            if case .done(let segment) = preparation {
                preparation = .none
                return segment
            }
            // The disk was too slow, or nobody prepares: reserve only, writing zeros takes too
            // long.
            let preparation = makePreparation(writesZeros: false)
            do throws(StorageError) { return try preparation.run() } catch {
                if case .recycled = preparation.source { continue }
                if error.isOutOfSpace, let reserve = try takeReserve(error) { return reserve }
                guard mayWaitForSpace(error) else { throw close(error) }
            }
        }
    }

    static func rethrowing<Result>(
        _ path: String, _ body: () throws(StorageError) -> Result
    ) throws(WALError) -> Result {
        do throws(StorageError) { return try body() } catch {
            throw WALError(.storage(error), file: path)
        }
    }
}
