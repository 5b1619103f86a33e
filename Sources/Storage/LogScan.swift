package import StorageIO

/// Reads a log record by record and keeps none of them: for looking at logs of any length.
///
/// Checks all that `LogReader` checks of the bytes, and tells a torn tail from damage as it does;
/// but it goes on behind damage as well as it can: in a damaged batch record by record, then at
/// the next intact marker, then in the next segment. Writes nothing, and may be used beside a
/// running server: a segment that went away, grew or was half written meanwhile is no damage.
package struct LogScan<IO: FileStorage> {
    private let directory: String
    private let storage: IO
    private var replay: ScanReplay
    private var summary = LogScanSummary()
    private var rolling: CRC32C?
    private let endsAtDamage: Bool

    /// Visits the records of the log in `directory`, in their order, until `visit` gives false.
    ///
    /// `index`: begin in the segment in which what follows this index begins; nil: in the first.
    /// `endsAtDamage`: visit nothing behind the first damage, a missing segment or one that cannot be made
    /// out at all among it, where what follows may look as if it went with what was before.
    /// Throws what keeps it from reading at all; damage is in the summary.
    package static func run(
        _ directory: String, storage: IO, from index: UInt64? = nil, endsAtDamage: Bool = false,
        _ visit: (LogRecord) -> Bool
    ) throws(WALError) -> LogScanSummary {
        // `withoutActuallyEscaping` rethrows untyped, so the outcome travels as a value.
        let outcome = withoutActuallyEscaping(visit) { visit -> Result<LogScanSummary, WALError> in
            var scan = LogScan(
                directory: directory, storage: storage, replay: ScanReplay(visit: visit),
                endsAtDamage: endsAtDamage)
            do throws(WALError) { return .success(try scan.readAll(from: index)) } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private init(directory: String, storage: IO, replay: ScanReplay, endsAtDamage: Bool) {
        self.directory = directory
        self.storage = storage
        self.replay = replay
        self.endsAtDamage = endsAtDamage
    }

    /// Whether there is nothing more to visit.
    private var isOver: Bool { replay.isDone || endsAtDamage && !summary.damage.isEmpty }

    private mutating func readAll(from index: UInt64?) throws(WALError) -> LogScanSummary {
        let (storage, directory) = (storage, directory)
        let (all, others) = try WAL<IO>.rethrowing(directory) { () throws(StorageError) in
            try LogReader<IO>.segments(in: directory, storage: storage)
        }
        guard !all.isEmpty else { throw WALError(.noLog, file: directory) }
        summary.ignoredNames = others
        let first = index.flatMap { index in all.lastIndex { $0.firstIndex <= index } } ?? 0
        var previous: WALSegmentName?
        for (i, name) in all.enumerated().dropFirst(first) {
            if let previous, name.sequence != previous.sequence + 1 {
                rolling = nil
                summary.damage.append(
                    WALError(
                        .missingSegment(sequence: previous.sequence + 1), file: directory))
                if isOver { break }
            }
            // The server may have released it since its name was listed.
            guard try read(name, isLast: i == all.count - 1) || previous != nil else { continue }
            previous = name
            if isOver { break }
        }
        summary.isCutShort = replay.isDone
        return summary
    }

    /// False: it is not there.
    private mutating func read(
        _ name: WALSegmentName, isLast: Bool
    ) throws(WALError) -> Bool {
        let path = "\(directory)/\(name)"
        do throws(StorageError) {
            replay.begin(name)
            let scanner = try scan(path, name, isLast: isLast)
            record(scanner, name)
            return true
        } catch {
            guard error.operation == .open, error.isMissing else {
                throw WALError(.storage(error), file: path)
            }
            return false
        }
    }

    private mutating func record(_ scanner: SegmentScanner, _ name: WALSegmentName) {
        var segment = LogScanSummary.Segment(name: name, sizeBytes: scanner.window.sizeBytes)
        segment.endBytes = scanner.offset
        segment.recordCount = scanner.recordCount
        segment.batchCount = scanner.batchCount
        segment.indices = replay.indices
        segment.writer = scanner.writer
        summary.segments.append(segment)
        rolling = scanner.knownCRC
    }

    private mutating func scan(
        _ path: String, _ name: WALSegmentName, isLast: Bool
    ) throws(StorageError) -> SegmentScanner {
        var scanner = SegmentScanner(
            try SegmentWindow(try storage.open(path, for: .reading)), sequence: name.sequence,
            rolling: rolling)
        var retriedAt = -1
        while true {
            do throws(StorageError) {
                let stop = try scanner.run(&replay)
                let verdict = try Verdict(on: stop, of: scanner, replay, isLast: isLast)
                switch verdict {
                case .clean: return scanner
                case .torn(let reason, let dataEnd):
                    summary.cut = RecoveryReport.Cut(
                        file: path, offsetBytes: scanner.offset,
                        bytes: dataEnd - scanner.offset, reason: reason)
                    return scanner
                case .wrong where retriedAt != scanner.offset:
                    break
                case .wrong(let code, let offset, let recordNumber, let goodIndices):
                    summary.damage.append(
                        WALError(
                            code, file: path, offsetBytes: offset, recordNumber: recordNumber,
                            goodIndices: goodIndices))
                    guard !isOver, try passDamage(&scanner) else { return scanner }
                    continue
                }
            } catch  where error.operation == .read && retriedAt != scanner.offset {
                // The file is shorter than it was: a server went over to the next one.
            }
            // Once more with what is there now: a server may be writing it.
            retriedAt = scanner.offset
            scanner.window = try SegmentWindow(try storage.open(path, for: .reading))
        }
    }

    /// Visits what can be made out behind the damage at which `scanner` stopped, and goes to the
    /// next marker; false if the rest of the segment has none.
    private mutating func passDamage(
        _ scanner: inout SegmentScanner
    ) throws(StorageError) -> Bool {
        let tail = try scanner.window.examineTail(at: scanner.offset, sequence: scanner.sequence)
        let next = tail.hasMarker ? tail.nextMarker : nil
        let end = next ?? tail.dataEnd
        while scanner.offset < end, !replay.isDone {
            guard try scanner.stepOver(&replay, before: end) else { break }
        }
        guard let next, !replay.isDone else {
            scanner.skip(to: scanner.offset)
            return false
        }
        scanner.skip(to: next)
        return true
    }
}

/// Hands a scanner's records to a visitor.
struct ScanReplay: RecordReplay {
    private var visit: ((LogRecord) -> Bool)?
    private var segment = WALSegmentName(sequence: 0, firstIndex: 0)
    private(set) var indices: ClosedRange<UInt64>?
    private(set) var isDone = false

    init(visit: @escaping (LogRecord) -> Bool) { self.visit = visit }

    mutating func begin(_ segment: WALSegmentName) {
        self.segment = segment
        indices = nil
    }

    var silent: ScanReplay {
        var copy = self
        copy.visit = nil
        return copy
    }

    mutating func take(_ frame: WALFrame, at offset: Int, number: Int) -> WALError.Code? {
        if frame.type == .entry {
            guard let entry = try? EntryView(frame.data) else { return .corrupt(.message) }
            indices = min(indices?.lowerBound ?? entry.index, entry.index)...entry.index
        }
        pass(LogRecord(frame, of: segment, at: offset, number: number))
        return nil
    }

    /// A record that is not intact, or lies behind one that is not.
    mutating func pass(_ frame: WALFrame, at offset: Int, number: Int, isIntact: Bool) {
        var record = LogRecord(frame, of: segment, at: offset, number: number)
        record.isIntact = isIntact
        pass(record)
    }

    private mutating func pass(_ record: LogRecord) {
        guard let visit, !isDone else { return }
        isDone = !visit(record)
    }
}
