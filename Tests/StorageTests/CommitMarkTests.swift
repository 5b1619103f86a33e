import FixtureSupport
import RaftModel
import Storage
import StorageIO
import Testing

@Suite struct CommitMarkTests {
    static let path = "/d/mark"
    static let member = MemberID(7)

    private func storage(seed: UInt64 = 1) throws -> SimulatedStorage {
        let storage = SimulatedStorage(seed: seed)
        try storage.createDirectory("/d")
        try storage.syncDirectory("/")
        return storage
    }

    private func values(_ i: UInt64) -> CommitMark.Values {
        CommitMark.Values(
            commit: i, syncTimeNanoseconds: 1_795_427_714_000_000_000 + Int64(i),
            syncedAt: .seconds(5) + .nanoseconds(Int64(i)))
    }

    private func open(_ storage: some FileStorage) throws -> CommitMark {
        try CommitMark.open(Self.path, storage: storage, memberID: Self.member)
    }

    @Test func isExactAfterAKill() throws {
        let storage = try storage()
        for life: UInt64 in 0..<5 {
            var mark = try open(storage)
            #expect(mark.recalled == (life == 0 ? .unknown : .exact(values(life * 10))))
            for i in 1...10 as ClosedRange<UInt64> { mark.store(values(life * 10 + i)) }
            storage.killProcess()
        }
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func isNoMoreThanOlderAfterACrash(seed: UInt64) throws {
        let storage = try storage(seed: seed)
        var mark = try open(storage)
        try storage.syncDirectory("/d")
        for i in 1...9 as ClosedRange<UInt64> { mark.store(values(i)) }
        storage.crash()
        let after = try open(storage)
        switch after.recalled {
        case .unknown: break
        case .older(let old): #expect(old == values(old.commit) && old.commit >= 8)
        case .exact: Issue.record("exact after a crash")
        }
    }

    /// The process dies in the middle of a store: the one before it counts.
    @Test func everyByteOfAHalfStore() throws {
        let storage = try storage()
        var mark = try open(storage)
        mark.store(values(1))
        let one = storage.contents(of: Self.path)
        mark.store(values(2))
        let two = storage.contents(of: Self.path)
        mark.store(values(3))
        let three = storage.contents(of: Self.path)
        for (before, after, kept) in [(one, two, 1), (two, three, 2)] as [([UInt8], [UInt8], Int)] {
            let changed = before.indices.filter { before[$0] != after[$0] }
            for end in changed.indices.dropFirst().dropLast() {
                var bytes = before
                for i in changed[..<end] { bytes[i] = after[i] }
                storage.killProcess()
                storage.replaceContents(of: Self.path, with: bytes)
                let mark = try open(storage)
                let allowed: [CommitMark.Recalled] = [
                    .exact(values(UInt64(kept))), .exact(values(UInt64(kept + 1))),
                ]
                #expect(allowed.contains(mark.recalled), "\(end) bytes")
            }
        }
    }

    @Test func flippedBitsAreSeen() throws {
        let storage = try storage()
        var mark = try open(storage)
        for i in 1...2 as ClosedRange<UInt64> { mark.store(values(i)) }
        storage.killProcess()
        for byte in 512..<580 {
            for bit in 0..<8 {
                storage.flipBit(bit, ofByte: byte, in: Self.path)
                let mark = try open(storage)
                #expect(mark.recalled == .exact(values(1)))
                storage.killProcess()
                storage.flipBit(bit, ofByte: byte, in: Self.path)
            }
        }
    }

    @Test func ofAnotherMemberIsUnknown() throws {
        let storage = try storage()
        var mark = try open(storage)
        mark.store(values(4))
        storage.killProcess()
        let other = try CommitMark.open(Self.path, storage: storage, memberID: MemberID(8))
        #expect(other.recalled == .unknown)
    }

    @Test func worksOnARealDisk() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/mark"
        var mark = try CommitMark.open(path, storage: PosixStorage(), memberID: Self.member)
        #expect(mark.recalled == .unknown)
        mark.store(values(1))
        mark.store(values(2))
        let again = try CommitMark.open(path, storage: PosixStorage(), memberID: Self.member)
        #expect(again.recalled == .exact(values(2)))
    }
}
