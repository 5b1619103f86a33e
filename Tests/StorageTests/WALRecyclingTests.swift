import RaftModel
@testable import Storage
import StorageIO
import Testing

/// Released segments come back as new ones; what they held before is never read again.
@Suite struct WALRecyclingTests {
    typealias Log = WAL<SimulatedStorage>

    /// A log in whose segment, an overwritten one, little more than the head has been written.
    private func recycled(
        seed: UInt64 = 1, segmentBytes: Int = 1 << 16
    ) throws -> (fixture: LogFixture, wal: Log) {
        var fixture = try LogFixture(seed: seed, segmentBytes: segmentBytes)
        fixture.options.segmentFilesMax = 1
        let wal = try fixture.create()
        while wal.segment.sequence < 3 {
            if wal.segment.sequence == 2, let job = wal.nextPreparation() {
                wal.prepared(try job.run(), by: job)
            }
            try add(1, to: wal, bytes: 900)
            wal.release(through: wal.lastIndex)
            if let job = wal.nextRelease() { wal.released(job.run()) }
        }
        return (fixture, wal)
    }

    private func add(_ count: UInt64, to wal: Log, bytes: Int = 100) throws {
        for _ in 0..<count {
            let index = wal.lastIndex + 1
            try wal.append(
                hardState: nil, entries: LogFixture.entries(index...index, term: 1, bytes: bytes))
            try wal.sync()
        }
    }

    private func path(_ wal: Log) -> String { "\(LogFixture.directory)/\(wal.segment)" }

    /// The snapshot from which the log can be read.
    private func start(_ wal: Log) -> WALSnapshotRecord {
        WALSnapshotRecord(index: wal.segment.firstIndex, term: 1)
    }

    /// Writes until a batch ends where a page does: no zeros are behind it.
    private func fillPage(_ wal: Log) throws {
        let page = WALFormat.pageBytes
        // What a record takes on top of its data differs a little with the crc's length.
        var overhead = 30
        for _ in 0..<12 {
            if wal.writtenBytes % page == 0 { return }
            let index = wal.lastIndex + 1
            try wal.append(
                hardState: nil, entries: LogFixture.entries(index...index, term: 1, bytes: 1))
            let used = (wal.writtenBytes + wal.bufferedBytes) % page
            let size = page - used - overhead + (used + overhead + 200 > page ? page : 0)
            try wal.append(
                hardState: nil,
                entries: LogFixture.entries(index + 1...index + 1, term: 1, bytes: size))
            try wal.sync()
            let missed = (wal.writtenBytes + page / 2) % page - page / 2
            overhead += missed
        }
        Issue.record("no batch ended with its page")
    }

    private func put(
        _ bytes: [UInt8], at offset: Int, of path: String, on storage: SimulatedStorage
    ) {
        var all = storage.contents(of: path)
        all.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        storage.replaceContents(of: path, with: all)
    }

    /// A batch of one entry as a segment of this number would have it.
    private func batch(
        sequence: UInt64, offset: Int, rolling: CRC32C, index: UInt64
    ) -> [UInt8] {
        var buffer = BatchBuffer(rolling: rolling)
        buffer.begin(
            WALMarker(sequence: sequence, offset: UInt64(offset), durable: UInt64(offset)))
        buffer.add(LogFixture.entries(index...index, term: 1))
        buffer.seal()
        return Array(buffer.bytes)
    }

    @Test func aReleasedFileIsOverwritten() throws {
        let (fixture, wal) = try recycled()
        let bytes = fixture.storage.contents(of: path(wal))
        #expect(bytes.count == fixture.options.segmentBytes)
        // The old life shows behind the new one, and the head says where that ends.
        #expect(bytes[(1 << 15)...].contains { $0 != 0 })
        let records = try LogReader.readWithTail(
            LogFixture.directory, storage: fixture.storage, from: start(wal), expecting: nil)
        #expect(records.log.report.cut == nil && records.log.lastIndex == wal.lastIndex)
        var head: WALMarker?
        _ = try LogScan.run(LogFixture.directory, storage: fixture.storage) { record in
            if record.segment == wal.segment, record.offset == 0 { head = record.marker }
            return true
        }
        let end = try #require(head?.durable)
        #expect(end > 1 << 15 && bytes[Int(end)...].allSatisfy { $0 == 0 })
    }

    /// The end of a recycled segment is an ordinary one: nothing is cut, nothing is reported,
    /// and nothing is written but, once more, what no marker vouches for.
    @Test(arguments: [true, false])
    func theOldRestIsNoTornWrite(atPageEnd: Bool) throws {
        let (fixture, wal) = try recycled()
        try add(5, to: wal)
        if atPageEnd { try fillPage(wal) } else { try add(1, to: wal, bytes: 77) }
        let last = wal.lastIndex
        fixture.storage.killProcess()
        let before = fixture.storage.contents(of: path(wal))
        fixture.storage.trace = []
        let (again, log) = try fixture.recover(from: start(wal))
        #expect(log.report.cut == nil && log.lastIndex == last)
        #expect(log.report.notes(lastIndex: last) == [])
        #expect(fixture.storage.contents(of: path(wal)) == before)
        let trace = fixture.storage.trace ?? []
        let written = trace.filter { [.write, .truncate].contains($0.operation) }
        #expect(written.map { $0.offset + $0.count } == [wal.writtenBytes])
        try add(3, to: again)
        try again.close()
        let end = try LogReader.read(
            LogFixture.directory, storage: fixture.storage, from: start(wal))
        #expect(end.lastIndex == last + 3 && end.report.endsWithMarker && end.report.cut == nil)
    }

    /// Whole batches of the file's old life right behind the end, at offsets that fit.
    @Test func wholeOldBatchesAtAPageEnd() throws {
        let (fixture, wal) = try recycled()
        try fillPage(wal)
        var offset = wal.writtenBytes
        for i in 1...8 as ClosedRange<UInt64> {
            let old = batch(
                sequence: wal.segment.sequence - 2, offset: offset,
                rolling: wal.buffer.rolling, index: wal.lastIndex + i)
            put(old, at: offset, of: path(wal), on: fixture.storage)
            offset += old.count
        }
        let log = try LogReader.read(
            LogFixture.directory, storage: fixture.storage, from: start(wal))
        #expect(log.lastIndex == wal.lastIndex && log.report.cut == nil)
    }

    /// The hardest case: at the very offset, going on from the very crc, with the very index,
    /// as the same bytes were written before. Only the segment's number tells.
    @Test func theSameBytesOfAnotherLife() throws {
        let (fixture, wal) = try recycled()
        try fillPage(wal)
        for sequence in [0, 1, 2, 4, 9] as [UInt64] {
            let old = batch(
                sequence: sequence, offset: wal.writtenBytes, rolling: wal.buffer.rolling,
                index: wal.lastIndex + 1)
            put(old, at: wal.writtenBytes, of: path(wal), on: fixture.storage)
            let log = try LogReader.read(
                LogFixture.directory, storage: fixture.storage, from: start(wal))
            #expect(log.lastIndex == wal.lastIndex && log.report.cut == nil, "\(sequence)")
        }
        // With it, it is the log's own.
        let own = batch(
            sequence: 3, offset: wal.writtenBytes, rolling: wal.buffer.rolling,
            index: wal.lastIndex + 1)
        put(own, at: wal.writtenBytes, of: path(wal), on: fixture.storage)
        let log = try LogReader.read(
            LogFixture.directory, storage: fixture.storage, from: start(wal))
        #expect(log.lastIndex == wal.lastIndex + 1)
    }

    /// Old records without a marker, as they are between two sectors that were overwritten.
    @Test func oldRecordsOutsideOfAnyBatch() throws {
        let (fixture, wal) = try recycled()
        try fillPage(wal)
        let old = batch(
            sequence: 1, offset: 0, rolling: wal.buffer.rolling, index: wal.lastIndex + 1)
        let frame = Array(old[(8 + 2 + 6 + 2 + WALMarker.sizeBytes)...])
        for start in [0, 1, 2] {
            put(
                Array(frame.dropFirst(start)), at: wal.writtenBytes, of: path(wal),
                on: fixture.storage)
            let log = try LogReader.read(
                LogFixture.directory, storage: fixture.storage, from: self.start(wal))
            #expect(log.lastIndex == wal.lastIndex && log.report.cut == nil)
        }
    }

    /// An unfinished write of this segment is one, whatever is behind it: reported, and cleared.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func aTornBatchIsStillReported(seed: UInt64) throws {
        let (fixture, wal) = try recycled(seed: seed)
        var random = SplitMix64(seed: seed)
        if random.coin() { try fillPage(wal) } else { try add(1, to: wal, bytes: 300) }
        let end = wal.writtenBytes
        let last = wal.lastIndex
        try wal.append(
            hardState: nil,
            entries: LogFixture.entries(last + 1...last + 3, term: 1, bytes: 3000))
        try wal.write()
        // All of it but one sector in its middle.
        let torn = end + 600 + random.below(8000)
        let lost = [UInt8](repeating: 0xee, count: 512)
        put(lost, at: torn / 512 * 512, of: path(wal), on: fixture.storage)
        fixture.storage.killProcess()
        let (again, log) = try fixture.recover(from: start(wal))
        #expect(log.lastIndex == last && log.report.cut?.offsetBytes == end)
        #expect(log.report.notes(lastIndex: last).count == 1)
        try add(2, to: again)
        let twice = try LogReader.read(
            LogFixture.directory, storage: fixture.storage, from: start(wal))
        #expect(twice.lastIndex == last + 2 && twice.report.cut == nil)
    }

    /// A batch whose predecessor was lost must not come back when the log grows to where it
    /// lies; were it as large as can be, clearing it away is quick.
    @Test(arguments: [10, 40_000])
    func whatWasCutOffStaysAway(gap: Int) throws {
        let (fixture, wal) = try recycled()
        try fillPage(wal)
        let last = wal.lastIndex
        let end = wal.writtenBytes
        let rolling = wal.buffer.rolling
        // The batch that will be written again, and one behind it that outlived it.
        let lost = batch(
            sequence: 3, offset: end, rolling: rolling, index: last + 1)
        var buffer = BatchBuffer(rolling: rolling)
        buffer.begin(WALMarker(sequence: 3, offset: UInt64(end), durable: UInt64(end)))
        buffer.add(LogFixture.entries(last + 1...last + 1, term: 1))
        buffer.seal()
        let behind = batch(
            sequence: 3, offset: end + lost.count, rolling: buffer.rolling, index: last + 2)
        // Its promise is that of the time when nothing of both was synced.
        var marker = behind
        marker.withUnsafeMutableBytes { raw in
            let start = 8 + 2 + 6 + 2
            let slice = UnsafeMutableRawBufferPointer(
                rebasing: raw[start..<(start + WALMarker.sizeBytes)])
            guard var decoded = WALMarker.decode(UnsafeRawBufferPointer(slice)) else {
                Issue.record("no marker where one was put")
                return
            }
            decoded.durable = UInt64(end)
            decoded.encode(into: slice)
        }
        put(marker, at: end + lost.count, of: path(wal), on: fixture.storage)
        put([1], at: end + gap, of: path(wal), on: fixture.storage)
        fixture.storage.killProcess()
        let (again, log) = try fixture.recover(from: start(wal))
        #expect(log.lastIndex == last && log.report.cut != nil)
        // The very same again: it ends exactly where the other one began.
        try again.append(
            hardState: nil, entries: LogFixture.entries(last + 1...last + 1, term: 1))
        try again.sync()
        #expect(again.writtenBytes == end + lost.count)
        let read = try LogReader.read(
            LogFixture.directory, storage: fixture.storage, from: start(wal))
        #expect(read.lastIndex == last + 1 && read.report.cut == nil)
    }

    /// 64 MB of old life behind a torn batch are not written over with zeros.
    @Test func aLongRestIsCutOffNotWritten() throws {
        var fixture = try LogFixture(segmentBytes: 1 << 16)
        let wal = try fixture.create()
        try add(3, to: wal)
        let size = 3 << 20
        var bytes = Array(fixture.storage.contents(of: path(wal))[..<wal.writtenBytes])
        bytes += [UInt8](repeating: 0x6b, count: size - bytes.count)
        fixture.storage.replaceContents(of: path(wal), with: bytes)
        fixture.storage.killProcess()
        fixture.options.segmentBytes = size
        fixture.storage.trace = []
        let log = try fixture.recover().log
        #expect(log.report.cut?.bytes == size - wal.writtenBytes)
        let written = fixture.storage.trace?.filter { $0.operation == .write } ?? []
        #expect(written.allSatisfy { $0.offset + $0.count <= wal.writtenBytes })
        let after = fixture.storage.contents(of: path(wal))
        #expect(after.count == size)
        #expect(after[wal.writtenBytes...].allSatisfy { $0 == 0 })
    }

    /// After a clean stop no bit of the log can be turned over unseen, and none of what an
    /// earlier life left makes a difference.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func everyByteOfAClosedLog(seed: UInt64) throws {
        let (fixture, wal) = try recycled(seed: seed, segmentBytes: 1 << 15)
        try add(3, to: wal, bytes: 400)
        if seed % 2 == 0 { try fillPage(wal) }
        try wal.close()
        let end = wal.writtenBytes
        let whole = try LogReader.read(
            LogFixture.directory, storage: fixture.storage, from: start(wal))
        let size = fixture.storage.contents(of: path(wal)).count
        #expect(size > end)
        let lastMarker = end - 8 - 18 - WALMarker.sizeBytes
        var random = SplitMix64(seed: seed)
        // Every byte in front of the end, and some of those behind it.
        for byte in 0..<size where byte < end || byte % 16 == Int(seed) {
            let bit = random.below(8)
            fixture.storage.flipBit(bit, ofByte: byte, in: path(wal))
            let log = try? LogReader.read(
                LogFixture.directory, storage: fixture.storage, from: start(wal))
            if let log { #expect(log.content == whole.content, "byte \(byte)") }
            #expect(log == nil || byte > lastMarker, "byte \(byte)")
            if byte >= end { #expect(log != nil, "byte \(byte)") }
            fixture.storage.flipBit(bit, ofByte: byte, in: path(wal))
        }
    }

    /// The last batch's marker rots, at a page's begin where nothing else tells it from old
    /// bytes: what is lost is still reported.
    @Test func aRottenLastMarkerIsReported() throws {
        let (fixture, wal) = try recycled()
        try fillPage(wal)
        let end = wal.writtenBytes
        try add(1, to: wal)
        for byte in (end + 19)..<(end + 19 + 45) {
            fixture.storage.flipBit(byte % 8, ofByte: byte, in: path(wal))
            let log = try LogReader.read(
                LogFixture.directory, storage: fixture.storage, from: start(wal))
            #expect(log.report.cut?.offsetBytes == end, "byte \(byte)")
            fixture.storage.flipBit(byte % 8, ofByte: byte, in: path(wal))
        }
    }

    // MARK: Which ones go

    private func names(_ fixture: LogFixture) throws -> [WALSegmentName] {
        try fixture.storage.list(LogFixture.directory).compactMap(WALSegmentName.init)
    }

    private func severalSegments(
        _ configure: (inout WALOptions) -> Void
    ) throws -> (fixture: LogFixture, wal: Log) {
        var fixture = try LogFixture(segmentBytes: 4096)
        configure(&fixture.options)
        let wal = try fixture.create()
        while wal.segment.sequence < 7 { try add(1, to: wal, bytes: 900) }
        return (fixture, wal)
    }

    /// For every index: reading behind a snapshot of it works afterwards, and one segment fewer
    /// would not do.
    @Test func justWhatASnapshotNeedsStays() throws {
        let (_, longest) = try severalSegments { _ in }
        for index in 1...longest.lastIndex {
            let (fixture, wal) = try severalSegments { $0.segmentFilesMax = 1 }
            wal.release(through: index)
            if let job = wal.nextRelease() { wal.released(job.run()) }
            #expect(wal.nextRelease() == nil)
            let snapshot = WALSnapshotRecord(index: index, term: 1)
            let log = try LogReader.read(
                LogFixture.directory, storage: fixture.storage, from: snapshot)
            #expect(log.lastIndex == wal.lastIndex, "index \(index)")
            let left = try names(fixture)
            #expect(left.first.map { $0.firstIndex <= index } == true)
            #expect(left.dropFirst().first.map { $0.firstIndex > index } ?? true)
        }
    }

    @Test(arguments: [(0, 8), (1, 1), (3, 3), (8, 8), (20, 8)])
    func asManyAsWishedStay(max: Int, left: Int) throws {
        let (fixture, wal) = try severalSegments {
            $0.segmentFilesMax = max
            $0.recycledSegmentsMax = 0
        }
        #expect(try names(fixture).count == 8)
        wal.release(through: wal.lastIndex)
        if let job = wal.nextRelease() { wal.released(job.run()) }
        #expect(try names(fixture).count == left)
        #expect(try names(fixture).last == wal.segment)
        #expect(try fixture.storage.list(LogFixture.directory).allSatisfy { !$0.hasSuffix("tmp") })
    }

    @Test func thePoolIsBounded() throws {
        let (fixture, wal) = try severalSegments { $0.segmentFilesMax = 1 }
        wal.release(through: wal.lastIndex)
        if let job = wal.nextRelease() { wal.released(job.run()) }
        let pool = try fixture.storage.list(LogFixture.directory).filter { $0.hasSuffix(".tmp") }
        #expect(pool.count == 2 && wal.recycled.count == 2)
        // A restart does not know what is in them.
        fixture.storage.killProcess()
        _ = try fixture.recover(from: WALSnapshotRecord(index: wal.lastIndex, term: 1))
        #expect(try fixture.storage.list(LogFixture.directory) == [wal.segment.description])
    }

    /// Nothing is released twice, out of order, or while another release is under way.
    @Test func oneReleaseAtATime() throws {
        let (_, wal) = try severalSegments { $0.segmentFilesMax = 1 }
        #expect(wal.nextRelease() == nil)
        wal.release(through: wal.closed[2].firstIndex)
        let first = try #require(wal.nextRelease())
        wal.release(through: wal.lastIndex)
        #expect(wal.nextRelease() == nil)
        wal.released(first.run())
        let second = try #require(wal.nextRelease())
        #expect(second.segments.first?.sequence == first.segments.last.map { $0.sequence + 1 })
        wal.released(second.run())
        wal.release(through: 1)
        #expect(wal.nextRelease() == nil)
    }

    /// A call that fails in the middle of a release leaves a whole log; the next try goes on.
    @Test func everyCallOfAReleaseFails() throws {
        var call = 1
        var isThrough = false
        while !isThrough {
            let (fixture, wal) = try severalSegments { $0.segmentFilesMax = 1 }
            wal.release(through: wal.lastIndex)
            let job = try #require(wal.nextRelease())
            fixture.storage.inject(StorageFault(nth: call, .fail(5)))
            let outcome = job.run()
            isThrough = outcome.error == nil
            fixture.storage.removeFaults()
            wal.released(outcome)
            let left = try names(fixture)
            #expect(left.map(\.sequence) == Array((left.first?.sequence ?? 0)...7))
            // What is said to be recycled is not in the log any more, even after a crash.
            let recycled = outcome.gone.compactMap(\.recycledPath)
            fixture.storage.crash()
            let crashed = try names(fixture)
            for path in recycled {
                let sequence = UInt64(path.split(separator: "/")[2].prefix(16), radix: 16)
                #expect(!crashed.contains { $0.sequence == sequence })
            }
            wal.release(through: wal.lastIndex + 1)
            call += 1
        }
        #expect(call > 15)
    }
}
