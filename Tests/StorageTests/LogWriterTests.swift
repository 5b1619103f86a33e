import FixtureSupport
import Foundation
import RaftModel
@testable import Storage
import StorageIO
import Synchronization
import Testing

@Suite struct LogWriterTests {
    /// What the writer called, and a way to wait for it.
    final class Calls: Sendable {
        private let state = Mutex((durable: [UInt64](), failures: [WALError]()))

        var durable: [UInt64] { state.withLock { $0.durable } }
        var failures: [WALError] { state.withLock { $0.failures } }

        func wasDurable(_ sequence: UInt64) { state.withLock { $0.durable.append(sequence) } }
        func failed(_ error: WALError) { state.withLock { $0.failures.append(error) } }

        /// Waits until `condition` holds; false if it never does.
        func wait(until condition: () -> Bool) -> Bool {
            let deadline = ContinuousClock.now + .seconds(60)
            while !condition() {
                guard ContinuousClock.now < deadline else { return false }
                usleep(200)
            }
            return true
        }
    }

    private func writer<IO: FileStorage>(
        _ wal: sending WAL<IO>, _ calls: Calls
    ) -> LogWriter<IO> {
        LogWriter(wal: wal, onDurable: calls.wasDurable, onFailure: calls.failed)
    }

    private func batch(_ i: UInt64, bytes: Int = 20) -> LogBatch {
        LogBatch(
            sequence: i, hardState: HardState(term: 1, vote: MemberID(1), commit: i - 1),
            entries: LogFixture.entries(i...i, term: 1, bytes: bytes))
    }

    @Test func savesInOrderAndStopsClean() throws {
        let fixture = try LogFixture()
        let calls = Calls()
        let writer = writer(try fixture.create(), calls)
        // In two halves, since one group is one batch, and a batch is never cut.
        for i in 1...100 as ClosedRange<UInt64> { writer.submit(batch(i)) }
        #expect(calls.wait(until: { calls.durable.last == 100 }))
        for i in 101...200 as ClosedRange<UInt64> { writer.submit(batch(i)) }
        writer.stop()
        #expect(calls.durable.last == 200)
        #expect(calls.durable == calls.durable.sorted())
        #expect(calls.failures == [])
        #expect(writer.queuedBytes == 0)
        fixture.storage.crash(keeping: .nothing)
        let log = try fixture.read()
        #expect(log.entries == LogFixture.entries(1...200, term: 1, bytes: 20))
        #expect(log.hardState.commit == 199)
        #expect(log.report.endsWithMarker)
        let metrics = writer.metrics
        #expect(metrics.batchCount == 200 && metrics.entryCount == 200)
        #expect(metrics.groupCount == UInt64(calls.durable.count))
        #expect(metrics.syncCount == metrics.groupCount)
        #expect(metrics.syncsByDuration.reduce(0, +) == metrics.syncCount)
        #expect(metrics.segmentCount > 0)
    }

    /// What was reported durable is there after a power loss at that very moment.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func reportsNothingTooEarly(seed: UInt64) throws {
        let fixture = try LogFixture(seed: seed)
        let calls = Calls()
        var random = SplitMix64(seed: seed)
        let nth = 5 + random.below(40)
        let wal = try fixture.create()
        fixture.storage.inject(StorageFault(nth: nth, .powerFailure))
        let writer = writer(wal, calls)
        for i in 1...300 as ClosedRange<UInt64> {
            writer.submit(batch(i, bytes: random.below(300)))
        }
        writer.stop()
        fixture.storage.removeFaults()
        fixture.storage.crash()
        let log = try fixture.recover().log
        #expect(log.lastIndex >= calls.durable.last ?? 0)
        #expect(
            log.entries.map(\.index)
                == Array(1...max(1, log.lastIndex)).filter { _ in
                    log.lastIndex > 0
                })
    }

    @Test func failureIsSaidOnceAndForAll() throws {
        var fixture = try LogFixture()
        fixture.options.keepsReserve = false
        let calls = Calls()
        let wal = try fixture.create()
        fixture.storage.inject(StorageFault(.sync, .fail(EIO)))
        let writer = writer(wal, calls)
        for i in 1...50 as ClosedRange<UInt64> { writer.submit(batch(i)) }
        #expect(calls.wait { !calls.failures.isEmpty })
        let syncs = fixture.storage.callCount
        for i in 51...60 as ClosedRange<UInt64> { writer.submit(batch(i)) }
        writer.stop()
        #expect(calls.failures.count == 1)
        #expect(calls.durable == [])
        #expect(writer.queuedBytes == 0)
        #expect(fixture.storage.callCount == syncs)
        guard case .storage(let error)? = calls.failures.first?.code else {
            Issue.record("\(calls.failures)")
            return
        }
        #expect(error.operation == .sync && error.code == EIO)
    }

    @Test func unsyncedBatchesCostNoSync() throws {
        let fixture = try LogFixture()
        let calls = Calls()
        let writer = writer(try fixture.create(), calls)
        writer.submit(batch(1))
        #expect(calls.wait { calls.durable.last == 1 })
        let state = HardState(term: 1, vote: MemberID(1), commit: 1)
        writer.submit(LogBatch(sequence: 2, hardState: state, needsSync: false))
        #expect(calls.wait { calls.durable.last == 2 })
        #expect(writer.metrics.syncCount == 1)
        writer.stop()
        #expect(try fixture.read().hardState == state)
    }

    /// Nobody says so; the writer marks what it synced when nothing more comes.
    @Test func marksWhenIdle() throws {
        let fixture = try LogFixture()
        let calls = Calls()
        let writer = writer(try fixture.create(), calls)
        writer.submit(batch(1))
        #expect(calls.wait { (try? fixture.read().report.endsWithMarker) == true })
        let count = fixture.storage.callCount
        writer.stop()
        #expect(fixture.storage.callCount > count)
    }

    @Test func snapshotsAreNamed() throws {
        let fixture = try LogFixture()
        let calls = Calls()
        let writer = writer(try fixture.create(), calls)
        for i in 1...5 as ClosedRange<UInt64> { writer.submit(batch(i)) }
        writer.submit(LogBatch(sequence: 6, snapshot: WALSnapshotRecord(index: 4, term: 1)))
        writer.stop()
        let log = try LogReader.read(
            LogFixture.directory, storage: fixture.storage,
            from: WALSnapshotRecord(index: 4, term: 1))
        #expect(log.entries.map(\.index) == [5])
    }

    /// Real files, several submitters taking turns, many segments made ahead.
    @Test func manyThreadsOnARealDisk() throws {
        let directory = try TemporaryDirectory()
        var options = WALOptions()
        options.segmentBytes = 1 << 18
        let calls = Calls()
        let wal = try WAL.create(
            in: directory.path, storage: PosixStorage(), metadata: LogFixture.ids,
            options: options)
        let writer = writer(wal, calls)
        let next = Mutex<UInt64>(1)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<2500 {
                next.withLock { i in
                    writer.submit(self.batch(i, bytes: 100))
                    i += 1
                }
            }
        }
        writer.stop()
        #expect(calls.durable.last == 10_000)
        #expect(calls.failures == [])
        let metrics = writer.metrics
        #expect(metrics.entryCount == 10_000 && metrics.segmentCount >= 4)
        #expect(metrics.syncCount < 10_000)
        #expect(metrics.slowestSync >= metrics.lastSync)
        let log = try LogReader.read(directory.path, storage: PosixStorage())
        #expect(log.entries.map(\.index) == Array(1...10_000))
        let names = try PosixStorage().list(directory.path)
        #expect(names.allSatisfy { $0.hasSuffix(".wal") || $0.hasSuffix(".tmp") })
    }

    /// A segment that cannot be made ahead is no failure while there is another way.
    @Test func preparationMayFail() throws {
        let fixture = try LogFixture(segmentBytes: 8192)
        let calls = Calls()
        let wal = try fixture.create()
        fixture.storage.inject(
            StorageFault(.preallocate, on: "0000000000000001.tmp", .fail(ENOSPC)))
        fixture.storage.inject(StorageFault(.write, on: "0000000000000002.tmp", .fail(EIO)))
        let writer = writer(wal, calls)
        for i in 1...100 as ClosedRange<UInt64> {
            writer.submit(batch(i, bytes: 400))
            #expect(calls.wait { calls.durable.last == i || !calls.failures.isEmpty })
        }
        writer.stop()
        // It may have been the cut itself that met the second fault: then the failure says so.
        let last = calls.durable.last ?? 0
        #expect(last == 100 || calls.failures.count == 1)
        #expect(last > 8)
        fixture.storage.crash()
        #expect(try fixture.read().lastIndex >= last)
    }
}
