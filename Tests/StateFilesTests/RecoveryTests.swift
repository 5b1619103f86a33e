import Cluster
import KeyStore
import RaftModel
import State
import StateFiles
import Storage
import StorageIO
import Testing

@Suite struct RecoveryTests {
    private static let ids = WALMetadata(memberID: MemberID(1), clusterID: ClusterID(0xc1))
    private let storage = SimulatedStorage(seed: 1)

    private var options: Recovery<SimulatedStorage>.Options {
        var wal = WALOptions()
        wal.segmentBytes = 1 << 16
        return Recovery.Options(store: Store.Options(), wal: wal, monotonic: 0)
    }

    /// A member whose log holds entries 1 ... 10 of term 1, up to 5 of them committed.
    private func makeMember() throws -> DataDirectory<SimulatedStorage> {
        let directory = try DataDirectory.open("/data", storage: storage)
        let wal = try WAL.create(
            in: directory.walPath, storage: storage, metadata: Self.ids, options: options.wal)
        try wal.append(
            hardState: HardState(term: 1, vote: .none, commit: 5), entries: Self.entries(1...10, 1))
        try wal.sync()
        return directory
    }

    private static func entries(_ indices: ClosedRange<UInt64>, _ term: UInt64) -> [Entry] {
        indices.map { Entry(term: term, index: $0) }
    }

    private func writeSnapshot(
        _ index: UInt64, term: UInt64, in directory: DataDirectory<SimulatedStorage>
    ) throws {
        let state = MemberState()
        for entry in Self.entries(1...index, term) {
            _ = state.apply(entry, monotonic: 0, wall: 0)
        }
        let image = state.image()
        let snapshots = SnapshotDirectory(directory.snapPath, storage: storage)
        let writer = try snapshots.create(
            SnapshotHeader(image, member: MemberID(2), cluster: ClusterID(0xc1), createdAt: 0))
        var encoder = StateEncoder(image)
        while try encoder.next({ try writer.append($0) }) {}
        _ = try writer.finish()
    }

    /// A leader's snapshot whose file is there, while the log does not know it yet or has an entry of
    /// another term in its place: the member was killed before the log named it. (kvd-sim, profile
    /// everything, seed 156: it did not start any more.)
    @Test(arguments: [(20, 2), (8, 2)] as [(UInt64, UInt64)])
    func aSnapshotThatTheLogHasNotTakenOverIsPassedOver(index: UInt64, term: UInt64) throws {
        let directory = try makeMember()
        try writeSnapshot(index, term: term, in: directory)
        let found = try Recovery.run(directory, options)
        #expect(found.snapshot.index == 0 && found.log.lastIndex == 10)
    }

    /// Its file got its name, and the sync of the directory failed. The next process sees it, and a log
    /// that begins behind it (`--rejoin`) is lost without it. (kvd-sim, profile everything, seed 104.)
    @Test func aSnapshotThatIsSeenIsDurable() throws {
        let directory = try makeMember()
        storage.inject(StorageFault(.syncDirectory, on: "snap", .fail(5)))
        #expect(throws: SnapshotError.self) { try writeSnapshot(4, term: 1, in: directory) }
        storage.killProcess()
        let again = try DataDirectory.open("/data", storage: storage)
        let snapshots = SnapshotDirectory(again.snapPath, storage: storage)
        #expect(try snapshots.list().map(\.index) == [4])
        storage.crash(keeping: .nothing)
        #expect(try snapshots.list().map(\.index) == [4])
    }

    @Test func oneThatTheLogHasIsTaken() throws {
        let directory = try makeMember()
        try writeSnapshot(4, term: 1, in: directory)
        try writeSnapshot(8, term: 2, in: directory)
        let found = try Recovery.run(directory, options)
        #expect(found.snapshot.index == 4 && found.log.entries.map(\.index) == Array(5...10))
    }
}
