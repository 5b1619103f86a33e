import FixtureSupport
import RaftModel
@testable import Storage
import StorageIO
import Testing

@Suite struct LogScanTests {
    /// What a visit saw, kept beyond it.
    struct Seen: Equatable {
        var place: String
        var type: WALRecordType
        var isIntact: Bool
        var index: UInt64?
    }

    private func scan(
        _ storage: some FileStorage, _ directory: String = LogFixture.directory,
        from index: UInt64? = nil, endsAtDamage: Bool = false
    ) throws -> (seen: [Seen], summary: LogScanSummary) {
        var seen: [Seen] = []
        let summary = try LogScan.run(
            directory, storage: storage, from: index, endsAtDamage: endsAtDamage
        ) { record in
            let entry = record.type == .entry ? try? Entry.decode(record.data) : nil
            seen.append(
                Seen(
                    place: "\(record.segment.sequence)@\(record.offset)#\(record.number)",
                    type: record.type, isIntact: record.isIntact, index: entry?.index))
            return true
        }
        return (seen, summary)
    }

    private func severalSegments() throws -> LogFixture {
        let fixture = try LogFixture(segmentBytes: 4096)
        let wal = try fixture.create()
        for i: UInt64 in 1...12 {
            let state = HardState(term: 1, vote: MemberID(1), commit: i - 1)
            try wal.append(
                hardState: state,
                entries: LogFixture.entries(i * 2 - 1...i * 2, term: 1, bytes: 450))
            try wal.sync()
        }
        try wal.close()
        return fixture
    }

    @Test func seesEveryRecordOnce() throws {
        let fixture = try severalSegments()
        let report = try fixture.read().report
        let (seen, summary) = try scan(fixture.storage)
        #expect(seen.count == report.recordCount)
        #expect(Set(seen.map(\.place)).count == seen.count)
        #expect(seen.allSatisfy { $0.isIntact })
        #expect(seen.compactMap(\.index) == Array(1...24))
        #expect(summary.damage == [] && summary.cut == nil && !summary.isCutShort)
        #expect(summary.segments.count == report.segmentCount)
        #expect(summary.segments.map(\.recordCount).reduce(0, +) == seen.count)
        #expect(summary.segments.map(\.endBytes).reduce(0, +) == report.bytes)
        #expect(summary.segments.allSatisfy { $0.writer == .kvd && $0.batchCount > 1 })
        #expect(summary.segments.last?.indices?.upperBound == 24)
    }

    @Test func beginsWhereTheIndexIs() throws {
        let fixture = try severalSegments()
        let names = try fixture.storage.list(LogFixture.directory).compactMap(WALSegmentName.init)
        let (seen, summary) = try scan(fixture.storage, from: names[2].firstIndex + 1)
        #expect(summary.segments.first?.name == names[2])
        #expect(seen.compactMap(\.index).first == names[2].firstIndex)
    }

    @Test func endsWhenTheVisitorSaysSo() throws {
        let fixture = try severalSegments()
        var count = 0
        let summary = try LogScan.run(LogFixture.directory, storage: fixture.storage) { _ in
            count += 1
            return count < 7
        }
        #expect(count == 7 && summary.isCutShort)
    }

    /// One bit of a record is turned over: that batch is not intact, all others are there.
    @Test func goesOnBehindDamage() throws {
        let fixture = try severalSegments()
        let names = try fixture.storage.list(LogFixture.directory)
        let path = "\(LogFixture.directory)/\(names[1])"
        let whole = try scan(fixture.storage).seen
        let good = fixture.storage.contents(of: path)
        var random = SplitMix64(seed: 3)
        for byte in stride(from: 0, to: good.count, by: 5) {
            fixture.storage.flipBit(random.below(8), ofByte: byte, in: path)
            let (seen, summary) = try scan(fixture.storage)
            #expect(summary.damage.count == 1, "byte \(byte)")
            #expect(summary.damage.first?.file == path && summary.cut == nil)
            let error = #expect(throws: WALError.self) { try fixture.read() }
            #expect(error?.offsetBytes == summary.damage.first?.offsetBytes, "byte \(byte)")
            let before = try scan(fixture.storage, endsAtDamage: true)
            #expect(before.summary.damage == summary.damage)
            #expect(
                before.seen == Array(whole.prefix(before.seen.count))
                    && before.seen.count < whole.count,
                "byte \(byte)")
            // What is called intact is what was written.
            let intact = seen.filter { $0.isIntact && $0.type == .entry }
            let unknown = intact.filter { seen in
                !whole.contains { $0.index == seen.index && $0.type == .entry }
            }
            #expect(unknown == [], "byte \(byte)")
            #expect(whole.count(where: { $0.type == .entry }) - intact.count <= 4, "byte \(byte)")
            #expect(!seen.allSatisfy { $0.isIntact } || seen.count < whole.count)
            fixture.storage.replaceContents(of: path, with: good)
        }
    }

    @Test func endsBeforeAMissingSegment() throws {
        let fixture = try severalSegments()
        let names = try fixture.storage.list(LogFixture.directory)
        let whole = try scan(fixture.storage).seen
        try fixture.storage.remove("\(LogFixture.directory)/\(names[2])")
        let all = try scan(fixture.storage)
        let (seen, summary) = try scan(fixture.storage, endsAtDamage: true)
        #expect(summary.damage == all.summary.damage && summary.damage.count == 1)
        #expect(summary.segments.count == 2 && seen.count < all.seen.count)
        #expect(seen == Array(whole.prefix(seen.count)))
    }

    @Test func aTornTailIsNoDamage() throws {
        let fixture = try severalSegments()
        let names = try fixture.storage.list(LogFixture.directory)
        let path = "\(LogFixture.directory)/\(try #require(names.last))"
        let report = try scan(fixture.storage).summary
        let end = try #require(report.segments.last?.endBytes)
        var bytes = fixture.storage.contents(of: path)
        for i in end..<(end + 50) { bytes[i] = 0x7f }
        fixture.storage.replaceContents(of: path, with: bytes)
        let summary = try scan(fixture.storage).summary
        #expect(summary.damage == [] && summary.cut?.offsetBytes == end)
        #expect(try summary.cut == fixture.read().report.cut)
    }

    /// Mutations of a log's bytes: a summary or an error, never a trap, and never more intact
    /// entries than were written.
    @Test func mutatedBytesNeverTrap() throws {
        let fixture = try severalSegments()
        let names = try fixture.storage.list(LogFixture.directory)
        let entries = try fixture.read().entries
        var random = SplitMix64(seed: 12)
        for round in 0..<1500 {
            let path = "\(LogFixture.directory)/\(names[random.below(names.count)])"
            let good = fixture.storage.contents(of: path)
            var bytes = good
            for _ in 0...random.below(6) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.chance(percent: 30) { bytes.removeLast(random.below(bytes.count)) }
            if random.chance(percent: 30) {
                let from = random.below(bytes.count)
                let count = random.below(bytes.count - from)
                let to = random.below(bytes.count - count)
                bytes.replaceSubrange(to..<(to + count), with: bytes[from..<(from + count)])
            }
            fixture.storage.replaceContents(of: path, with: bytes)
            var isForged = false
            let summary = try LogScan.run(LogFixture.directory, storage: fixture.storage) {
                record in
                guard record.isIntact, record.type == .entry else { return true }
                guard let entry = try? Entry.decode(record.data) else { return true }
                isForged = isForged || !entries.contains(entry)
                return true
            }
            #expect(!isForged, "round \(round)")
            #expect(bytes == good || !summary.segments.isEmpty)
            fixture.storage.replaceContents(of: path, with: good)
        }
    }

    @Test func aMissingSegmentIsNamed() throws {
        let fixture = try severalSegments()
        let names = try fixture.storage.list(LogFixture.directory)
        try fixture.storage.remove("\(LogFixture.directory)/\(names[2])")
        let (seen, summary) = try scan(fixture.storage)
        #expect(summary.damage.map(\.code) == [.missingSegment(sequence: 2)])
        #expect(seen.allSatisfy { $0.isIntact } && seen.compactMap(\.index).last == 24)
    }

    /// The record-by-record listing of an independent reader, of real etcd's logs.
    @Test(arguments: EtcdFixtureTests.dirs)
    func readsEtcdsLogs(_ dir: EtcdFixtureTests.Dir) throws {
        let directory = try TemporaryDirectory()
        try Fixture.unpack(dir.name, into: directory)
        let path = "\(directory.path)/\(dir.name)\(dir.member)/member/wal"
        let (seen, summary) = try scan(PosixStorage(), path)
        let expected = try EtcdFixtureTests.Listing.read(dir).segments.map(\.lines.count)
        if dir.name == "v2.3.8-flipped-byte" {
            #expect(summary.damage.count == 1)
            #expect(seen.count(where: { !$0.isIntact }) == 1)
            #expect(seen.count > expected.reduce(0, +))
        } else {
            #expect(summary.segments.map(\.recordCount) == expected)
            #expect(seen.allSatisfy { $0.isIntact } && summary.damage == [])
        }
        #expect((summary.cut != nil) == (dir.name == "v2.3.8-torn-tail"))
    }
}
