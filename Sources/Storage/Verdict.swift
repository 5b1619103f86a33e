import StorageIO

/// What a scanner's stop means.
enum Verdict {
    case clean
    case torn(BadRecord, dataEnd: Int)
    case wrong(
        WALError.Code, offset: Int, recordNumber: Int, goodIndices: ClosedRange<UInt64>?)

    /// `replay` is the one that the scanner fed; it is asked what it has, and not changed.
    init<Replay: RecordReplay>(
        on stop: SegmentScanner.Stop, of scanner: SegmentScanner, _ replay: Replay,
        isLast: Bool
    ) throws(StorageError) {
        let good = replay.indices
        let number = scanner.recordCount + 1
        let reason: BadRecord
        switch stop {
        case .end where scanner.offset == 0:
            self = .wrong(.emptySegment, offset: 0, recordNumber: 0, goodIndices: good)
            return
        case .end, .enough:
            self = .clean
            return
        case .refused(let code):
            self = .wrong(
                code, offset: scanner.offset, recordNumber: number, goodIndices: good)
            return
        case .bad(let bad): reason = bad
        }
        let tail = try scanner.window.examineTail(at: scanner.offset, sequence: scanner.sequence)
        if tail.dataEnd == 0 {
            self = .wrong(.emptySegment, offset: 0, recordNumber: 0, goodIndices: good)
        } else if tail.dataEnd == scanner.offset, !scanner.isInsideBatch {
            self = .clean
        } else if isLast, try Self.isTorn(reason, tail, scanner) {
            self =
                try Self.isLeftOver(tail, scanner) ? .clean : .torn(reason, dataEnd: tail.dataEnd)
        } else {
            var walk = replay.silent
            guard case .batch = reason, let bad = try scanner.firstBadRecordOfBatch(&walk) else {
                self = .wrong(
                    .corrupt(reason), offset: scanner.offset, recordNumber: number,
                    goodIndices: good)
                return
            }
            self = .wrong(
                .corrupt(bad.reason), offset: bad.offset, recordNumber: bad.recordNumber,
                goodIndices: walk.indices)
        }
    }

    private static func isTorn(
        _ reason: BadRecord, _ tail: SegmentTail, _ scanner: SegmentScanner
    ) throws(StorageError) -> Bool {
        // A segment gets its name only when its head is durable.
        guard scanner.offset > 0 else { return false }
        // No torn write leaves a batch that is there as a whole; and cut in the middle, it would not go
        // with its marker.
        guard !scanner.isInsideBatch else { return false }
        if scanner.hasMarkers || tail.hasMarker { return tail.durable <= scanner.offset }
        guard try !scanner.intactRecordsFollow() else { return false }
        if case .cutShort = reason { return true }
        guard scanner.hasPadding else { return false }
        return reason == .zeros ? true : try scanner.hasZeroSector()
    }

    /// Whether all that lies behind the stop is what an earlier life of a recycled file left
    /// there: then the log ends here as it should, and nothing needs to be cleared away, since
    /// no batch without a marker of this segment can ever be read.
    private static func isLeftOver(
        _ tail: SegmentTail, _ scanner: SegmentScanner
    ) throws(StorageError) -> Bool {
        guard tail.dataEnd <= scanner.leftOverEnd, !tail.isBegun, !tail.hasMarker else {
            return false
        }
        // The last write put zeros behind itself, in the sector in which it ends at least: what
        // is not zero there was written after it, and is ours.
        let sectorRest =
            (WALFormat.sectorBytes - scanner.offset % WALFormat.sectorBytes)
            % WALFormat.sectorBytes
        let rest = try scanner.window.bytes(at: scanner.offset, wanted: sectorRest)
        guard rest.prefix(sectorRest).allSatisfy({ $0 == 0 }) else { return false }
        return try !scanner.isAtBrokenMarker()
    }
}
