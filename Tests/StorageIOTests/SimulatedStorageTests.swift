import Glibc
import StorageIO
import Testing

@Suite struct SimulatedStorageTests {
    private func storage(seed: UInt64) throws -> SimulatedStorage {
        let storage = SimulatedStorage(seed: seed)
        try storage.createDirectory("/d")
        try storage.syncDirectory("/")
        return storage
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func whatWasSyncedStays(seed: UInt64) throws {
        let storage = try storage(seed: seed)
        let file = try storage.open("/d/f", for: .creating)
        try file.write([UInt8](repeating: 7, count: 5000), at: 0)
        try file.sync()
        try storage.syncDirectory("/d")
        storage.crash()
        #expect(storage.contents(of: "/d/f") == [UInt8](repeating: 7, count: 5000))
    }

    /// Each sector of an unsynced write is old or new by itself, and all mixtures come up.
    @Test func unsyncedSectorsVanishAlone() throws {
        var seen: Set<[UInt8]> = []
        for seed: UInt64 in 0..<200 {
            let storage = try storage(seed: seed)
            storage.replaceContents(of: "/d/f", with: [UInt8](repeating: 1, count: 1536))
            let file = try storage.open("/d/f", for: .updating)
            try file.write([UInt8](repeating: 2, count: 1536), at: 0)
            storage.crash()
            let bytes = storage.contents(of: "/d/f")
            let sectors = stride(from: 0, to: 1536, by: 512).map { bytes[$0] }
            for (i, value) in sectors.enumerated() {
                #expect(bytes[(i * 512)..<(i * 512 + 512)].allSatisfy { $0 == value })
            }
            seen.insert(sectors)
        }
        #expect(seen.count == 8)
    }

    @Test func namesAreNotDurableBeforeTheirDirectory() throws {
        var created: Set<Bool> = []
        var removed: Set<Bool> = []
        var renamed: Set<[String]> = []
        for seed: UInt64 in 0..<100 {
            let storage = try storage(seed: seed)
            storage.replaceContents(of: "/d/old", with: [1])
            storage.replaceContents(of: "/d/tmp", with: [2])
            _ = try storage.open("/d/new", for: .creating)
            try storage.remove("/d/old")
            try storage.rename("/d/tmp", to: "/d/final")
            storage.crash()
            let names = try storage.list("/d")
            created.insert(names.contains("new"))
            removed.insert(names.contains("old"))
            renamed.insert(names.filter { ["tmp", "final"].contains($0) })
        }
        #expect(created == [true, false])
        #expect(removed == [true, false])
        #expect(renamed == [["tmp"], ["final"]])
    }

    @Test func killedProcessLosesNothingButItsFiles() throws {
        let storage = try storage(seed: 3)
        let file = try storage.open("/d/f", for: .creating)
        try file.write([1, 2, 3], at: 0)
        let lock = try storage.lock("/d/LOCK")
        let mapped = try storage.open("/d/m", for: .creating)
        try mapped.truncate(sizeBytes: 100)
        try mapped.map(sizeBytes: 100).bytes[99] = 9
        let boot = try storage.bootID()
        #expect(throws: StorageError.self) { try storage.lock("/d/LOCK") }
        storage.killProcess()
        #expect(storage.contents(of: "/d/f") == [1, 2, 3])
        #expect(storage.contents(of: "/d/m")[99] == 9)
        #expect(throws: StorageError(.write, "/d/f", code: EBADF)) { try file.write([1], at: 0) }
        #expect(try storage.bootID() == boot)
        withExtendedLifetime(lock) {}
        #expect(throws: Never.self) { _ = try storage.lock("/d/LOCK") }
        storage.crash()
        #expect(try storage.bootID() != boot)
    }

    @Test func faultsHitTheCallTheyName() throws {
        let storage = try storage(seed: 4)
        let file = try storage.open("/d/a.wal", for: .creating)
        let other = try storage.open("/d/b", for: .creating)
        storage.inject(StorageFault(.sync, on: ".wal", nth: 2, .fail(EIO)))
        try file.sync()
        try other.sync()
        try other.sync()
        #expect(throws: StorageError(.sync, "/d/a.wal", code: EIO)) { try file.sync() }
        try file.sync()
        storage.inject(StorageFault(.write, nth: 1, repeats: true, .fail(ENOSPC)))
        for _ in 0..<3 {
            #expect(throws: StorageError(.write, "/d/b", code: ENOSPC)) {
                try other.write([1], at: 0)
            }
        }
        storage.removeFaults()
        try other.write([1], at: 0)
    }

    /// The page cache drops what it could not write: a second sync says all is well, and lies.
    @Test func failedSyncLosesForGood() throws {
        var lost = 0
        for seed: UInt64 in 0..<50 {
            let storage = try storage(seed: seed)
            storage.replaceContents(of: "/d/f", with: [0])
            let file = try storage.open("/d/f", for: .updating)
            try file.write([1], at: 0)
            storage.inject(StorageFault(.sync, .fail(EIO)))
            #expect(throws: StorageError.self) { try file.sync() }
            try file.sync()
            #expect(try file.readAll() == [1])
            storage.crash()
            if storage.contents(of: "/d/f") == [0] { lost += 1 }
        }
        #expect((10...40).contains(lost))
    }

    @Test func powerFailsInsideACall() throws {
        for call in 1...6 {
            let storage = try storage(seed: UInt64(call))
            storage.inject(StorageFault(nth: call, .powerFailure))
            let work = {
                let file = try storage.open("/d/f", for: .creating)
                try file.write([1, 2], at: 0)
                try file.sync()
                try storage.syncDirectory("/d")
                _ = try storage.list("/d")
                try storage.remove("/d/f")
            }
            #expect(throws: StorageError.self) { try work() }
            #expect(throws: StorageError.self) { try storage.list("/d") }
            storage.crash()
            let names = try storage.list("/d")
            if call == 5 { #expect(names == ["f"]) }
            if names == ["f"], call >= 5 { #expect(storage.contents(of: "/d/f") == [1, 2]) }
        }
    }

    @Test func fullDisk() throws {
        let storage = try storage(seed: 5)
        storage.capacityBytes = 1000
        let file = try storage.open("/d/f", for: .creating)
        try file.preallocate(sizeBytes: 900)
        #expect(throws: StorageError(.write, "/d/f", code: ENOSPC)) {
            try file.write([UInt8](repeating: 1, count: 200), at: 850)
        }
        try file.write([UInt8](repeating: 1, count: 100), at: 800)
        #expect(throws: StorageError(.preallocate, "/d/f", code: ENOSPC)) {
            try file.preallocate(sizeBytes: 1001)
        }
    }

    /// One seed twice: the same calls, the same survivors.
    @Test func isDeterministic() throws {
        func run() throws -> ([StorageCall]?, [UInt8], [String]) {
            let storage = try storage(seed: 77)
            storage.trace = []
            let file = try storage.open("/d/f", for: .creating)
            for i in 0..<20 {
                try file.write([UInt8](repeating: UInt8(i), count: 700), at: i * 400)
                if i % 7 == 0 { try file.sync() }
                if i == 3 { try storage.syncDirectory("/d") }
                _ = try storage.open("/d/\(i)", for: .creating)
            }
            storage.crash()
            return (storage.trace, storage.contents(of: "/d/f"), try storage.list("/d"))
        }
        let (a, b) = (try run(), try run())
        #expect(a == b)
    }

    @Test func splitMixIsThePublishedSequence() {
        var random = SplitMix64(seed: 1_234_567)
        #expect(
            (0..<5).map { _ in random.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }
}
