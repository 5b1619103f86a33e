import RaftModel
import StorageIO
import Testing

@testable import Storage

@Suite struct SnapshotDirectoryTests {
    private func name(_ index: UInt64, _ format: SnapshotName.Format = .kvd) -> SnapshotName {
        SnapshotName(term: 1, index: index, format: format)
    }

    private func put(_ names: [SnapshotName], _ fixture: SnapshotFixture) {
        for name in names {
            fixture.storage.replaceContents(of: fixture.snapshots.path(of: name), with: [0])
        }
    }

    @Test func names() {
        let own = SnapshotName(term: 0x1a, index: 0xff, format: .kvd)
        #expect(own.description == "000000000000001a-00000000000000ff.ksnap")
        #expect(SnapshotName(own.description) == own)
        let etcd = SnapshotName("000000000000001a-00000000000000ff.snap")
        #expect(etcd == SnapshotName(term: 0x1a, index: 0xff, format: .etcd))
        for text in [
            "", ".ksnap", "1-2.ksnap", "000000000000001a-00000000000000ff.ksnap.tmp",
            "000000000000001a-00000000000000fg.snap", "000000000000001a-00000000000000ff.wal",
            "000000000000001A-00000000000000ff.snap",
        ] { #expect(SnapshotName(text) == nil, "\(text)") }
    }

    @Test func newestComesFirst() throws {
        let fixture = try SnapshotFixture()
        put([name(5), name(9), name(9, .etcd), name(7, .etcd)], fixture)
        let names = [name(9), name(9, .etcd), name(7, .etcd), name(5)]
        #expect(try fixture.snapshots.list() == names)
    }

    @Test func purgeKeepsTheNewest() throws {
        let fixture = try SnapshotFixture()
        put((1...6).map { name($0) }, fixture)
        #expect(try fixture.snapshots.purge(keeping: 0) == [])
        #expect(try fixture.snapshots.purge(keeping: 9) == [])
        #expect(try fixture.snapshots.purge(keeping: 2) == [name(4), name(3), name(2), name(1)])
        #expect(try fixture.snapshots.list() == [name(6), name(5)])
    }

    /// One that a leader sent and that the log may never take over pushes out none of our own.
    /// (kvd-sim, profile snapshots: a member with `--max-snapshots 1` was left with a snapshot that its
    /// log did not know.)
    @Test func purgeDoesNotCountWhatIsNewerThanOurs() throws {
        let fixture = try SnapshotFixture()
        put((1...4).map { name($0) } + [name(9)], fixture)
        #expect(try fixture.snapshots.purge(keeping: 1, upTo: 4) == [name(3), name(2), name(1)])
        #expect(try fixture.snapshots.list() == [name(9), name(4)])
    }

    /// A dir of etcd's stays as it is until the first own snapshot is safe.
    @Test func etcdsStayUntilOneOfOursIsNewer() throws {
        let fixture = try SnapshotFixture()
        put((1...6).map { name($0, .etcd) }, fixture)
        #expect(try fixture.snapshots.purge(keeping: 1) == [])
        put([name(7)], fixture)
        #expect(try fixture.snapshots.purge(keeping: 2).count == 5)
        #expect(try fixture.snapshots.list() == [name(7), name(6, .etcd)])
    }

    @Test func brokenOnesAreSetAside() throws {
        let fixture = try SnapshotFixture()
        put([name(1), name(2)], fixture)
        try fixture.snapshots.markBroken(name(2))
        #expect(try fixture.snapshots.list() == [name(1)])
        #expect(
            try fixture.storage.list(SnapshotFixture.directory)
                == ["\(name(1))", "\(name(2)).broken"])
    }

    // MARK: Trouble

    /// Power fails in every call in turn: there is a whole snapshot, or none.
    @Test func powerFailsAnywhere() throws {
        let state = SnapshotFixture.state(1_200_000)
        for survivors in [SimulatedStorage.Survivors.nothing, .any, .everything] {
            var call = 1
            var isDone = false
            while !isDone {
                let fixture = try SnapshotFixture(seed: UInt64(call))
                fixture.storage.inject(StorageFault(nth: call, .powerFailure))
                isDone = (try? fixture.write(state)) != nil
                fixture.storage.removeFaults()
                fixture.storage.crash(keeping: survivors)
                for name in try fixture.snapshots.list() {
                    let reader = try fixture.snapshots.open(name)
                    #expect(try SnapshotFixture.read(reader) == state)
                }
                if isDone { #expect(try fixture.snapshots.list().count == 1) }
                try fixture.snapshots.removeTemporaries()
                let left = try fixture.storage.list(SnapshotFixture.directory)
                #expect(left.allSatisfy { SnapshotName($0) != nil })
                call += 1
            }
            #expect(call > 5)
        }
    }

    @Test(arguments: [Int32(5), 28])
    func anyCallFails(_ errno: Int32) throws {
        let state = SnapshotFixture.state(1_200_000)
        var call = 1
        while true {
            let fixture = try SnapshotFixture()
            fixture.storage.inject(StorageFault(nth: call, .fail(errno)))
            do {
                try fixture.write(state)
                break
            } catch let error as SnapshotError {
                guard case .storage(let cause) = error.code else {
                    Issue.record("\(error)")
                    break
                }
                #expect(cause.code == errno)
                #expect(error.isOutOfSpace == (errno == 28))
                fixture.storage.removeFaults()
                // The last one, of the directory, comes when the name is there already.
                for name in try fixture.snapshots.list() {
                    try fixture.snapshots.open(name).verify()
                }
            }
            call += 1
        }
        #expect(call > 5)
    }

    // MARK: Receiving

    @Test(arguments: [1, 7, 4096, 1 << 20])
    func receivedInPieces(_ piece: Int) throws {
        let state = SnapshotFixture.state(piece == 1 ? 2000 : 300_000)
        let bytes = try SnapshotFixture.bytes(state)
        let fixture = try SnapshotFixture()
        let header = SnapshotFixture.header()
        var receiver = try fixture.snapshots.receive(header.name)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            // Half way, the connection is cut, and another one goes on.
            if start > 0, start == bytes.count / piece / 2 * piece {
                receiver = try fixture.snapshots.receive(header.name)
                #expect(receiver.receivedBytes == start)
            }
            try bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes {
                try receiver.append($0)
            }
        }
        var taken: [UInt8] = []
        let file = try receiver.finish(expecting: header.metadata) { reader in
            taken = try SnapshotFixture.read(reader)
        }
        #expect(taken == state)
        #expect(file.fileBytes == bytes.count)
        #expect(try fixture.snapshots.list() == [header.name])
        try fixture.snapshots.open(header.name).verify()
    }

    @Test func damagedOrOtherOnesAreRefused() throws {
        let bytes = try SnapshotFixture.bytes(SnapshotFixture.state(5000))
        let header = SnapshotFixture.header()
        func receive(_ bytes: [UInt8], _ metadata: SnapshotMetadata) throws {
            let fixture = try SnapshotFixture()
            let receiver = try fixture.snapshots.receive(header.name)
            try bytes.withUnsafeBytes { try receiver.append($0) }
            defer { #expect((try? fixture.storage.list(SnapshotFixture.directory)) == []) }
            _ = try receiver.finish(expecting: metadata) { _ in }
        }
        var flipped = bytes
        flipped[bytes.count / 2] ^= 4
        #expect(throws: SnapshotError.self) { try receive(flipped, header.metadata) }
        #expect(throws: SnapshotError.self) {
            try receive(Array(bytes.dropLast(10)), header.metadata)
        }
        var other = header.metadata
        other.index += 1
        #expect(throws: SnapshotError.self) { try receive(bytes, other) }
    }
}
