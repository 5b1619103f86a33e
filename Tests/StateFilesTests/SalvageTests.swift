import Cluster
import KeyStore
import Logging
import RaftModel
import StateFiles
import Storage
import StorageIO
import Testing

/// What `--rejoin` keeps of a damaged log.
@Suite struct SalvageTests {
    private static let ids = WALMetadata(memberID: MemberID(1), clusterID: ClusterID(0xc1))
    private let storage = SimulatedStorage(seed: 1)

    private var options: Recovery<SimulatedStorage>.Options {
        var wal = WALOptions()
        wal.segmentBytes = 4096
        return Recovery.Options(store: Store.Options(), wal: wal, monotonic: 0)
    }

    /// What is appended at once; so large that each is a segment of its own.
    private struct Step {
        var term: UInt64
        var commit: UInt64
        var indices: ClosedRange<UInt64>?
        /// A leader's snapshot was taken over in front of it.
        var snapshot: WALSnapshotRecord?
    }

    /// The first two entries make two members.
    private func entry(_ index: UInt64, _ term: UInt64) -> Entry {
        guard index <= 2 else {
            return Entry(term: term, index: index, data: [UInt8](repeating: 0, count: 400))
        }
        let id = MemberID(index)
        let member = Member(id: id, peerURLs: ["http://127.0.0.1:\(index)"], name: "\(index)")
        let change = ConfChange(kind: .add, member: id, context: MemberJSON.context(member))
        return Entry(kind: .confChange, term: term, index: index, data: change.encoded())
    }

    private func makeMember(_ steps: [Step]) throws -> DataDirectory<SimulatedStorage> {
        let directory = try DataDirectory.open("/data", storage: storage)
        let wal = try WAL.create(
            in: directory.walPath, storage: storage, metadata: Self.ids, options: options.wal)
        for step in steps {
            if let snapshot = step.snapshot { try wal.append(snapshot) }
            let entries = (step.indices.map { Array($0) } ?? []).map { entry($0, step.term) }
            try wal.append(
                hardState: HardState(term: step.term, vote: .none, commit: step.commit),
                entries: entries)
            try wal.sync()
        }
        try wal.close()
        var promise = try VoteRecord.open(
            directory.votePath, storage: storage, member: Self.ids.memberID)
        try promise.store(term: steps.last?.term ?? 0, vote: .none)
        return directory
    }

    private func segments(_ directory: DataDirectory<SimulatedStorage>) throws -> [String] {
        try storage.list(directory.walPath).filter { $0.hasSuffix(".wal") }.sorted()
    }

    private func kept(_ directory: DataDirectory<SimulatedStorage>) throws -> [[UInt64]] {
        try Salvage.run(directory, options, unixSeconds: 1)
        return try Recovery.run(directory, options).log.entries.map { [$0.index, $0.term] }
    }

    private func firstTerm(_ indices: ClosedRange<UInt64>) -> [[UInt64]] {
        indices.map { [$0, 1] }
    }

    /// What is behind a lost segment may look as if it went with what is before it: here with entries that
    /// the lost one had replaced. Nobody may take those for committed.
    @Test(arguments: [true, false])
    func nothingBehindALostSegmentIsKept(isMissing: Bool) throws {
        let directory = try makeMember([
            Step(term: 1, commit: 4, indices: 1...10),
            Step(term: 2, commit: 4, indices: 6...14),
            Step(term: 3, commit: 10, indices: 8...16),
        ])
        let names = try segments(directory)
        try #require(names.count >= 3)
        let path = "\(directory.walPath)/\(names[1])"
        if isMissing {
            try storage.remove(path)
        } else {
            let count = storage.contents(of: path).count
            storage.replaceContents(of: path, with: [UInt8](repeating: 0xa5, count: count))
        }
        #expect(try kept(directory) == firstTerm(1...4))
    }

    @Test func committedEntriesInFrontOfTheDamageAreKept() throws {
        let directory = try makeMember([
            Step(term: 1, commit: 0, indices: 1...9), Step(term: 1, commit: 7, indices: 10...18),
            Step(term: 1, commit: 18, indices: 19...27),
            Step(term: 1, commit: 27, indices: 28...36),
        ])
        let names = try segments(directory)
        storage.flipBit(1, ofByte: 2000, in: "\(directory.walPath)/\(names[2])")
        #expect(try kept(directory) == firstTerm(1...7))
    }

    /// What is behind it goes with a state that is not here.
    @Test(arguments: [(30, 2), (8, 2)] as [(UInt64, UInt64)])
    func nothingBehindALeadersSnapshotIsKept(index: UInt64, term: UInt64) throws {
        let directory = try makeMember([
            Step(term: 1, commit: 5, indices: 1...10),
            Step(
                term: 2, commit: index, indices: index + 1...index + 9,
                snapshot: WALSnapshotRecord(index: index, term: term)),
            Step(term: 2, commit: index + 9, indices: index + 10...index + 18),
            Step(term: 2, commit: index + 18, indices: index + 19...index + 27),
        ])
        let names = try segments(directory)
        storage.flipBit(1, ofByte: 2000, in: "\(directory.walPath)/\(names[2])")
        #expect(try kept(directory) == firstTerm(1...5))
    }

    /// It changes nothing in the log.
    @Test func entriesBehindASnapshotOfItsOwnAreKept() throws {
        let directory = try makeMember([
            Step(term: 1, commit: 9, indices: 1...10),
            Step(
                term: 1, commit: 12, indices: 11...19,
                snapshot: WALSnapshotRecord(index: 9, term: 1)),
            Step(term: 1, commit: 19, indices: 20...28),
            Step(term: 1, commit: 28, indices: 29...37),
        ])
        let names = try segments(directory)
        storage.flipBit(1, ofByte: 2000, in: "\(directory.walPath)/\(names[2])")
        #expect(try kept(directory) == firstTerm(1...12))
    }
}
