import Glibc
import RaftModel
@testable import Storage
import StorageIO
import Testing

@Suite struct WALTests {
    @Test func segmentNames() {
        let name = WALSegmentName(sequence: 10, firstIndex: 0xfd)
        #expect(name.description == "000000000000000a-00000000000000fd.wal")
        #expect(WALSegmentName(name.description) == name)
        for bad in [
            "", "0.wal", "000000000000000A-00000000000000fd.wal",
            "000000000000000a-00000000000000fd.wal.tmp", "000000000000000a_00000000000000fd.wal",
            "000000000000000a-00000000000000fg.wal", "000000000000000a-00000000000000fd.snap",
        ] {
            #expect(WALSegmentName(bad) == nil)
        }
    }

    /// Our own encoding of an entry is `Entry.encode`'s.
    @Test func entriesAreEncodedAsRaftModelDoes() throws {
        var random = SplitMix64(seed: 3)
        for size in [0, 1, 127, 128, 129, 4000, 9000, 20_000] {
            for shift in stride(from: 0, to: 64, by: 7) as StrideTo<UInt64> {
                let entry = Entry(
                    kind: random.coin() ? .normal : .confChange, term: random.next() >> shift,
                    index: random.next() >> shift,
                    data: (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                var buffer = BatchBuffer(rolling: CRC32C(UInt32(truncatingIfNeeded: shift)))
                buffer.begin(WALMarker(sequence: 1, offset: 2, durable: 2))
                let start = buffer.count
                buffer.add([entry])
                let rolling = buffer.rolling
                buffer.seal()
                let frame = UnsafeRawBufferPointer(rebasing: buffer.bytes[start...])
                guard case .frame(let read) = WALFrame.read(frame) else {
                    Issue.record("not a frame")
                    continue
                }
                #expect(Array(read.data) == entry.encoded())
                #expect(read.crc == rolling.value && read.type == .entry)
            }
        }
    }

    /// All in one batch, where an entry shares its beginning with the one before.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func entriesOfABatchAreEncodedAsRaftModelDoes(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let edges: [UInt64] = [1, 1 << 7, 1 << 14, 1 << 21, 1 << 28, 1 << 35, 1 << 63]
        let sizes = [0, 1, 2, 110, 127, 128, 1010, 1024, 8191, 8192, 16_383]
        func number() -> UInt64 {
            random.pick(edges) &- 1 &+ UInt64(random.below(2))
        }
        var (term, kind) = (number(), Entry.Kind.normal)
        let entries = (0..<200).map { _ in
            if random.below(4) == 0 {
                (term, kind) = (number(), random.coin() ? .normal : .confChange)
            }
            let size = random.coin() ? random.pick(sizes) : random.below(300)
            let byte = UInt8(truncatingIfNeeded: random.next())
            return Entry(
                kind: kind, term: term, index: number(),
                data: (0..<size).map { UInt8(truncatingIfNeeded: $0) ^ byte })
        }
        let first = CRC32C(UInt32(truncatingIfNeeded: random.next()))
        var buffer = BatchBuffer(rolling: first)
        buffer.begin(WALMarker(sequence: 1, offset: 2, durable: 2))
        var place = buffer.count
        buffer.add(entries)
        buffer.seal()
        var rolling = first
        for entry in entries {
            let rest = UnsafeRawBufferPointer(rebasing: buffer.bytes[place...])
            guard case .frame(let frame) = WALFrame.read(rest) else {
                Issue.record("not a frame")
                return
            }
            rolling.update(frame.data)
            #expect(Array(frame.data) == entry.encoded())
            #expect(frame.crc == rolling.value && frame.type == .entry)
            place += frame.sizeBytes
        }
        #expect(place == buffer.count && buffer.rolling == rolling)
    }

    /// The batch's crc is the same whether it was rolled over the bytes or derived.
    @Test func batchCRCCoversEveryByte() {
        for sizes in [[10, 100], [9000], [8192, 5, 70_000, 8191]] {
            var buffer = BatchBuffer(rolling: CRC32C(77))
            buffer.begin(WALMarker(sequence: 1, offset: 2, durable: 2))
            let markerEnd = buffer.count
            for (i, size) in sizes.enumerated() {
                buffer.add(
                    LogFixture.entries(UInt64(i)...UInt64(i), term: 1, bytes: size))
            }
            buffer.seal()
            var bytes = Array(buffer.bytes)
            let marker = bytes.withUnsafeBytes {
                WALMarker.decode(.init(rebasing: $0[(markerEnd - 48)..<markerEnd]))
            }
            bytes.removeSubrange((markerEnd - 48)..<markerEnd)
            #expect(marker?.batchCRC == CRC32C.of(bytes))
            #expect(marker?.bytes == UInt64(buffer.count - markerEnd))
        }
    }

    @Test func tooLongARecordChangesNothing() throws {
        let fixture = try LogFixture(segmentBytes: 8192)
        let wal = try fixture.create()
        let huge = Entry(
            term: 1, index: 1, data: [UInt8](repeating: 0, count: WALFormat.recordBytesMax))
        let error = #expect(throws: WALError.self) {
            try wal.append(hardState: nil, entries: [huge])
        }
        #expect(error?.isDamage == false)
        try wal.append(hardState: nil, entries: LogFixture.entries(1...1, term: 1))
        try wal.sync()
        #expect(try fixture.read().lastIndex == 1)
    }

    /// A batch larger than a segment gets one of its own.
    @Test func batchLargerThanASegment() throws {
        let fixture = try LogFixture(segmentBytes: 4096)
        var wal: WAL? = try fixture.create()
        let all = (1...6).flatMap { i in
            LogFixture.entries(UInt64(i)...UInt64(i), term: 1, bytes: i % 2 == 0 ? 20_000 : 10)
        }
        for entry in all {
            try wal?.append(hardState: nil, entries: [entry])
            try wal?.sync()
        }
        try wal?.close()
        wal = nil
        let log = try fixture.read()
        #expect(log.entries == all)
        #expect(log.report.segmentCount > 3)
        let (_, again) = try fixture.recover()
        #expect(again.entries == all)
    }

    @Test func idsMustBeTheExpected() throws {
        let fixture = try LogFixture()
        try fixture.create().close()
        let other = WALMetadata(memberID: MemberID(1), clusterID: ClusterID(2))
        let error = #expect(throws: WALError.self) {
            try LogReader.read(
                LogFixture.directory, storage: fixture.storage, expecting: other)
        }
        #expect(error?.code == .wrongIDs(expected: other, found: LogFixture.ids))
    }

    /// Segments of two members in one dir: the crc gives it away, or the metadata does.
    @Test func segmentsOfTwoMembers() throws {
        let fixture = try LogFixture(segmentBytes: 4096)
        let wal = try fixture.create()
        try wal.append(hardState: nil, entries: LogFixture.entries(1...3, term: 1, bytes: 900))
        try wal.sync()
        try wal.append(hardState: nil, entries: LogFixture.entries(4...6, term: 1, bytes: 900))
        try wal.close()
        let names = try fixture.storage.list(LogFixture.directory)
        let path = "\(LogFixture.directory)/\(names[1])"
        // A head that goes on from the right crc, and names another.
        let read = try LogReader.readWithTail(
            LogFixture.directory, storage: fixture.storage, from: .none, expecting: nil)
        #expect(read.log.report.segmentCount == 2)
        var scanner = SegmentScanner(
            try SegmentWindow(
                try fixture.storage.open(
                    "\(LogFixture.directory)/\(names[0])", for: .reading)),
            sequence: 0, rolling: nil)
        var replay = LogReplay(from: .none)
        #expect(try scanner.run(&replay) == .end)
        var buffer = BatchBuffer(rolling: scanner.rolling)
        buffer.begin(WALMarker(sequence: 1, offset: 0, durable: 0))
        let other = WALMetadata(memberID: MemberID(9), clusterID: ClusterID(9))
        buffer.add(.metadata, other.encoded)
        buffer.seal()
        fixture.storage.replaceContents(of: path, with: Array(buffer.bytes))
        let error = #expect(throws: WALError.self) { try fixture.read() }
        #expect(error?.code == .conflictingMetadata(first: LogFixture.ids, second: other))
    }

    /// Old bytes of a recycled segment behind the end: markers, records and all, never read.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func staleBytesBehindTheEnd(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let old = try LogFixture(segmentBytes: 1 << 16)
        let oldWAL = try old.create()
        for i in 1...40 as ClosedRange<UInt64> {
            let size = random.below(300)
            try oldWAL.append(
                hardState: HardState(term: 1, vote: MemberID(1), commit: i),
                entries: LogFixture.entries(i...i, term: 1, bytes: size))
            try oldWAL.sync()
        }
        let name = "0000000000000000-0000000000000000.wal"
        let stale = old.storage.contents(of: "\(LogFixture.directory)/\(name)")
        // The same bytes under a later number, the beginning overwritten by a new life.
        let fixture = try LogFixture(segmentBytes: 4096)
        let wal = try fixture.create()
        for i in 1...12 as ClosedRange<UInt64> {
            try wal.append(
                hardState: nil, entries: LogFixture.entries(i...i, term: 2, bytes: 500))
            try wal.sync()
        }
        #expect(wal.segment.sequence > 0)
        let path = "\(LogFixture.directory)/\(wal.segment)"
        var bytes = fixture.storage.contents(of: path)
        bytes.removeLast(bytes.count - wal.writtenBytes)
        bytes += stale[min(stale.count, bytes.count)...]
        fixture.storage.replaceContents(of: path, with: bytes)
        fixture.storage.killProcess()
        let (again, log) = try fixture.recover()
        #expect(log.entries == LogFixture.entries(1...12, term: 2, bytes: 500))
        try again.append(hardState: nil, entries: LogFixture.entries(13...13, term: 2))
        try again.close()
        #expect(try fixture.read().lastIndex == 13)
    }

    /// A value that holds a marker of its own place is still only a value.
    @Test func markerInsideAValue() throws {
        let fixture = try LogFixture(segmentBytes: 1 << 16)
        let wal = try fixture.create()
        let offset = wal.writtenBytes
        let forged = [UInt8](unsafeUninitializedCapacity: 48) { memory, count in
            WALMarker(
                sequence: 0, offset: UInt64(offset), durable: 1 << 40
            ).encode(into: UnsafeMutableRawBufferPointer(memory))
            count = 48
        }
        let entry = Entry(term: 1, index: 1, data: forged + [1, 2, 3] + forged)
        try wal.append(hardState: nil, entries: [entry])
        try wal.sync()
        let end = wal.writtenBytes
        try wal.append(hardState: nil, entries: [Entry(term: 1, index: 2, data: forged)])
        try wal.write()
        #expect(try fixture.read().entries.first == entry)
        let path = "\(LogFixture.directory)/\(wal.segment)"
        fixture.storage.flipBit(0, ofByte: end + 20, in: path)
        let log = try fixture.read()
        #expect(log.entries == [entry] && log.report.cut != nil)
    }

    @Test func everyErrorSaysWhatToDo() {
        let ids = LogFixture.ids
        let codes: [WALError.Code] = [
            .corrupt(.shape), .missingSegment(sequence: 3), .noLog, .emptySegment,
            .indexGap(expected: 2, found: 4), .termWentBack(from: 3, to: 2), .noMetadata,
            .conflictingMetadata(first: ids, second: ids), .wrongIDs(expected: ids, found: ids),
            .snapshotNotInLog(index: 9, lastIndex: 3), .missingSnapshot(index: 9, lastIndex: 2),
            .snapshotMismatch(index: 9, expectedTerm: 1, foundTerm: 2), .exists, .closed,
            .tooLong(bytes: 9, limit: 8), .storage(StorageError(.write, "/f", code: ENOSPC)),
        ]
        for code in codes {
            let error = WALError(code, file: "/f", offsetBytes: 7, recordNumber: 2)
            #expect(error.description.hasSuffix(error.advice), "\(error)")
            #expect(error.advice.hasSuffix(".") && error.advice.count > 10)
            #expect(error.description.contains("/f"))
            #expect(!error.problem.isEmpty)
        }
        let reasons: [BadRecord] = [
            .length(3), .cutShort(missingBytes: 3), .shape, .type(9), .crc(expected: 1, found: 2),
            .marker, .batch(expectedCRC: 1, foundCRC: 2), .outsideBatch, .zeros, .message, .head,
        ]
        #expect(Set(reasons.map(\.description)).count == reasons.count)
    }

    /// Mutations of a log's bytes: an answer or an error, never a trap.
    @Test func mutatedBytesNeverTrap() throws {
        let fixture = try LogFixture()
        let wal = try fixture.create()
        try wal.append(
            hardState: HardState(term: 1, vote: MemberID(1), commit: 1),
            entries: LogFixture.entries(1...4, term: 1, bytes: 30))
        try wal.close()
        let path = "\(LogFixture.directory)/\(wal.segment)"
        let end = wal.writtenBytes
        let bytes = Array(fixture.storage.contents(of: path)[..<end])
        var random = SplitMix64(seed: 11)
        for round in 0..<20_000 {
            var mutated = bytes
            for _ in 0...random.below(4) {
                mutated[random.below(end)] = UInt8(truncatingIfNeeded: random.next())
            }
            // Frames and markers in place, without the crcs that would stop most of them.
            mutated.withUnsafeBytes { raw in
                let start = random.below(end)
                let rest = UnsafeRawBufferPointer(rebasing: raw[start...])
                if case .frame(let frame) = WALFrame.read(rest) {
                    #expect(frame.sizeBytes <= rest.count)
                    var replay = LogReplay(from: WALSnapshotRecord(index: 2, term: 1))
                    _ = replay.take(frame.type, frame.data)
                }
            }
            if round % 20 == 0 {
                fixture.storage.replaceContents(of: path, with: mutated)
                _ = try? fixture.read()
            }
        }
    }

    /// A leader's snapshot took the place of a log at odds with it: without that snapshot what follows is
    /// not the continuation of what came before.
    @Test func aSnapshotAtOddsVoidsTheLog() throws {
        let fixture = try LogFixture()
        let wal = try fixture.create()
        try wal.append(hardState: nil, entries: LogFixture.entries(1...10, term: 1))
        try wal.sync()
        let taken = WALSnapshotRecord(index: 8, term: 2)
        try wal.append(taken)
        try wal.append(hardState: nil, entries: LogFixture.entries(9...12, term: 2))
        try wal.sync()
        let error = #expect(throws: WALError.self) { try fixture.read() }
        #expect(error?.code == .indexGap(expected: 1, found: 9))
        let log = try LogReader.read(LogFixture.directory, storage: fixture.storage, from: taken)
        #expect(log.entries == LogFixture.entries(9...12, term: 2))
    }
}
