import FixtureSupport
import Foundation
import RaftModel
@testable import Storage
import StorageIO
import Synchronization
import Testing

/// Everything that can be wrong with a dir at the start: each has words of its own, which name
/// the place and the way out.
@Suite struct RecoveryMessageTests {
    /// Five segments of three entries each.
    private func log() throws -> LogFixture {
        let fixture = try LogFixture(segmentBytes: 4096)
        let wal = try fixture.create()
        while wal.segment.sequence < 5 {
            let index = wal.lastIndex + 1
            try wal.append(
                hardState: HardState(term: 2, vote: MemberID(1), commit: index - 1),
                entries: LogFixture.entries(index...index, term: 2, bytes: 900))
            try wal.sync()
        }
        try wal.close()
        fixture.storage.killProcess()
        return fixture
    }

    private func names(_ fixture: LogFixture) throws -> [String] {
        try fixture.storage.list(LogFixture.directory)
    }

    private func path(_ fixture: LogFixture, _ i: Int) throws -> String {
        "\(LogFixture.directory)/\(try names(fixture)[i])"
    }

    private func message(
        _ fixture: LogFixture, from snapshot: WALSnapshotRecord = .none,
        expecting ids: WALMetadata = LogFixture.ids, fault: StorageFault? = nil
    ) -> String {
        let before = try? fixture.files()
        if let fault { fixture.storage.inject(fault) }
        do {
            _ = try WAL.recover(
                in: LogFixture.directory, storage: fixture.storage, from: snapshot,
                expecting: ids, options: fixture.options)
            return "recovered"
        } catch {
            // What is refused is not touched.
            fixture.storage.removeFaults()
            #expect((try? fixture.files()) == before)
            #expect(error.description.hasSuffix(error.advice))
            return error.description
        }
    }

    /// Each trouble made, and what must be said of it.
    @Test func eachTroubleHasItsWords() throws {
        let wal = LogFixture.directory
        var said: [String] = []
        func expect(_ text: String, _ parts: String...) {
            for part in parts { #expect(text.contains(part), "\(part) in: \(text)") }
            said.append(String(text.drop { $0 != ":" }.prefix(40)))
        }

        var fixture = try log()
        try fixture.storage.remove(try path(fixture, 2))
        expect(
            message(fixture), "\(wal): segment 0000000000000002 is missing", "Put the file back")

        fixture = try log()
        try fixture.storage.remove(try path(fixture, 0))
        expect(message(fixture), "\(wal): segment 0000000000000000 is missing", "--rejoin")

        fixture = try log()
        let gap = try path(fixture, 3)
        try replace(gap, fixture) { buffer in
            buffer.add(LogFixture.entries(40...40, term: 2))
        }
        expect(
            message(fixture), "\(gap) at byte ", "entry 40 where entry 10 must follow",
            "Entries 1 to 9 in front of it are intact", "kvd-dump verify")

        fixture = try log()
        expect(
            message(fixture, from: WALSnapshotRecord(index: 90, term: 2)),
            "\(wal): the snapshot of index 90 is not of this log, which ends at ",
            "Move that snapshot file out")

        fixture = try log()
        expect(
            message(fixture, from: WALSnapshotRecord(index: 4, term: 9)),
            "the snapshot of index 4 is of term 9, the log says 2")

        for (i, bytes) in [(1, []), (5, []), (5, [UInt8](repeating: 0, count: 4096))] {
            fixture = try log()
            let empty = try path(fixture, i)
            fixture.storage.replaceContents(of: empty, with: bytes)
            expect(message(fixture), "\(empty): the segment is empty", "kvd-dump verify")
        }

        fixture = try log()
        let stranger = WALMetadata(memberID: LogFixture.ids.memberID, clusterID: ClusterID(0xff))
        expect(
            message(fixture, expecting: stranger),
            "the log is of member a1 of cluster c1, not of member a1 of cluster ff",
            "Check --data-dir")

        fixture = try log()
        let mixed = try path(fixture, 3)
        try replace(mixed, fixture) { buffer in
            buffer.add(
                .metadata, WALMetadata(memberID: MemberID(7), clusterID: ClusterID(8)).encoded)
        }
        expect(message(fixture), "segments of two members", "member 7 of cluster 8")

        fixture = try log()
        let rotten = try path(fixture, 2)
        fixture.storage.flipBit(3, ofByte: 2000, in: rotten)
        expect(
            message(fixture), "\(rotten) at byte ", "the log is damaged: crc mismatch",
            "are intact", "--rejoin")

        fixture = try LogFixture()
        expect(message(fixture), "\(wal): there is no log here")
    }

    /// Puts a batch of its own behind a segment's head, in place of what was there.
    private func replace(
        _ path: String, _ fixture: LogFixture, with fill: (inout BatchBuffer) -> Void
    ) throws {
        let bytes = fixture.storage.contents(of: path)
        let name = try #require(WALSegmentName(String(path.split(separator: "/")[2])))
        var rolling = CRC32C()
        var end = 0
        bytes.withUnsafeBytes { raw in
            while case .frame(let frame) = WALFrame.read(.init(rebasing: raw[end...])) {
                if end > 0, frame.type == .crc { break }
                rolling = CRC32C(frame.crc)
                end += frame.sizeBytes
            }
        }
        var buffer = BatchBuffer(rolling: rolling)
        buffer.begin(
            WALMarker(sequence: name.sequence, offset: UInt64(end), durable: UInt64(end)))
        fill(&buffer)
        buffer.seal()
        fixture.storage.replaceContents(of: path, with: Array(bytes[..<end]) + buffer.bytes)
    }

    /// Root may read everything, so the disk says it.
    @Test(arguments: [StorageOperation.list, .open, .read, .lock, .sync, .syncDirectory])
    func whatCannotBeRead(operation: StorageOperation) throws {
        let fixture = try log()
        let fault = StorageFault(operation, on: "wal", .fail(EACCES))
        let text = message(fixture, fault: fault)
        #expect(text.hasPrefix("cannot \(operation.rawValue) \(LogFixture.directory)"))
        #expect(text.contains("Permission denied (EACCES)"))
        #expect(
            text.hasSuffix("Give the user that runs kvd the rights to read, write and search it."))
    }

    @Test func whatIsNoMembersDir() throws {
        let storage = SimulatedStorage(seed: 1)
        let cases: [(name: String, files: [String], says: String)] = [
            ("both", ["member/wal/x", "proxy/cluster"], "Both member and proxy directories exist"),
            ("proxy", ["proxy/cluster"], "belongs to a proxy"),
            ("two", ["wal/x", "snap/x"], "has the layout of etcd 2.0.0"),
            ("zero", ["conf", "log", "snapshot/x"], "has the layout of etcd 0.4"),
            ("standby", ["standby_info"], "has the layout of etcd 0.4"),
        ]
        for (name, files, says) in cases {
            for file in files { storage.replaceContents(of: "/\(name)/\(file)", with: [1]) }
            let error = #expect(throws: DataDirectoryError.self) {
                try DataDirectory.open("/\(name)", storage: storage)
            }
            #expect(error?.description.contains(says) == true, "\(name)")
            #expect(error.map { $0.description.hasSuffix($0.advice) } == true)
        }
        storage.replaceContents(of: "/denied/member/wal/x", with: [1])
        storage.inject(StorageFault(.list, on: "/denied", .fail(EACCES)))
        let error = #expect(throws: DataDirectoryError.self) {
            try DataDirectory.open("/denied", storage: storage)
        }
        #expect(error?.description.contains("data dir /denied: cannot list /denied") == true)
    }

    /// A long recovery tells how far it is: rising, and to the end.
    @Test func progressIsTold() throws {
        let directory = try TemporaryDirectory()
        var options = WALOptions()
        options.segmentBytes = 3 << 20
        options.writesZerosAhead = false
        let wal = try WAL.create(
            in: directory.path, storage: PosixStorage(), metadata: LogFixture.ids,
            options: options)
        for i in 1...40 as ClosedRange<UInt64> {
            try wal.append(
                hardState: nil,
                entries: [Entry(term: 1, index: i, data: .init(repeating: 7, count: 200_000))])
            try wal.write()
        }
        try wal.close()
        var told: [Int] = []
        var totals: Set<Int> = []
        let log = try LogReader.read(directory.path, storage: PosixStorage()) { read, total in
            told.append(read)
            totals.insert(total)
        }
        #expect(log.lastIndex == 40)
        #expect(told == told.sorted() && told.count >= 8)
        #expect(totals.count == 1 && told.last == totals.first)
    }
}
