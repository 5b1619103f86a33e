import FixtureSupport
import Foundation
import RaftModel
@testable import Storage
import StorageIO
import Synchronization
import Testing

/// What a writer does with its segments, and on a disk that is full or slow.
@Suite struct LogWriterSegmentTests {
    /// A writer, what it said, and a way to feed it.
    final class World<IO: FileStorage>: Sendable {
        let calls = LogWriterTests.Calls()
        private let events = Mutex<[LogEvent]>([])
        private let writerBox = Mutex<LogWriter<IO>?>(nil)
        private let last = Mutex<UInt64>(0)

        init(_ wal: sending WAL<IO>) {
            let writer = LogWriter(
                wal: wal, onDurable: { [calls] in calls.wasDurable($0) },
                onFailure: { [calls] in calls.failed($0) },
                onEvent: { [self] event in events.withLock { $0.append(event) } })
            writerBox.withLock { $0 = writer }
        }

        var writer: LogWriter<IO> {
            writerBox.withLock { writer in
                guard let writer else { preconditionFailure("set in init") }
                return writer
            }
        }

        var said: [LogEvent] { events.withLock { $0 } }
        var durable: UInt64 { calls.durable.last ?? 0 }
        var submitted: UInt64 { last.withLock { $0 } }

        /// Entry i in batch i.
        func submit(bytes: Int = 700) {
            let i = last.withLock { last in
                last += 1
                return last
            }
            writer.submit(
                LogBatch(
                    sequence: i, hardState: HardState(term: 1, vote: MemberID(1), commit: i - 1),
                    entries: LogFixture.entries(i...i, term: 1, bytes: bytes)))
        }

        /// Submits one after the other, each when the last is durable, while `condition` holds;
        /// false if it never ends.
        func submit(while condition: () -> Bool) -> Bool {
            for _ in 0..<10_000 {
                guard condition() else { return true }
                submit()
                let isDone = calls.wait {
                    durable == submitted || !calls.failures.isEmpty || isFull
                }
                guard isDone else { return false }
            }
            return false
        }

        var isFull: Bool { writer.metrics.isOutOfSpace }

        func count(_ matches: (LogEvent) -> Bool) -> Int { said.count { matches($0) } }

        var outOfSpaceCount: Int {
            count { if case .outOfSpace = $0 { true } else { false } }
        }
        var spaceIsBackCount: Int { count { $0 == .spaceIsBack } }

        /// Whether each fullness was said once, and its end before the next one began; and whether
        /// the last of them lasts. A disk at its very edge may be full more than once: a cut
        /// gives back its segment's unused end, and another file may just fit into it.
        func saidFullness(lasts: Bool) -> Bool {
            var isFull = false
            var count = 0
            for event in said {
                switch event {
                case .outOfSpace where isFull, .spaceIsBack where !isFull: return false
                case .outOfSpace:
                    isFull = true
                    count += 1
                case .spaceIsBack: isFull = false
                default: break
                }
            }
            return count > 0 && isFull == lasts
        }
    }

    private func fixture(seed: UInt64 = 1) throws -> LogFixture {
        var fixture = try LogFixture(seed: seed, segmentBytes: 8192)
        fixture.options.segmentFilesMax = 1
        fixture.options.retryAfter = .milliseconds(2)
        return fixture
    }

    private func segmentNames(_ fixture: LogFixture) throws -> [String] {
        try fixture.storage.list(LogFixture.directory).filter { $0.hasSuffix(".wal") }
    }

    // MARK: Releasing

    @Test func releasesAndRecycles() throws {
        let fixture = try fixture()
        let world = World(try fixture.create())
        let writer = world.writer
        #expect(world.submit { writer.metrics.segmentCount < 6 })
        let index = world.durable
        writer.release(through: index)
        #expect(world.calls.wait { writer.metrics.removedCount >= 4 })
        #expect(world.calls.wait { (try? segmentNames(fixture).count) == 1 })
        // What was kept comes back as the next segments.
        #expect(world.submit { writer.metrics.segmentCount < 10 })
        writer.stop()
        let metrics = writer.metrics
        #expect(metrics.recycledCount == 2)
        #expect(world.count { if case .segmentRecycled = $0 { true } else { false } } == 2)
        #expect(
            world.count { if case .segmentRemoved = $0 { true } else { false } }
                == Int(metrics.removedCount))
        #expect(world.said.contains(.segmentRecycled("0000000000000000-0000000000000000.wal")))
        var leftOver = 0
        _ = try LogScan.run(LogFixture.directory, storage: fixture.storage) { record in
            if record.offset == 0, let marker = record.marker, marker.durable > 0 { leftOver += 1 }
            return true
        }
        #expect(leftOver == 2)
        let log = try LogReader.read(
            LogFixture.directory, storage: fixture.storage,
            from: WALSnapshotRecord(index: index, term: 1))
        #expect(log.lastIndex == world.submitted && world.calls.failures == [])
    }

    /// Power fails at some call while a writer releases, recycles and writes on.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func powerFailsInTheMiddle(seed: UInt64) throws {
        let fixture = try fixture(seed: seed)
        var random = SplitMix64(seed: seed)
        let wal = try fixture.create()
        fixture.storage.inject(StorageFault(nth: 20 + random.below(150), .powerFailure))
        let world = World(wal)
        var snapshot = WALSnapshotRecord.none
        for _ in 0..<120 where world.calls.failures.isEmpty {
            world.submit(bytes: random.below(900))
            guard random.chance(percent: 10) else { continue }
            let index = world.durable
            guard index > snapshot.index else { continue }
            snapshot = WALSnapshotRecord(index: index, term: 1)
            world.writer.release(through: index)
        }
        world.writer.stop()
        let durable = world.durable
        fixture.storage.removeFaults()
        fixture.storage.crash()
        let log = try fixture.recover(from: snapshot).log
        #expect(log.lastIndex >= durable, "seed \(seed)")
        let indices = (snapshot.index...log.lastIndex).dropFirst()
        #expect(log.entries.map(\.index) == Array(indices), "seed \(seed)")
    }

    // MARK: A slow disk

    @Test func aSlowSyncIsSaid() throws {
        let fixture = try fixture()
        let wal = try fixture.create()
        let isSlow = Mutex(false)
        fixture.storage.observeCalls(seed: 1) { call, _ in
            guard call.operation == .sync, call.path.hasSuffix(".wal") else { return }
            if isSlow.withLock({ $0 }) { usleep(130_000) }
        }
        let world = World(wal)
        world.submit()
        #expect(world.calls.wait { world.durable == 1 })
        let before = world.writer.metrics.slowSyncCount
        isSlow.withLock { $0 = true }
        world.submit(bytes: 500)
        #expect(world.calls.wait { world.durable == 2 })
        isSlow.withLock { $0 = false }
        world.writer.stop()
        fixture.storage.observeCalls(seed: 1, nil)
        #expect(world.writer.metrics.slowSyncCount >= before + 1)
        let slow = world.said.contains { event in
            guard case .slowSync(let took, let bytes) = event else { return false }
            return took > LogWriterMetrics.slowSync && bytes > 500
        }
        #expect(slow)
    }

    // MARK: A full disk

    /// The disk fills up: said while writes still work; the reserve is used; then what is queued
    /// waits; and when there is space again all of it is saved, without a restart.
    @Test func aFullDiskIsWaitedFor() throws {
        let fixture = try fixture()
        fixture.storage.capacityBytes = 8192 * 5
        let world = World(try fixture.create())
        let writer = world.writer
        #expect(world.submit { !world.isFull })
        #expect(world.calls.failures == [])
        // There was room when it was said: the segment's rest, and the reserve.
        let durable = world.durable
        for _ in 0..<3 { world.submit() }
        #expect(world.calls.wait { world.durable >= durable + 3 })
        for _ in 0..<40 { world.submit() }
        let blocked = world.calls.wait {
            let names = try? fixture.storage.list(LogFixture.directory)
            return names?.contains("reserve.tmp") == false && writer.queuedBytes > 0
                && world.saidFullness(lasts: true)
        }
        #expect(blocked && world.durable < world.submitted && world.isFull)
        #expect(world.calls.failures == [])
        fixture.storage.capacityBytes = nil
        #expect(world.calls.wait { world.durable == world.submitted })
        #expect(world.calls.wait { world.saidFullness(lasts: false) })
        #expect(try fixture.storage.list(LogFixture.directory).contains("reserve.tmp"))
        #expect(!world.isFull)
        writer.stop()
        #expect(world.calls.failures == [])
        #expect(try fixture.read().lastIndex == world.submitted)
        #expect(world.saidFullness(lasts: false))
    }

    /// Space comes from the log itself: a snapshot was made, old segments are released.
    @Test func releasingGivesSpace() throws {
        let fixture = try fixture()
        fixture.storage.capacityBytes = 8192 * 6
        let world = World(try fixture.create())
        #expect(world.submit { !world.isFull })
        let index = world.durable
        for _ in 0..<30 { world.submit() }
        world.writer.release(through: index)
        #expect(world.calls.wait { world.durable == world.submitted })
        world.writer.stop()
        #expect(world.calls.failures == [])
        let log = try LogReader.read(
            LogFixture.directory, storage: fixture.storage,
            from: WALSnapshotRecord(index: index, term: 1))
        #expect(log.lastIndex == world.submitted)
    }

    /// A stop does not wait for space: what was not saved is said to have failed.
    @Test func aStopEndsTheWaiting() throws {
        var fixture = try fixture()
        fixture.options.retryAfter = .seconds(3600)
        fixture.storage.capacityBytes = 8192 * 4
        let world = World(try fixture.create())
        #expect(world.submit { !world.isFull })
        for _ in 0..<60 { world.submit() }
        #expect(
            world.calls.wait {
                (try? fixture.storage.list(LogFixture.directory).contains("reserve.tmp")) == false
            })
        world.writer.stop()
        #expect(world.calls.failures.count == 1)
        guard case .storage(let error)? = world.calls.failures.first?.code else {
            Issue.record("\(world.calls.failures)")
            return
        }
        #expect(error.isOutOfSpace)
        let durable = world.durable
        #expect(durable < world.submitted)
        fixture.storage.crash()
        fixture.storage.capacityBytes = nil
        #expect(try fixture.recover().log.lastIndex >= durable)
    }

    /// A file system that reserves nothing: the write itself fails, half of it done, and is made
    /// again until it works.
    @Test(arguments: [ENOSPC, EDQUOT])
    func aWriteIsMadeAgain(code: Int32) throws {
        let fixture = try fixture()
        let world = World(try fixture.create())
        #expect(world.submit { world.durable < 20 })
        fixture.storage.inject(
            StorageFault(.write, on: ".wal", nth: 2, repeats: true, .fail(code)))
        for _ in 0..<10 { world.submit() }
        #expect(world.calls.wait { world.outOfSpaceCount == 1 })
        #expect(world.calls.failures == [] && world.spaceIsBackCount == 0)
        fixture.storage.removeFaults()
        #expect(world.calls.wait { world.durable == world.submitted })
        #expect(world.calls.wait { world.spaceIsBackCount == 1 })
        world.writer.stop()
        #expect(world.calls.failures == [])
        #expect(
            try fixture.read().entries
                == LogFixture.entries(1...world.submitted, term: 1, bytes: 700))
    }

    /// A directory in which nothing can be made: told once, not tried again at once, and no trouble as
    /// long as there is room in the segment.
    @Test func whatCannotBeMadeAheadIsTriedAgainLater() throws {
        var fixture = try fixture()
        fixture.options.retryAfter = .seconds(3600)
        let wal = try fixture.create()
        fixture.storage.inject(
            StorageFault(.open, on: ".tmp", nth: 1, repeats: true, .fail(EACCES)))
        fixture.storage.trace = []
        let world = World(wal)
        func toldCount() -> Int {
            world.count { if case .segmentNotPrepared = $0 { true } else { false } }
        }
        #expect(world.submit { world.durable < 7 })
        #expect(world.calls.wait { toldCount() == 1 })
        #expect(world.submit { world.durable < 8 })
        world.writer.stop()
        #expect(world.calls.failures == [] && toldCount() == 1)
        // The reserve, and the next segment if it was wanted before that had failed.
        let tries = (fixture.storage.trace ?? []).count {
            $0.operation == .open && $0.path.hasSuffix(".tmp")
        }
        #expect((1...2).contains(tries))
        #expect(try fixture.read().lastIndex == world.submitted)
    }

    /// And then it is made.
    @Test func whatCouldNotBeMadeAheadIsMade() throws {
        let fixture = try fixture()
        let wal = try fixture.create()
        fixture.storage.inject(
            StorageFault(.open, on: ".tmp", nth: 1, repeats: true, .fail(EACCES)))
        let world = World(wal)
        #expect(world.submit { world.durable < 8 })
        fixture.storage.removeFaults()
        // Nothing more is written: it wakes by itself.
        let names = { try? fixture.storage.list(LogFixture.directory) }
        #expect(world.calls.wait { names()?.contains("reserve.tmp") == true })
        #expect(world.calls.wait { names()?.count { $0.hasSuffix(".tmp") } == 2 })
        #expect(world.submit { world.writer.metrics.segmentCount < 3 })
        world.writer.stop()
        #expect(world.calls.failures == [])
    }

    /// A sync is never made again, and a disk that fails is no full one.
    @Test(arguments: [
        (StorageOperation.sync, ENOSPC), (.sync, EIO), (.write, EIO), (.syncDirectory, ENOSPC),
        (.rename, EIO), (.truncate, EIO),
    ])
    func otherErrorsAreFatal(operation: StorageOperation, code: Int32) throws {
        let fixture = try fixture()
        let wal = try fixture.create()
        let part = operation == .syncDirectory || operation == .rename ? "wal" : ".wal"
        fixture.storage.inject(
            StorageFault(operation, on: part, nth: 1, repeats: true, .fail(code)))
        let world = World(wal)
        _ = world.submit { world.calls.failures.isEmpty }
        world.writer.stop()
        guard case .storage(let error)? = world.calls.failures.first?.code else {
            Issue.record("\(world.calls.failures)")
            return
        }
        #expect(error.operation == operation && error.code == code)
        #expect(world.calls.failures.count == 1)
    }

    /// A whole reserve that an earlier run left is taken over; half of one is not.
    @Test func theReserveOutlivesARestart() throws {
        let fixture = try fixture()
        let path = "\(LogFixture.directory)/reserve.tmp"
        let world = World(try fixture.create())
        #expect(world.calls.wait { (try? fixture.storage.kind(of: path)) == .file })
        world.submit()
        world.writer.stop()
        fixture.storage.killProcess()
        fixture.storage.trace = []
        let again = try fixture.recover().wal
        #expect(again.nextReserve() == nil)
        #expect(fixture.storage.trace?.contains { $0.operation == .remove } == false)
        fixture.storage.killProcess()
        fixture.storage.replaceContents(of: path, with: [0, 0])
        let third = try fixture.recover().wal
        #expect(try fixture.storage.kind(of: path) == nil)
        #expect(third.nextReserve() != nil)
    }

    /// Runs of a disk that is full now and then, and loses power: nothing promised is lost.
    @Test(arguments: 0..<80 as Range<UInt64>)
    func fullDisksAndPowerFailures(seed: UInt64) throws {
        let fixture = try fixture(seed: seed)
        var random = SplitMix64(seed: seed)
        let wal = try fixture.create()
        let storage = fixture.storage
        if random.coin() {
            storage.inject(StorageFault(nth: 30 + random.below(200), .powerFailure))
        }
        let world = World(wal)
        for _ in 0..<100 where world.calls.failures.isEmpty {
            switch random.below(12) {
            case 0: storage.capacityBytes = 8192 * (3 + random.below(6))
            case 1: storage.capacityBytes = nil
            default: world.submit(bytes: random.below(1200))
            }
        }
        storage.capacityBytes = nil
        #expect(
            world.calls.wait {
                world.durable == world.submitted || !world.calls.failures.isEmpty
            }, "seed \(seed)")
        world.writer.stop()
        storage.removeFaults()
        storage.crash()
        let log = try fixture.recover().log
        #expect(log.lastIndex >= world.durable, "seed \(seed)")
        #expect(log.entries.map(\.index) == Array((0...log.lastIndex).dropFirst()))
        #expect(world.spaceIsBackCount <= world.outOfSpaceCount)
    }

    // MARK: A real disk that is full

    /// A small file system in memory, mounted as long as this object lives.
    private final class SmallDisk {
        let directory: TemporaryDirectory

        /// Nil where mounting is not permitted.
        init?(bytes: Int) throws {
            directory = try TemporaryDirectory()
            guard Self.run(["mount", "-t", "tmpfs", "-o", "size=\(bytes)", "kvd", directory.path])
            else { return nil }
        }

        deinit { _ = Self.run(["umount", "-l", directory.path]) }

        private static func run(_ words: [String]) -> Bool {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = words
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }

    @Test func aRealFullDisk() throws {
        guard let disk = try SmallDisk(bytes: 4 << 20) else { return }
        let path = disk.directory.path
        var options = WALOptions()
        options.segmentBytes = 256 << 10
        options.retryAfter = .milliseconds(5)
        let storage = PosixStorage()
        try storage.createDirectory("\(path)/wal")
        let world = World(
            try WAL.create(
                in: "\(path)/wal", storage: storage, metadata: LogFixture.ids, options: options))
        world.submit(bytes: 4000)
        #expect(world.calls.wait { (try? storage.kind(of: "\(path)/wal/reserve.tmp")) == .file })
        // Somebody else takes all that is left.
        let other = try storage.open("\(path)/other", for: .creating)
        var size = 0
        while (try? other.write([UInt8](repeating: 1, count: 4096), at: size)) != nil {
            size += 4096
        }
        for _ in 0..<400 { world.submit(bytes: 4000) }
        #expect(
            world.calls.wait {
                (try? storage.kind(of: "\(path)/wal/reserve.tmp")) == .some(nil)
            })
        #expect(world.outOfSpaceCount == 1 && world.calls.failures == [])
        #expect(world.durable < world.submitted)
        try other.truncate(sizeBytes: 0)
        #expect(world.calls.wait { world.durable == world.submitted })
        #expect(world.calls.wait { world.spaceIsBackCount == 1 })
        world.writer.stop()
        #expect(world.calls.failures == [])
        let log = try LogReader.read("\(path)/wal", storage: storage)
        #expect(log.entries == LogFixture.entries(1...world.submitted, term: 1, bytes: 4000))
    }
}
