import KeyStore
import RaftModel
import State
import Storage
import StorageIO
import Testing

@testable import StateFiles

@Suite struct SnapshotReadBackTests {
    private let storage = SimulatedStorage(seed: 1)
    private let directory: SnapshotDirectory<SimulatedStorage>

    init() throws {
        directory = SnapshotDirectory("/snap", storage: storage)
        try storage.createDirectory("/snap")
    }

    private func image(_ lastValue: String) -> StateImage {
        let state = MemberState()
        for i in 1...3000 as ClosedRange<UInt64> {
            let value = i == 3000 ? lastValue : String(repeating: "\(i)", count: 50)
            let request = Request(
                method: .put, path: Array("/1/\(i % 7)/\(i)".utf8), value: Array(value.utf8))
            _ = state.apply(
                Entry(term: 1, index: i, data: request.encoded()), monotonic: 0, wall: 0)
        }
        return state.image()
    }

    private func write(_ image: StateImage) throws -> SnapshotName {
        let writer = try directory.create(
            SnapshotHeader(image, member: MemberID(2), cluster: ClusterID(0xc1), createdAt: 0))
        var encoder = StateEncoder(image)
        while try encoder.next({ try writer.append($0) }) {}
        return try writer.finish().name
    }

    private func readBack(_ name: SnapshotName, _ image: StateImage) throws -> Int {
        var readBack = SnapshotReadBack(try directory.open(name), image)
        var pieces = 0
        while try readBack.step() { pieces += 1 }
        return pieces
    }

    @Test func whatWasWrittenIsThere() throws {
        let image = image("last")
        #expect(try readBack(try write(image), image) > 1)
    }

    @Test func somethingElseIsToldOf() throws {
        let name = try write(image("last"))
        let error = #expect(throws: SnapshotError.self) { try readBack(name, image("Last")) }
        let text = "\(try #require(error))"
        #expect(text.contains("\(name) does not read back as it was written: the state is wrong"))
        #expect(text.contains("it is not what the store has"))
        // No message within a message.
        #expect(!text.contains("--rejoin"))
    }

    @Test func aFlippedBitIsToldOf() throws {
        let image = image("last")
        let name = try write(image)
        let path = directory.path(of: name)
        let size = storage.contents(of: path).count
        for place in stride(from: 200, to: size, by: size / 20) {
            storage.flipBit(place % 8, ofByte: place, in: path)
            #expect(throws: SnapshotError.self, "byte \(place)") { try readBack(name, image) }
            storage.flipBit(place % 8, ofByte: place, in: path)
        }
    }

    /// It never gets the name of a snapshot, and what is there stays.
    @Test func whatCannotBeReadBackIsNoSnapshot() throws {
        let old = try write(image("old"))
        let image = image("last")
        let header = SnapshotHeader(
            image, member: MemberID(2), cluster: ClusterID(0xc1), createdAt: 1)
        let before = storage.contents(of: directory.path(of: old))
        for nth in 1...3 {
            let save = try SnapshotSave(image, header, in: directory, pace: .unlimited)
            storage.inject(StorageFault(.read, on: ".tmp", nth: nth, .fail(5)))
            #expect(throws: SnapshotError.self) { try save.run() }
            storage.removeFaults()
            #expect(try storage.list("/snap") == ["\(old)"])
            let isSame = storage.contents(of: directory.path(of: old)) == before
            #expect(isSame)
        }
        let save = try SnapshotSave(image, header, in: directory, pace: .unlimited)
        #expect(try save.run().file.name == old)
        let isNew = storage.contents(of: directory.path(of: old)) != before
        #expect(isNew)
    }
}
