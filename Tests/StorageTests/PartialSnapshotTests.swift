import RaftModel
import StorageIO
import Testing

@testable import Storage

/// What a receiver has got of a snapshot outlasts its restart, as far as it is intact.
@Suite struct PartialSnapshotTests {
    private static let identity = "1a2b-3c4d-a1-18c2f"

    private func name(_ index: UInt64) -> SnapshotName {
        SnapshotName(term: 3, index: index, format: .kvd)
    }

    /// A dir in which `bytes` had come of a snapshot when the process ended.
    private func fixture(_ bytes: some Collection<UInt8>) throws -> SnapshotFixture {
        let fixture = try SnapshotFixture()
        let partial = try #require(PartialSnapshot(name(7), identity: Self.identity))
        fixture.storage.replaceContents(
            of: "\(SnapshotFixture.directory)/\(partial.fileName)", with: Array(bytes))
        return fixture
    }

    private func receiver(_ fixture: SnapshotFixture) throws -> SnapshotReceiver<SimulatedStorage> {
        let partial = try #require(try fixture.snapshots.partial())
        return try fixture.snapshots.receive(partial.name, identity: partial.identity)
    }

    /// The rest comes, and the whole is what was sent.
    private func end(
        _ receiver: SnapshotReceiver<SimulatedStorage>, _ whole: [UInt8], _ state: [UInt8],
        _ fixture: SnapshotFixture
    ) throws {
        try whole[receiver.receivedBytes...].withUnsafeBytes { try receiver.append($0) }
        var taken: [UInt8] = []
        _ = try receiver.finish(expecting: SnapshotFixture.header().metadata) { reader in
            taken = try SnapshotFixture.read(reader)
        }
        #expect(taken == state)
        #expect(try fixture.storage.list(SnapshotFixture.directory) == ["\(name(7))"])
    }

    @Test func names() throws {
        let partial = try #require(PartialSnapshot(name(0xff), identity: Self.identity))
        #expect(
            partial.fileName == "0000000000000003-00000000000000ff.ksnap.\(Self.identity).part")
        #expect(PartialSnapshot(fileName: partial.fileName) == partial)
        #expect(SnapshotName(partial.fileName) == nil)
        let long = String(repeating: "a", count: 81)
        for identity in ["", "../x", "a.b", "A1", "a/b", long] {
            #expect(PartialSnapshot(name(1), identity: identity) == nil, "\(identity)")
        }
        for text in ["\(name(1)).part", "\(name(1))", "x.ksnap.a1.part", "\(name(1)).a1.tmp"] {
            #expect(PartialSnapshot(fileName: text) == nil, "\(text)")
        }
    }

    @Test func itGoesOnBehindTheLastWholeBlock() throws {
        let state = SnapshotFixture.state(1_200_000)
        let whole = try SnapshotFixture.bytes(state)
        var kept: Set<Int> = []
        for cut in Array(stride(from: 0, to: whole.count, by: 39_877)) + [whole.count] {
            let fixture = try fixture(whole[..<cut])
            let receiver = try receiver(fixture)
            guard let header = try receiver.keepIntact() else {
                // Not even a block had come.
                #expect(cut < 300_000, "\(cut)")
                continue
            }
            #expect(header == SnapshotFixture.header())
            // Blocks have at most 256 KB.
            #expect(receiver.receivedBytes <= cut && receiver.receivedBytes + 270_000 > cut)
            kept.insert(receiver.receivedBytes)
            try end(receiver, whole, state, fixture)
        }
        #expect(kept.count == 5, "\(kept.sorted())")
    }

    @Test func whatIsDamagedOrWasNeverWrittenIsFetchedAgain() throws {
        let state = SnapshotFixture.state(700_000)
        let whole = try SnapshotFixture.bytes(state)
        let came = whole.count * 3 / 4
        for place in Array(0..<4) + Array(stride(from: 50, to: came, by: 31_657)) {
            var flipped = Array(whole[..<came])
            flipped[place] ^= 8
            var lost = Array(whole[..<came])
            for hole in place..<min(place + 4096, came) { lost[hole] = 0 }
            for bytes in [flipped, lost] {
                let fixture = try fixture(bytes)
                let receiver = try receiver(fixture)
                if try receiver.keepIntact() == nil { try receiver.restart() }
                #expect(receiver.receivedBytes <= place, "\(place)")
                try end(receiver, whole, state, fixture)
            }
        }
    }

    @Test func onlyTheNewestIsKeptAndOnlyWhileItIsOfUse() throws {
        let fixture = try SnapshotFixture()
        func put(_ name: String) {
            fixture.storage.replaceContents(
                of: "\(SnapshotFixture.directory)/\(name)", with: [1, 2, 3])
        }
        func files() throws -> [String] { try fixture.storage.list(SnapshotFixture.directory) }
        let old = try #require(PartialSnapshot(name(8), identity: "a1")).fileName
        let new = try #require(PartialSnapshot(name(9), identity: "b1")).fileName
        for name in [old, new, "\(name(20)).part", "\(name(30)).tmp", "\(name(5))"] { put(name) }
        try fixture.snapshots.removeTemporaries()
        #expect(try files() == ["\(name(5))", new])
        #expect(try fixture.snapshots.partial()?.name == name(9))
        // It is no snapshot.
        #expect(try fixture.snapshots.list() == [name(5)])
        put("\(name(9))")
        try fixture.snapshots.removeTemporaries()
        #expect(try files() == ["\(name(5))", "\(name(9))"])
        #expect(try fixture.snapshots.partial() == nil)
    }
}
