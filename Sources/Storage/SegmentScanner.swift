import StorageIO

/// What a segment's records are fed to.
protocol RecordReplay {
    /// Takes one record whose bytes are known to be what was written. Nil: all is well.
    mutating func take(_ frame: WALFrame, at offset: Int, number: Int) -> WALError.Code?

    /// First and last index of the entries taken so far.
    var indices: ClosedRange<UInt64>? { get }

    /// Whether no more records are wanted.
    var isDone: Bool { get }

    /// A copy that takes records and tells nobody.
    var silent: Self { get }
}

/// Reads one segment frame by frame, checks every byte, and feeds a `RecordReplay`.
///
/// Stops at the first thing that is not right and says where and why; whether that is the end of
/// the log, a torn write or damage is `LogReader`'s to judge.
struct SegmentScanner {
    enum Stop: Equatable {
        /// The file ends where a frame would begin.
        case end
        /// The replay wants no more.
        case enough
        case bad(BadRecord)
        /// The bytes are right and what they say is not.
        case refused(WALError.Code)
    }

    var window: SegmentWindow
    let sequence: UInt64
    /// The next frame's place; after a stop, that of the frame that is bad.
    private(set) var offset = 0
    private(set) var recordCount = 0
    private(set) var rolling: CRC32C
    private(set) var hasMarkers = false
    private(set) var hasPadding = false
    private(set) var endsWithMarker = false
    private(set) var batchCount = 0
    /// Where that ends which an earlier life of the file left in it (`WALMarker.durable`).
    private(set) var leftOverEnd = 0
    /// Everything before it is known to have been synced: a marker says so, or the segment's name,
    /// which it gets when its head is durable.
    private(set) var vouchedEnd = 0
    /// Whether the crc so far is known; else the first record's is taken.
    private var knowsCRC: Bool
    /// End of the batch that a marker has vouched for.
    private var batchEnd = 0
    private var isCovered = false

    init(_ window: SegmentWindow, sequence: UInt64, rolling: CRC32C?) {
        self.window = window
        self.sequence = sequence
        self.rolling = rolling ?? CRC32C()
        knowsCRC = rolling != nil
    }

    mutating func run(_ replay: inout some RecordReplay) throws(StorageError) -> Stop {
        while offset < window.sizeBytes {
            let frame: WALFrame
            switch try readFrame() {
            case .frame(let found): frame = found
            case .zero: return .bad(.zeros)
            case .bad(let reason): return .bad(reason)
            case .short(let size):
                let end = offset + (size ?? WALFormat.lengthBytes)
                return .bad(.cutShort(missingBytes: end - window.sizeBytes))
            }
            if let stop = try check(frame) { return stop }
            if let code = replay.take(frame, at: offset, number: recordCount + 1) {
                return .refused(code)
            }
            recordCount += 1
            offset += frame.sizeBytes
            hasPadding = hasPadding || frame.isPadded
            if replay.isDone { return .enough }
        }
        return .end
    }

    private func readFrame() throws(StorageError) -> WALFrame.Outcome {
        let outcome = WALFrame.read(
            try window.bytes(at: offset, wanted: WALFormat.lengthBytes))
        guard case .short(let size?) = outcome, size <= window.sizeBytes - offset else {
            return outcome
        }
        return WALFrame.read(try window.bytes(at: offset, wanted: size))
    }

    private mutating func check(_ frame: WALFrame) throws(StorageError) -> Stop? {
        guard offset > 0 || frame.type == .crc else { return .bad(.head) }
        let isInBatch = offset < batchEnd
        guard !isInBatch || offset + frame.sizeBytes <= batchEnd else { return .bad(.shape) }
        endsWithMarker = false
        if frame.type == .crc {
            guard !knowsCRC || frame.crc == rolling.value else {
                return .bad(.crc(expected: rolling.value, found: frame.crc))
            }
            rolling = CRC32C(frame.crc)
            knowsCRC = true
            guard frame.data.isEmpty else { return try checkMarker(frame, isInBatch) }
            return isCovered ? .bad(.outsideBatch) : nil
        }
        guard isInBatch || !isCovered else { return .bad(.outsideBatch) }
        // A record that is not right may be read once more: it must not have counted.
        var next = rolling
        next.update(frame.data)
        guard frame.crc == next.value else {
            return .bad(.crc(expected: next.value, found: frame.crc))
        }
        rolling = next
        return nil
    }

    private mutating func checkMarker(
        _ frame: WALFrame, _ isInBatch: Bool
    ) throws(StorageError) -> Stop? {
        guard let marker = WALMarker.decode(frame.data), !isInBatch,
            marker.sequence == sequence, marker.offset == UInt64(offset)
        else { return .bad(.marker) }
        let rest = window.sizeBytes - offset - frame.sizeBytes
        guard marker.bytes <= UInt64(rest) else {
            return .bad(.cutShort(missingBytes: Int(clamping: marker.bytes) - rest))
        }
        let end = offset + frame.sizeBytes + Int(marker.bytes)
        let dataStart = frame.sizeBytes - WALMarker.sizeBytes
        // Asking for the whole batch may move the window: `frame` is not used after this.
        let isEmpty = marker.bytes == 0
        let batch = try window.bytes(at: offset, wanted: end - offset)
        var crc = CRC32C()
        crc.update(UnsafeRawBufferPointer(rebasing: batch[..<dataStart]))
        crc.update(
            UnsafeRawBufferPointer(
                rebasing: batch[(dataStart + WALMarker.sizeBytes)..<(end - offset)]))
        guard crc.value == marker.batchCRC else {
            return .bad(.batch(expectedCRC: marker.batchCRC, foundCRC: crc.value))
        }
        batchEnd = end
        if offset == 0 {
            isCovered = true
            leftOverEnd = Int(clamping: marker.durable)
            vouchedEnd = end
        } else {
            vouchedEnd = max(vouchedEnd, Int(clamping: marker.durable))
        }
        hasMarkers = true
        batchCount += 1
        endsWithMarker = isEmpty
        return nil
    }

    /// Who wrote the records read so far.
    var writer: RecoveryReport.Writer { hasMarkers ? .kvd : hasPadding ? .etcd3 : .etcd2 }

    /// Whether the stop is at a record of a batch whose bytes are those that its marker says.
    var isInsideBatch: Bool { offset < batchEnd }

    // MARK: Behind damage

    /// The crc so far; nil: damage has made it unknown.
    var knownCRC: CRC32C? { knowsCRC ? rolling : nil }

    /// Whether the stop is at a marker of this log that rotted: its crc is the log's so far, which
    /// nothing that an earlier life of the file left has but by a rare accident.
    func isAtBrokenMarker() throws(StorageError) -> Bool {
        guard case .frame(let frame) = try readFrame(), frame.type == .crc else { return false }
        return frame.crc == rolling.value && frame.data.count == WALMarker.sizeBytes
            && WALMarker.decode(frame.data) == nil
    }

    /// Goes on at `offset`, whatever the crc was before it.
    mutating func skip(to offset: Int) {
        self.offset = offset
        knowsCRC = false
        batchEnd = 0
    }

    /// Takes what looks like a record at the stop for one, right or wrong, and goes behind it;
    /// false if nothing does that ends before `end`.
    mutating func stepOver(
        _ replay: inout ScanReplay, before end: Int
    ) throws(StorageError) -> Bool {
        guard case .frame(let frame) = try readFrame(), frame.sizeBytes <= end - offset else {
            return false
        }
        var isIntact = false
        if frame.type == .crc {
            isIntact = frame.crc == rolling.value && frame.data.isEmpty
        } else {
            rolling.update(frame.data)
            isIntact = frame.crc == rolling.value
        }
        rolling = CRC32C(frame.crc)
        recordCount += 1
        replay.pass(frame, at: offset, number: recordCount, isIntact: isIntact)
        offset += frame.sizeBytes
        return true
    }

    /// Whether two intact records that follow one another lie anywhere behind the stop: then
    /// the log did not end there. For logs without markers.
    func intactRecordsFollow() throws(StorageError) -> Bool {
        let rest = try window.bytes(at: offset, wanted: window.sizeBytes - offset)
        var start = 1
        while start + WALFormat.lengthBytes + 4 < rest.count {
            defer { start += 1 }
            guard rest[start + WALFormat.lengthBytes] == 0x08 else { continue }
            let here = UnsafeRawBufferPointer(rebasing: rest[start...])
            guard case .frame(let first) = WALFrame.read(here) else { continue }
            let behind = UnsafeRawBufferPointer(rebasing: here[first.sizeBytes...])
            guard case .frame(let second) = WALFrame.read(behind), second.type != .crc,
                !second.data.isEmpty
            else { continue }
            var crc = CRC32C(first.crc)
            crc.update(second.data)
            if crc.value == second.crc { return true }
        }
        return false
    }

    /// Whether a whole sector of the bad record is zeros: what etcd 3.x takes for a torn write.
    func hasZeroSector() throws(StorageError) -> Bool {
        let bytes = try window.bytes(at: offset, wanted: WALFormat.lengthBytes)
        guard bytes.count >= WALFormat.lengthBytes else { return true }
        let word = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        let size = Int(clamping: word & (1 << 56 - 1)) + WALFormat.lengthBytes
        let record = try window.bytes(at: offset, wanted: min(size, window.sizeBytes - offset))
        let end = min(size, record.count)
        var start = 0
        while start < end {
            let sectorEnd = min(end, (offset + start) / 512 * 512 + 512 - offset)
            if record[start..<sectorEnd].allSatisfy({ $0 == 0 }) { return true }
            start = sectorEnd
        }
        return false
    }

    /// Where, inside a batch that does not match its marker, the first bad record is; nil if
    /// every record is intact by itself. `replay` takes those in front of it.
    func firstBadRecordOfBatch(_ replay: inout some RecordReplay) throws(StorageError) -> (
        offset: Int, recordNumber: Int, reason: BadRecord
    )? {
        var walk = self
        guard case .frame(let frame) = try walk.readFrame(),
            let marker = WALMarker.decode(frame.data)
        else { return nil }
        let end = offset + frame.sizeBytes + Int(clamping: marker.bytes)
        walk.offset += frame.sizeBytes
        walk.recordCount += 1
        walk.isCovered = false
        while walk.offset < end {
            let place = (walk.offset, walk.recordCount + 1)
            switch try walk.readFrame() {
            case .frame(let frame):
                if case .bad(let reason)? = try walk.check(frame) {
                    return (place.0, place.1, reason)
                }
                guard replay.take(frame, at: place.0, number: place.1) == nil else { return nil }
                walk.offset += frame.sizeBytes
                walk.recordCount += 1
            case .bad(let reason): return (place.0, place.1, reason)
            case .zero: return (place.0, place.1, .zeros)
            case .short: return (place.0, place.1, .shape)
            }
        }
        return nil
    }
}
