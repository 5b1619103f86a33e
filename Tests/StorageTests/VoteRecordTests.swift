import RaftModel
@testable import Storage
import StorageIO
import Testing

@Suite struct VoteRecordTests {
    static let path = "/d/vote"
    static let member = MemberID(7)

    private func storage(seed: UInt64 = 1) throws -> SimulatedStorage {
        let storage = SimulatedStorage(seed: seed)
        try storage.createDirectory("/d")
        try storage.syncDirectory("/")
        return storage
    }

    private func open(_ storage: SimulatedStorage) throws -> VoteRecord<SimulatedStorage> {
        try VoteRecord.open(Self.path, storage: storage, member: Self.member)
    }

    @Test func remembersTheLastPromise() throws {
        let storage = try storage()
        for term in 0..<7 as Range<UInt64> {
            var record = try open(storage)
            #expect(record.recalled?.term == (term == 0 ? nil : term))
            #expect(record.recalled?.vote == (term == 0 ? nil : MemberID(term + 100)))
            #expect(!record.isDamaged)
            try record.store(term: term + 1, vote: MemberID(term + 101))
            #expect(record.recalled?.term == term + 1)
            storage.killProcess()
        }
    }

    /// Numbers are counted around: none is the last one.
    @Test(
        arguments: [0, 1, 0x7fff_ffff_ffff_fffe, 0x7fff_ffff_ffff_ffff, .max - 1, .max] as [UInt64])
    func countsOnFromAnyNumber(number: UInt64) throws {
        let storage = try storage()
        var slot = ByteList()
        let magic: UInt64 = 0x65_746f_7620_6476_6b
        for word in [magic, number, 5, 6, Self.member.rawValue] { slot.add(word) }
        slot.add(CRC32C.of(slot.all))
        let place = Int(number % 2) * 4096
        var bytes = [UInt8](repeating: 0, count: 2 * 4096)
        bytes.replaceSubrange(place..<(place + slot.all.count), with: slot.all)
        storage.replaceContents(of: Self.path, with: bytes)
        for term in 6..<10 as Range<UInt64> {
            var record = try open(storage)
            #expect(record.recalled?.term == term - 1 && !record.isDamaged)
            try record.store(term: term, vote: MemberID(term))
        }
        // In the other slot it is none.
        storage.replaceContents(of: Self.path, with: Array(bytes[4096...] + bytes[..<4096]))
        #expect(try open(storage).isDamaged)
    }

    /// Power fails before every call of a life; no promise that was made is forgotten, and none
    /// that was not even begun is remembered.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func powerFailsAtEveryCall(seed: UInt64) throws {
        var call = 1
        var isThrough = false
        while !isThrough {
            let storage = try storage(seed: seed &* 100 &+ UInt64(call))
            storage.inject(StorageFault(nth: call, .powerFailure))
            var promised: UInt64 = 0
            var begun: UInt64 = 0
            do {
                for _ in 0..<2 {
                    var record = try open(storage)
                    for _ in 0..<3 {
                        begun += 1
                        try record.store(term: begun, vote: MemberID(begun))
                        promised = begun
                    }
                }
                isThrough = true
            } catch {}
            storage.removeFaults()
            storage.crash()
            let record = try open(storage)
            let term = record.recalled?.term ?? 0
            #expect(term >= promised && term <= begun, "seed \(seed), call \(call)")
            #expect(record.recalled.map { $0.vote == MemberID(term) } ?? true)
            #expect(!record.isDamaged)
            call += 1
        }
        #expect(call > 14)
    }

    /// A flipped bit costs the newer promise at most, and never makes one up; both gone is said.
    @Test func damageIsSeen() throws {
        let storage = try storage()
        var record = try open(storage)
        try record.store(term: 4, vote: MemberID(1))
        try record.store(term: 5, vote: MemberID(2))
        let good = storage.contents(of: Self.path)
        for byte in 0..<44 {
            for bit in 0..<8 {
                storage.flipBit(bit, ofByte: byte, in: Self.path)
                let one = try open(storage)
                #expect(one.recalled?.term == 4 && !one.isDamaged)
                storage.flipBit(bit, ofByte: 4096 + byte, in: Self.path)
                let both = try open(storage)
                #expect(both.recalled == nil && both.isDamaged)
                storage.replaceContents(of: Self.path, with: good)
            }
        }
    }

    @Test func anotherMembersIsNoPromiseOfOurs() throws {
        let storage = try storage()
        var record = try open(storage)
        try record.store(term: 4, vote: MemberID(1))
        let other = try VoteRecord.open(Self.path, storage: storage, member: MemberID(8))
        #expect(other.recalled == nil && other.isDamaged)
    }

    /// The writer records a promise before it says that it is durable; a commit index is none.
    @Test func theWriterKeepsIt() throws {
        let fixture = try LogFixture()
        let calls = LogWriterTests.Calls()
        let record = try open(fixture.storage)
        let wal = try fixture.create()
        let seen = LogWriterTests.Calls()
        let storage = fixture.storage
        let writer = LogWriter(
            wal: wal, voteRecord: record,
            onDurable: { sequence in
                let now = try? VoteRecord.open(Self.path, storage: storage, member: Self.member)
                seen.wasDurable(now?.recalled?.term ?? 0)
                calls.wasDurable(sequence)
            }, onFailure: calls.failed)
        let states: [(term: UInt64, vote: UInt64, commit: UInt64)] = [
            (1, 1, 0), (1, 1, 1), (1, 1, 2), (2, 0, 2), (2, 3, 2), (2, 3, 4),
        ]
        for (i, state) in states.enumerated() {
            let sequence = UInt64(i + 1)
            writer.submit(
                LogBatch(
                    sequence: sequence,
                    hardState: HardState(
                        term: state.term, vote: MemberID(state.vote), commit: state.commit),
                    entries: LogFixture.entries(sequence...sequence, term: state.term)))
            #expect(calls.wait { calls.durable.last == sequence })
        }
        writer.stop()
        #expect(seen.durable == states.map(\.term))
        let after = try open(fixture.storage)
        #expect(after.recalled?.vote == MemberID(3))
        // Three promises: the third lies in the slot of the odd ones.
        let number = fixture.storage.contents(of: Self.path)[4096 + 8]
        #expect(number == 3)
    }

    /// A log without a record, as etcd left it, has one from the start on.
    @Test func anOldPromiseIsTakenOver() throws {
        let fixture = try LogFixture()
        let wal = try fixture.create()
        try wal.append(
            hardState: HardState(term: 6, vote: MemberID(2), commit: 0), entries: [])
        try wal.sync()
        let writer = LogWriter(
            wal: wal, voteRecord: try open(fixture.storage), onDurable: { _ in },
            onFailure: { _ in })
        writer.stop()
        let record = try open(fixture.storage)
        #expect(record.recalled?.term == 6 && record.recalled?.vote == MemberID(2))
    }

    /// Power failed when the record had a promise that the log had not: a start must not put the
    /// log's older one in its place, or the next start would vote again. (kvd-sim, profile snapshots,
    /// seed 3.)
    @Test func anOlderLogTakesNoPromiseBack() throws {
        let fixture = try LogFixture()
        let wal = try fixture.create()
        try wal.append(
            hardState: HardState(term: 6, vote: MemberID(2), commit: 0), entries: [])
        try wal.sync()
        var record = try open(fixture.storage)
        try record.store(term: 7, vote: MemberID(3))
        let writer = LogWriter(
            wal: wal, voteRecord: record, onDurable: { _ in }, onFailure: { _ in })
        writer.submit(
            LogBatch(
                sequence: 1, hardState: HardState(term: 7, vote: .none, commit: 0), entries: []))
        writer.stop()
        let after = try open(fixture.storage)
        #expect(after.recalled?.term == 7 && after.recalled?.vote == MemberID(3))
    }

    /// What cannot be promised is not said to be.
    @Test func aPromiseThatFailsIsFatal() throws {
        let fixture = try LogFixture()
        let calls = LogWriterTests.Calls()
        let record = try open(fixture.storage)
        let wal = try fixture.create()
        fixture.storage.inject(StorageFault(.sync, on: "vote", .fail(5)))
        let writer = LogWriter(
            wal: wal, voteRecord: record, onDurable: calls.wasDurable, onFailure: calls.failed)
        writer.submit(
            LogBatch(
                sequence: 1, hardState: HardState(term: 1, vote: MemberID(1), commit: 0),
                entries: []))
        writer.stop()
        #expect(calls.durable == [] && calls.failures.count == 1)
    }
}
