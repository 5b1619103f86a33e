import RaftModel
public import StorageIO

/// Reads a log from the segment that a snapshot needs to its end, and verifies all of it.
///
/// Where reading stops short of a clean end, this is how it is judged (architecture §4):
///
///     stop is                                      and                            verdict
///     in a segment with others behind it           zeros to its end               clean
///                                                  anything else                  damage
///     in the last one, only zeros from there on                                   clean
///     in the last one, in the part under markers   a later marker says durable    damage
///                                                  what a recycled file held      clean
///                                                  none does                      torn: cut
///     in the last one, in etcd's plain frames      intact records follow          damage
///                                                  the file ends in the record    torn: cut
///                                                  3.x frames and a zero sector   torn: cut
///                                                  else                           damage
///     at the very start of a segment                                              damage
public struct LogReader<IO: FileStorage> {
    /// Where appending goes on, and what must be cleared away first.
    struct Tail {
        var position: LogPosition
        var sizeBytes: Int
        /// Behind the last byte of what was cut off; `position.endBytes` if nothing was.
        var junkEndBytes: Int
        /// Before it, everything is known to have been synced once.
        var vouchedBytes: Int
        /// The segments before it, those that were not read too.
        var closed: [WALSegmentName] = []
    }

    private let storage: IO
    private let directory: String
    private var replay: LogReplay
    private var report = RecoveryReport()
    private var closed: [WALSegmentName] = []
    private var progress: LogProgress?

    /// Reads the log in `directory`, and writes nothing.
    ///
    /// `snapshot`: what the caller has the state of; `.none`: nothing. `expected`: whose log it
    /// must be; nil: anybody's. `progress`: called about once for each MB read.
    public static func read(
        _ directory: String, storage: IO, from snapshot: WALSnapshotRecord = .none,
        expecting expected: WALMetadata? = nil,
        progress: ((_ bytesRead: Int, _ bytesTotal: Int) -> Void)? = nil
    ) throws(WALError) -> RecoveredLog {
        try readWithTail(
            directory, storage: storage, from: snapshot, expecting: expected, progress: progress
        ).log
    }

    static func readWithTail(
        _ directory: String, storage: IO, from snapshot: WALSnapshotRecord,
        expecting expected: WALMetadata?,
        progress: ((_ bytesRead: Int, _ bytesTotal: Int) -> Void)? = nil
    ) throws(WALError) -> (log: RecoveredLog, tail: Tail) {
        var reader = LogReader(
            storage: storage, directory: directory, replay: LogReplay(from: snapshot))
        let segments = try reader.segmentsToRead()
        if let progress {
            reader.progress = LogProgress(
                total: try reader.sizeBytes(of: segments), tell: progress)
        }
        var tail: Tail?
        for (i, segment) in segments.enumerated() {
            tail = try reader.readSegment(
                segment, rolling: tail?.position.rolling, isLast: i == segments.count - 1)
        }
        reader.progress?.finish()
        guard var tail else { throw WALError(.noLog, file: directory) }
        tail.closed = reader.closed
        return (try reader.finish(expecting: expected), tail)
    }

    /// The names of a log's segments, in their order; what else lies there comes second.
    static func segments(
        in directory: String, storage: IO
    ) throws(StorageError) -> (segments: [WALSegmentName], others: [String]) {
        var segments: [WALSegmentName] = []
        var others: [String] = []
        for name in try storage.list(directory) {
            if let segment = WALSegmentName(name) {
                segments.append(segment)
            } else {
                others.append(name)
            }
        }
        // The listing is sorted, and names of equal length sort by sequence.
        return (segments, others)
    }

    private mutating func segmentsToRead() throws(WALError) -> ArraySlice<WALSegmentName> {
        let storage = storage
        let directory = directory
        let (all, others) = try WAL<IO>.rethrowing(directory) { () throws(StorageError) in
            try Self.segments(in: directory, storage: storage)
        }
        report.ignoredNames = others
        guard !all.isEmpty else { throw WALError(.noLog, file: directory) }
        closed = all.dropLast()
        // The last one that begins at or before the snapshot has all that comes after it.
        let index = replay.snapshot.index
        guard let first = all.lastIndex(where: { $0.firstIndex <= index }) else {
            let sequence = all[0].sequence
            throw WALError(
                .missingSegment(sequence: sequence == 0 ? 0 : sequence - 1), file: directory)
        }
        for (a, b) in zip(all[first...], all[first...].dropFirst())
        where b.sequence != a.sequence + 1 {
            throw WALError(.missingSegment(sequence: a.sequence + 1), file: directory)
        }
        return all[first...]
    }

    private func sizeBytes(
        of segments: ArraySlice<WALSegmentName>
    ) throws(WALError) -> Int {
        var total = 0
        for segment in segments {
            let path = "\(directory)/\(segment)"
            total += try WAL<IO>.rethrowing(path) { () throws(StorageError) in
                try storage.open(path, for: .reading).sizeBytes()
            }
        }
        return total
    }

    private mutating func readSegment(
        _ name: WALSegmentName, rolling: CRC32C?, isLast: Bool
    ) throws(WALError) -> Tail {
        let path = "\(directory)/\(name)"
        let (scanner, verdict) = try WAL<IO>.rethrowing(path) { () throws(StorageError) in
            let window = try SegmentWindow(
                try storage.open(path, for: .reading), progress: progress.map { $0.add })
            var scanner = SegmentScanner(window, sequence: name.sequence, rolling: rolling)
            let stop = try scanner.run(&replay)
            return (scanner, try Verdict(on: stop, of: scanner, replay, isLast: isLast))
        }
        var junkEnd = scanner.offset
        switch verdict {
        case .clean: break
        case .torn(let reason, let dataEnd):
            junkEnd = dataEnd
            report.cut = RecoveryReport.Cut(
                file: path, offsetBytes: scanner.offset, bytes: dataEnd - scanner.offset,
                reason: reason)
        case .wrong(let code, let offset, let recordNumber, let goodIndices):
            throw WALError(
                code, file: path, offsetBytes: offset, recordNumber: recordNumber,
                goodIndices: goodIndices)
        }
        report.segmentCount += 1
        report.recordCount += scanner.recordCount
        report.bytes += scanner.offset
        report.endsWithMarker = scanner.endsWithMarker && junkEnd == scanner.offset
        report.writer = scanner.writer
        return Tail(
            position: LogPosition(
                segment: name, endBytes: scanner.offset, rolling: scanner.rolling),
            sizeBytes: scanner.window.sizeBytes, junkEndBytes: junkEnd,
            vouchedBytes: min(scanner.vouchedEnd, scanner.offset))
    }

    private mutating func finish(
        expecting expected: WALMetadata?
    ) throws(WALError) -> RecoveredLog {
        if let code = replay.finish() { throw WALError(code, file: directory) }
        guard let metadata = replay.metadata else {
            throw WALError(.noMetadata, file: directory)
        }
        if let expected, expected != metadata {
            throw WALError(.wrongIDs(expected: expected, found: metadata), file: directory)
        }
        let snapshot = replay.snapshot
        let lastIndex = snapshot.index + UInt64(replay.entries.count)
        var hardState = replay.hardState
        // etcd 2.0 wrote the state first; and a commit that is only known is not synced.
        if hardState.commit > lastIndex {
            report.commitPastEnd = hardState.commit
            hardState.commit = lastIndex
        }
        hardState.commit = max(hardState.commit, snapshot.index)
        return RecoveredLog(
            metadata: metadata, hardState: hardState, entries: replay.entries,
            snapshots: replay.snapshots, lastIndex: lastIndex,
            lastTerm: replay.lastTerm ?? snapshot.term, report: report)
    }
}
