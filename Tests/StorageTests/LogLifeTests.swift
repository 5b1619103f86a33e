import Foundation
import RaftModel
@testable import Storage
import StorageIO
import Synchronization
import Testing

/// Thousands of operations with cuts, snapshots, releases, recycled segments, an archive and full
/// disks; power fails, or the process dies, before every single call to the disk.
///
/// `KVD_LIFE_STRIDE=1 swift test --filter LogLifeTests` tries every call of every seed (about a
/// minute in a debug build); without, the first calls of each life, and one in a few of the
/// rest.
@Suite struct LogLifeTests {
    static let stride = Int(ProcessInfo.processInfo.environment["KVD_LIFE_STRIDE"] ?? "") ?? 13

    private struct Tally {
        var calls = 0
        var crashes = 0
        var failures = 0
    }

    /// What a restart from a broken copy of the disk says; nil: it is as it must be.
    private static func judge(
        _ copy: SimulatedStorage, _ model: LogLifeModel, _ options: WALOptions, isKilled: Bool,
        looksIntoArchive: Bool
    ) -> String? {
        if isKilled { copy.killProcess() } else { copy.crash() }
        do {
            // The older snapshot must do as well, should the newest be damaged.
            let old = try LogReader.read(
                LogFixture.directory, storage: copy, from: model.oldest)
            guard model.permits(old, from: model.oldest, afterKill: isKilled) else {
                return "from the older snapshot: \(old.content)"
            }
            // Also what nobody needs any more is whole, as long as it is there.
            let scan = try LogScan.run(LogFixture.directory, storage: copy) { _ in true }
            guard scan.damage.isEmpty else { return "\(scan.damage)" }
            if looksIntoArchive, let trouble = try judgeArchive(copy, options) { return trouble }
            let (wal, log) = try WAL.recover(
                in: LogFixture.directory, storage: copy, from: model.newest,
                expecting: LogFixture.ids, options: options)
            guard model.permits(log, from: model.newest, afterKill: isKilled) else {
                return "\(log.content)"
            }
            guard !isKilled || log.report.cut == nil else { return "\(log.report)" }
            copy.capacityBytes = nil
            // It goes on, and nothing comes back to life behind what it writes.
            let next = LogFixture.entries(log.lastIndex + 1...log.lastIndex + 1, term: 1 << 20)
            try wal.append(hardState: nil, entries: next)
            try wal.sync()
            let again = try LogReader.read(
                LogFixture.directory, storage: copy, from: model.newest)
            guard again.entries == log.entries + next, again.report.cut == nil else {
                return "after one more: \(again.content) \(again.report)"
            }
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Log and archive together lack nothing, whatever was released.
    private static func judgeArchive(
        _ copy: SimulatedStorage, _ options: WALOptions
    ) throws -> String? {
        guard let archive = options.archiveDirectory else { return nil }
        let storage = ArchivedLog(LogFixture.directory, archive: archive, storage: copy)
        let scan = try LogScan.run(LogFixture.directory, storage: storage) { _ in true }
        guard scan.segments.first?.name.sequence == 0 else { return "the archive's begin is gone" }
        return scan.damage.isEmpty ? nil : "with the archive: \(scan.damage)"
    }

    private func live(seed: UInt64, lives: Int, steps: Int) throws {
        var fixture = try LogFixture(seed: seed, segmentBytes: 4096)
        fixture.options.segmentFilesMax = 1
        fixture.options.archiveDirectory = seed % 2 == 1 ? "/a/archive" : nil
        let options = fixture.options
        let model = LogLifeModel(seed: seed)
        model.crampedStorage = seed % 3 == 2 ? fixture.storage : nil
        let tally = Mutex(Tally())
        var wal: LogLifeModel.Log? = try fixture.create()
        for life in 0..<lives {
            fixture.storage.observeCalls(seed: seed) { call, copy in
                tally.withLock { tally in
                    tally.calls += 1
                    guard tally.calls % Self.stride == 0 || tally.calls < 300 else { return }
                    tally.crashes += 1
                    let trouble = Self.judge(
                        copy, model, options, isKilled: tally.crashes % 4 == 0,
                        looksIntoArchive: tally.crashes % 16 == 1)
                    guard let trouble else { return }
                    tally.failures += 1
                    guard tally.failures <= 3 else { return }
                    Issue.record("seed \(seed), life \(life), before \(call): \(trouble)")
                }
            }
            try wal.map { try model.work(on: $0, steps: steps) }
            fixture.storage.observeCalls(seed: seed, nil)
            wal = nil
            if life % 2 == 0 { fixture.storage.crash() } else { fixture.storage.killProcess() }
            let (again, log) = try fixture.recover(from: model.newest)
            #expect(model.permits(log, from: model.newest), "seed \(seed), life \(life)")
            model.restart(with: log)
            wal = again
            if model.base > 0 { again.release(through: model.base) }
        }
        // Else it would prove little.
        let crashes = tally.withLock { $0.crashes }
        #expect(crashes > steps && model.operationCount == lives * steps)
        #expect(model.recycledCount > lives * steps / 100, "seed \(seed)")
        #expect((model.waitCount > 0) == (seed % 3 == 2), "seed \(seed)")
        #expect(model.removedCount > 0, "seed \(seed)")
        #expect(try fixture.storage.list(LogFixture.directory).count < 20)
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func anyMomentOfALongLife(seed: UInt64) throws {
        try live(seed: seed, lives: 4, steps: 150)
    }
}
