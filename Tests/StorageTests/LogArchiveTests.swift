import FixtureSupport
import Foundation
import RaftModel
@testable import Storage
import StorageIO
import Testing

@Suite struct LogArchiveTests {
    typealias World = LogWriterSegmentTests.World<SimulatedStorage>

    static let directory = "/a/archive"

    private func fixture(seed: UInt64 = 1) throws -> LogFixture {
        var fixture = try LogFixture(seed: seed, segmentBytes: 8192)
        fixture.options.segmentFilesMax = 1
        fixture.options.archiveDirectory = Self.directory
        fixture.options.archiveRetryAfter = .milliseconds(2)
        return fixture
    }

    private func archive(_ fixture: LogFixture) -> LogArchive<SimulatedStorage> {
        LogArchive(Self.directory, storage: fixture.storage)
    }

    private func whole(_ fixture: LogFixture) throws -> RecoveredLog {
        let storage = ArchivedLog(
            LogFixture.directory, archive: Self.directory, storage: fixture.storage)
        return try LogReader.read(LogFixture.directory, storage: storage)
    }

    /// All that was ever saved can be read, though the log itself has only its end.
    @Test func archiveAndLogAreTheWholeLog() throws {
        let fixture = try fixture()
        let world = World(try fixture.create())
        let writer = world.writer
        #expect(world.submit { writer.metrics.segmentCount < 9 })
        writer.release(through: world.durable)
        #expect(
            world.calls.wait { writer.metrics.removedCount + writer.metrics.recycledCount == 9 })
        #expect(world.submit { writer.metrics.segmentCount < 12 })
        #expect(world.calls.wait { writer.metrics.archivedCount == 12 })
        writer.stop()
        #expect(world.calls.failures == [])
        #expect(throws: WALError.self) { try fixture.read() }
        #expect(try archive(fixture).segments().map(\.sequence) == Array(0..<12))
        let log = try whole(fixture)
        #expect(
            log.entries == LogFixture.entries(1...world.submitted, term: 1, bytes: 700))
        #expect(log.report.segmentCount == 13 && log.report.cut == nil)
        var count = 0
        let summary = try LogScan.run(
            LogFixture.directory,
            storage: ArchivedLog(
                LogFixture.directory, archive: Self.directory, storage: fixture.storage)
        ) { record in
            count += 1
            return record.isIntact
        }
        #expect(summary.damage == [] && count == log.report.recordCount)
        let events = world.count { if case .segmentArchived = $0 { true } else { false } }
        #expect(events == 12)
    }

    /// The archive alone does, up to its end.
    @Test func theArchiveAloneIsALog() throws {
        let fixture = try fixture()
        let world = World(try fixture.create())
        #expect(world.submit { world.writer.metrics.segmentCount < 4 })
        #expect(world.calls.wait { world.writer.metrics.archivedCount == 4 })
        world.writer.stop()
        let storage = ArchivedLog("/gone", archive: Self.directory, storage: fixture.storage)
        let log = try LogReader.read("/gone", storage: storage)
        #expect(log.report.segmentCount == 4)
        #expect(
            log.entries == LogFixture.entries(1...log.lastIndex, term: 1, bytes: 700))
    }

    /// Nothing that is not archived is released, whenever power fails.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func powerFailsAtAnyCall(seed: UInt64) throws {
        let fixture = try fixture(seed: seed)
        var random = SplitMix64(seed: seed)
        let wal = try fixture.create()
        fixture.storage.inject(StorageFault(nth: 20 + random.below(250), .powerFailure))
        let world = World(wal)
        for i in 0..<120 where world.calls.failures.isEmpty {
            world.submit(bytes: random.below(900))
            if i % 10 == 9 { world.writer.release(through: world.durable) }
        }
        world.writer.stop()
        let durable = world.durable
        fixture.storage.removeFaults()
        fixture.storage.crash()
        let log = try whole(fixture)
        #expect(log.lastIndex >= durable, "seed \(seed)")
        #expect(log.entries.map(\.index) == Array((0...log.lastIndex).dropFirst()))
        // The next life archives on, whatever half of one lies there.
        let base = try #require(
            try fixture.storage.list(LogFixture.directory).compactMap(WALSegmentName.init).first)
        let term = base.firstIndex == 0 ? 0 : 1 as UInt64
        let again = try fixture.recover(
            from: WALSnapshotRecord(index: base.firstIndex, term: term)
        ).wal
        while let job = again.nextArchiving() {
            let result = job.run()
            #expect((try? result.get()) != nil, "seed \(seed)")
            again.archived(result, by: job)
        }
        #expect(try whole(fixture).lastIndex == log.lastIndex)
    }

    private func closedLog(_ fixture: LogFixture) throws -> WAL<SimulatedStorage> {
        let wal = try fixture.create()
        while wal.segment.sequence < 20 {
            let index = wal.lastIndex + 1
            try wal.append(
                hardState: nil, entries: LogFixture.entries(index...index, term: 1, bytes: 900))
            try wal.sync()
        }
        return wal
    }

    @Test func whatIsThereIsLeftAlone() throws {
        let fixture = try fixture()
        let wal = try closedLog(fixture)
        let archive = archive(fixture)
        let size = try archive.store(wal.closed[0], from: LogFixture.directory)
        let path = archive.path(of: wal.closed[0])
        fixture.storage.trace = []
        #expect(try archive.store(wal.closed[0], from: LogFixture.directory) == size)
        let calls = Set(fixture.storage.trace?.map(\.operation) ?? [])
        #expect(calls.isDisjoint(with: [.write, .rename, .remove, .truncate]))
        // Half of one is made anew.
        let good = fixture.storage.contents(of: path)
        for broken in [Array(good.dropLast(3)), good + [1], [], good.map { $0 ^ 1 }] {
            fixture.storage.replaceContents(of: path, with: broken)
            #expect(try archive.store(wal.closed[0], from: LogFixture.directory) == size)
            #expect(fixture.storage.contents(of: path) == good)
        }
        // Another log's is not touched.
        let other = try archive.store(wal.closed[1], from: LogFixture.directory)
        #expect(other > 0)
        let foreign = fixture.storage.contents(of: archive.path(of: wal.closed[1]))
        fixture.storage.replaceContents(of: path, with: foreign)
        let error = #expect(throws: ArchiveError.self) {
            try archive.store(wal.closed[0], from: LogFixture.directory)
        }
        #expect(error?.code == .anotherLogs && error?.description.contains(path) == true)
        #expect(fixture.storage.contents(of: path) == foreign)
    }

    /// What the archive does not take is kept, but not for ever.
    @Test func unarchivedSegmentsAreKept() throws {
        let fixture = try fixture()
        let wal = try closedLog(fixture)
        wal.release(through: wal.lastIndex)
        fixture.storage.inject(StorageFault(.write, on: "/a/", repeats: true, .fail(ENOSPC)))
        let job = try #require(wal.nextArchiving())
        let result = job.run()
        wal.archived(result, by: job)
        guard case .failure(let error) = result else {
            Issue.record("archived on a full disk")
            return
        }
        #expect(
            error.code
                == .storage(
                    StorageError(
                        .write, "\(archive(fixture).path(of: job.segment)).tmp", code: ENOSPC)))
        if let release = wal.nextRelease() { wal.released(release.run()) }
        #expect(wal.closed.count == 16 && wal.closed.first?.sequence == 4)
        // Nothing half-made takes up space.
        #expect(try fixture.storage.list(Self.directory) == [])
        fixture.storage.removeFaults()
        while let job = wal.nextArchiving() { wal.archived(job.run(), by: job) }
        if let release = wal.nextRelease() { wal.released(release.run()) }
        #expect(wal.closed == [])
        #expect(try archive(fixture).segments().map(\.sequence) == Array(4..<20))
    }

    /// The writer says so, goes on, and tries again.
    @Test func aFailureIsSaidAndTriedAgain() throws {
        let fixture = try fixture()
        let wal = try fixture.create()
        fixture.storage.inject(StorageFault(.open, on: "/a/", repeats: true, .fail(EACCES)))
        let world = World(wal)
        #expect(world.submit { world.writer.metrics.archiveFailureCount < 3 })
        world.writer.release(through: world.durable)
        #expect(world.submit { world.writer.metrics.archiveFailureCount < 6 })
        let denied = world.said.contains { event in
            guard case .archiveFailed(let text) = event else { return false }
            return text.contains("/a/archive/0000000000000000-0000000000000000.wal.lz4.tmp")
                && text.contains("EACCES")
        }
        #expect(denied && world.calls.failures == [])
        fixture.storage.removeFaults()
        #expect(
            world.calls.wait {
                world.writer.metrics.archivedCount == world.writer.metrics.segmentCount
            })
        world.writer.stop()
        #expect(world.calls.failures == [])
        #expect(try whole(fixture).lastIndex >= world.durable)
    }

    /// Given up: said of each segment that went without.
    @Test func whatIsGivenUpIsSaid() throws {
        let fixture = try fixture()
        let wal = try fixture.create()
        fixture.storage.inject(StorageFault(.open, on: "/a/", repeats: true, .fail(EACCES)))
        let world = World(wal)
        #expect(world.submit { world.writer.metrics.segmentCount < 20 })
        world.writer.release(through: world.durable)
        let givenUp = {
            world.count { event in
                guard case .archiveFailed(let text) = event else { return false }
                return text.contains("was released and is not in /a/archive")
            }
        }
        #expect(world.calls.wait { givenUp() == 4 })
        world.writer.stop()
        #expect(givenUp() == 4)
    }

    /// A bit turned over in an archived segment is never taken for data.
    @Test func damageIsSeen() throws {
        let fixture = try fixture()
        let wal = try closedLog(fixture)
        let archive = archive(fixture)
        for segment in wal.closed { _ = try archive.store(segment, from: LogFixture.directory) }
        let path = archive.path(of: wal.closed[3])
        for segment in wal.closed {
            try fixture.storage.remove("\(LogFixture.directory)/\(segment)")
        }
        let good = fixture.storage.contents(of: path)
        let log = try whole(fixture)
        for byte in stride(from: 0, to: good.count, by: 3) {
            fixture.storage.flipBit(byte % 8, ofByte: byte, in: path)
            if let read = try? whole(fixture) { #expect(read.entries == log.entries) }
            fixture.storage.replaceContents(of: path, with: good)
        }
        fixture.storage.flipBit(1, ofByte: good.count / 2, in: path)
        let error = #expect(throws: WALError.self) { try whole(fixture) }
        #expect(error?.description.contains(path) == true)
        // What helps: not what helps when the disk fails.
        #expect(error?.description.contains("lz4 -t") == true)
        #expect(error?.description.contains("restart kvd") == false)
    }

    /// The tool that everybody has opens it, and gives the segment's bytes.
    @Test func lz4OpensIt() throws {
        let tool = "/usr/bin/lz4"
        guard FileManager.default.isExecutableFile(atPath: tool) else { return }
        let directory = try TemporaryDirectory()
        let storage = PosixStorage()
        try storage.createDirectory("\(directory.path)/wal")
        var options = WALOptions()
        options.segmentBytes = 1 << 20
        let wal = try WAL.create(
            in: "\(directory.path)/wal", storage: storage, metadata: LogFixture.ids,
            options: options)
        while wal.segment.sequence < 1 {
            let index = wal.lastIndex + 1
            try wal.append(
                hardState: nil, entries: LogFixture.entries(index...index, term: 1, bytes: 9000))
            try wal.write()
        }
        let archive = LogArchive("\(directory.path)/deep/er", storage: storage)
        let size = try archive.store(wal.closed[0], from: "\(directory.path)/wal")
        let path = archive.path(of: wal.closed[0])
        let process = Process()
        process.executableURL = URL(filePath: tool)
        process.arguments = ["-d", "-q", path, "\(directory.path)/out"]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let out = try storage.open("\(directory.path)/out", for: .reading).readAll()
        let segment = try storage.open(
            "\(directory.path)/wal/\(wal.closed[0])", for: .reading
        ).readAll()
        #expect(out == segment)
        #expect(size < segment.count / 4)
    }
}
