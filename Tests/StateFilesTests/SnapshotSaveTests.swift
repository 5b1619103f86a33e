import Cluster
import KeyStore
import RaftModel
import State
import StateFiles
import Storage
import StorageIO
import Testing

@Suite struct SnapshotSaveTests {
    private let storage = SimulatedStorage(seed: 1)
    private let image: StateImage

    /// Some twenty pieces.
    init() throws {
        let state = MemberState()
        for i in 0..<8000 {
            let request = Request(
                method: .put, path: Array("/1/\(i % 100)/\(i)".utf8),
                value: [UInt8](repeating: UInt8(truncatingIfNeeded: i), count: 500))
            _ = state.apply(
                Entry(term: 1, index: UInt64(i + 1), data: request.encoded()), monotonic: 0,
                wall: 0)
        }
        image = state.image()
        try storage.createDirectory("/snap")
    }

    private func save() throws -> SnapshotSave<SimulatedStorage> {
        try SnapshotSave(
            image,
            SnapshotHeader(image, member: MemberID(1), cluster: ClusterID(1), createdAt: 0),
            in: SnapshotDirectory("/snap", storage: storage), pace: .unlimited)
    }

    /// Whoever made which of its pieces, it is the same file.
    @Test func aFileIsTheSameWhoeverWroteIt() throws {
        let alone = try save().run()
        #expect(alone.idlePieceCount == 0 && alone.pieceCount > 10)
        let expected = storage.contents(of: alone.file.path)

        let idle = SerialWorker(named: "idle", .idle)
        defer { idle.stop() }
        let helped = try save().run(firstOn: idle, upTo: .seconds(600))
        #expect(helped.idlePieceCount == helped.pieceCount)
        #expect(helped.pieceCount == alone.pieceCount)
        #expect(storage.contents(of: helped.file.path) == expected)

        // Handed over somewhere on the way.
        var limit = Duration.microseconds(50)
        var both: SnapshotSave<SimulatedStorage>.Outcome?
        for _ in 0..<100 where both == nil {
            let outcome = try save().run(firstOn: idle, upTo: limit)
            #expect(outcome.pieceCount == alone.pieceCount)
            #expect(storage.contents(of: outcome.file.path) == expected)
            let isBoth = outcome.idlePieceCount > 0 && outcome.idlePieceCount < outcome.pieceCount
            both = isBoth ? outcome : nil
            limit = outcome.idlePieceCount == 0 ? limit * 1.3 : limit / 1.2
        }
        #expect(both != nil)
    }

    /// The idle thread may not come to it at all.
    @Test func aThreadThatIsHeldUpHoldsNobodyUp() throws {
        let idle = SerialWorker(named: "idle", .idle)
        let gate = SleepingLock(false)
        idle.submit { gate.wait(upTo: .seconds(600), orElse: ()) { $0 ? () : nil } }
        let outcome = try save().run(firstOn: idle, upTo: .milliseconds(1))
        #expect(outcome.idlePieceCount == 0 && outcome.pieceCount > 10)
        // It comes late, and finds nothing to do.
        gate.withLockAndWake { $0 = true }
        idle.stop()
        #expect(storage.contents(of: outcome.file.path).count == outcome.file.fileBytes)
    }

    @Test func aFailureOnTheIdleThreadIsTheCallers() throws {
        let idle = SerialWorker(named: "idle", .idle)
        defer { idle.stop() }
        let saving = try save()
        storage.inject(StorageFault(nth: 1, .fail(28)))
        #expect(throws: SnapshotError.self) {
            try saving.run(firstOn: idle, upTo: .seconds(600))
        }
        storage.removeFaults()
        #expect(try storage.list("/snap") == [])
    }
}
