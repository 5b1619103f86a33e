import FixtureSupport
import Cluster
import DumpCore
import Foundation
import RaftModel
import State
import Storage
import StorageIO
import Testing

@Suite struct StoreTests {
    private static func hash(_ state: MemberState) -> String {
        let digits = String(state.contentHash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    @Test func isTheCommittedLogWithAndWithoutASnapshot() throws {
        let member = try MemberFixture()
        try member.fill(10, second: 1)
        #expect(try member.store().text.contains("hash \(Self.hash(member.state))"))
        try member.makeSnapshot()
        try member.fill(5, second: 2)
        try member.save([member.put("uncommitted", "x")])
        let captured = try member.store()
        #expect(captured.lines[0].hasPrefix("# index 18 (term 1)"))
        #expect(captured.lines[0].contains("hash \(Self.hash(member.state))"))
        #expect(captured.text.contains("\"value 4 of second 2\""))
        #expect(captured.text.contains("\"value 9 of second 1\""))
        #expect(!captured.text.contains("uncommitted"))
    }

    @Test func anEarlierIndexAndTime() throws {
        let member = try MemberFixture()
        var hashes: [UInt64: String] = [:]
        for second in 1...6 {
            try member.fill(4, second: Int64(second))
            hashes[member.lastIndex] = Self.hash(member.state)
            if second == 2 || second == 4 { try member.makeSnapshot() }
        }
        for (index, hash) in hashes {
            let captured = try member.store(.index(index))
            #expect(captured.lines[0].hasPrefix("# index \(index) "))
            #expect(captured.lines[0].contains("hash \(hash)"))
        }
        // Between the SYNCs of seconds 3 and 4: all before the latter.
        let time = MemberFixture.startTime + 3_500_000_000
        #expect(try member.store(.time(time)).lines[0].hasPrefix("# index 20 "))
        #expect(
            try member.store(Moment(index: nil, time: "1700000003")).lines[0].hasPrefix(
                "# index 20 "))
        let late = #expect(throws: DumpError.self) { try member.store(.index(1000)) }
        #expect(late?.description.contains("index 1000 is not known to be committed") == true)
        #expect(throws: DumpError.self) { try Moment(index: 3, time: "1700000003") }
        #expect(throws: DumpError.self) { try Moment(index: nil, time: "yesterday") }
    }

    /// A mistyped year must not give an empty store, nor a log without times its end.
    @Test func aTimeThatTheLogDoesNotReachBackToIsRefused() throws {
        let member = try MemberFixture()
        try member.commit([member.put("a", "1")])
        let time = Moment.time(MemberFixture.startTime)
        let none = #expect(throws: DumpError.self) { try member.store(time) }
        #expect(none?.description.contains("at 2023-11-14T22:13:20Z cannot be told") == true)
        #expect(none?.description.contains("it has no times") == true)
        try member.fill(3, second: 1)
        let early = #expect(throws: DumpError.self) { try member.store(time) }
        #expect(early?.description.contains("begin at 2023-11-14T22:13:21Z") == true)
        let target = "\(member.directory.path)/new"
        var restoration = restoration(member.path, target, "a")
        restoration.moment = time
        #expect(throws: DumpError.self) { try run(restoration) }
        #expect(try member.storage.kind(of: target) == nil)
        let second = try member.store(.time(MemberFixture.startTime + 1_000_000_000))
        #expect(second.lines[0].hasPrefix("# index \(member.lastIndex) "))
    }

    @Test func aDamagedSnapshotIsPassedOver() throws {
        let member = try MemberFixture()
        try member.fill(10, second: 1)
        try member.makeSnapshot()
        let name = try #require(try member.snapshots.list().first)
        let file = try member.storage.open(member.snapshots.path(of: name), for: .updating)
        let place = try file.sizeBytes() / 2
        let byte = try file.read(count: 1, at: place)
        try file.write([byte[0] ^ 0x40], at: place)
        #expect(try member.store().text.contains("hash \(Self.hash(member.state))"))
        let verified = try member.verify()
        #expect(!verified.isWell)
        #expect(verified.text.contains("\(name): DAMAGED: "))
    }

    @Test func anArchiveHasWhatTheLogReleased() throws {
        let member = try MemberFixture(segmentBytes: 16 << 10)
        var hashes: [UInt64: String] = [:]
        for second in 1...60 {
            try member.fill(10, second: Int64(second))
            hashes[member.lastIndex] = Self.hash(member.state)
        }
        try member.makeSnapshot()
        let segments = try member.storage.list(member.walPath).compactMap(WALSegmentName.init)
        try #require(segments.count > 3)
        let archive = "\(member.directory.path)/archive"
        for segment in segments.dropLast() {
            _ = try LogArchive(archive, storage: member.storage).store(
                segment, from: member.walPath)
            try member.storage.remove("\(member.walPath)/\(segment)")
        }
        for (index, hash) in hashes {
            let captured = try member.store(.index(index), archive: archive)
            #expect(captured.lines[0].contains("hash \(hash)"), "index \(index)")
        }
        #expect(throws: DumpError.self) { try member.store(.index(20)) }
        #expect(try member.store().lines[0].hasPrefix("# index \(member.lastIndex) "))
        #expect(throws: DumpError.self) { try member.store(archive: "/nowhere") }
    }

    // MARK: Backup and restore

    private func backup(_ member: MemberFixture, _ file: String) throws -> Captured {
        var backup = Backup()
        (backup.directory, backup.file, backup.now) = (member.path, file, 1)
        let made = backup
        return try Captured.run { output, progress throws(DumpError) in
            try made.run(PosixStorage(), output, progress)
        }
    }

    private func restoration(_ from: String, _ to: String, _ name: String) -> Restoration {
        var restoration = Restoration()
        (restoration.source, restoration.target, restoration.name) = (from, to, name)
        restoration.initialCluster = "a=http://127.0.0.1:9001,b=http://127.0.0.1:9002"
        restoration.token = "new"
        return restoration
    }

    private func run(_ restoration: Restoration) throws -> Captured {
        try Captured.run { output, progress throws(DumpError) in
            try restoration.run(PosixStorage(), output, progress)
        }
    }

    @Test func backupVerifyRestore() throws {
        let member = try MemberFixture()
        try member.fill(50, second: 1)
        let file = "\(member.directory.path)/backup"
        let said = try backup(member, file).text
        #expect(said.contains("index 52 (term 1)"))
        #expect(said.contains("hash \(Self.hash(member.state))"))
        #expect(try member.verify(file).isWell)
        // Nothing is overwritten, and nothing half written is left.
        #expect(throws: DumpError.self) { try backup(member, file) }
        #expect(try !member.storage.list(member.directory.path).contains("backup.tmp"))

        var hashes: Set<String> = []
        for name in ["a", "b"] {
            let target = "\(member.directory.path)/new-\(name)"
            let restored = try run(restoration(file, target, name))
            #expect(try member.verify(target).isWell)
            hashes.insert(String(try #require(restored.text.split(separator: " ").last)))
            try checkStart(target, name, of: member)
        }
        #expect(hashes.count == 1)
        let again = #expect(throws: DumpError.self) {
            try run(restoration(file, "\(member.directory.path)/new-a", "a"))
        }
        #expect(again?.description.contains("is not empty") == true)
        let unknown = #expect(throws: DumpError.self) {
            try run(restoration(file, "\(member.directory.path)/new-c", "c"))
        }
        #expect(unknown?.isUsage == true)
    }

    /// As a start reads it.
    private func checkStart(_ target: String, _ name: String, of old: MemberFixture) throws {
        let members = try InitialCluster("a=http://127.0.0.1:9001,b=http://127.0.0.1:9002")
            .makeMembers(token: "new")
        let own = try #require(members.first { $0.name == name })
        let snapshots = SnapshotDirectory("\(target)/member/snap", storage: old.storage)
        let snapshot = try #require(try snapshots.list().first)
        #expect((snapshot.index, snapshot.term) == (52, 1))
        let (wal, log) = try WAL.recover(
            in: "\(target)/member/wal", storage: old.storage,
            from: WALSnapshotRecord(index: snapshot.index, term: snapshot.term),
            expecting: WALMetadata(
                memberID: own.id, clusterID: ClusterID(members: members.map(\.id))))
        #expect(log.hardState == HardState(term: 1, vote: .none, commit: 52))
        #expect(log.entries.isEmpty)
        #expect(log.report.cut == nil)
        let reader = try snapshots.open(snapshot)
        var decoder = StateDecoder()
        while let piece = try reader.next() { try decoder.append(piece) }
        let image = try decoder.finish(
            index: reader.header.index, term: reader.header.term,
            confState: reader.header.confState, clusterTime: reader.header.clusterTime)
        let state = MemberState()
        state.restore(image, monotonic: 0)
        #expect(state.membership.ids == members.map(\.id))
        #expect(state.membership.members.map(\.peerURLs) == members.map(\.peerURLs))
        #expect(reader.header.confState.members == members.map(\.id))
        #expect(state.membership.removed.isEmpty)
        // And it goes on from there.
        _ = state.apply(
            Entry(term: 2, index: 53, data: []), monotonic: 0, wall: 0)
        try wal.append(
            hardState: nil, entries: [Entry(term: 2, index: 53, data: [])])
        try wal.close()
    }

    @Test func keysAreThoseOfTheBackup() throws {
        let member = try MemberFixture()
        try member.fill(20, second: 1)
        try member.fill(3, second: 2)
        let target = "\(member.directory.path)/new"
        var restoration = restoration(member.path, target, "a")
        restoration.moment = .index(22)
        _ = try run(restoration)
        var dump = StoreDump()
        (dump.directory, dump.path, dump.showsValues) = (target, "/1", true)
        let made = dump
        let restored = try Captured.run { output, progress throws(DumpError) in
            try made.run(PosixStorage(), output, progress)
        }
        let expected = try member.store(.index(22))
        #expect(restored.lines.dropFirst() == expected.lines.dropFirst())
        #expect(restored.lines.count == 22)
    }

    // MARK: Export

    @Test func exportedDirIsEtcds() throws {
        let member = try MemberFixture()
        try member.fill(20, second: 1)
        try member.save([member.put("tail", "x")])
        let target = "\(member.directory.path)/etcd"
        var export = EtcdExport()
        (export.directory, export.target) = (member.path, target)
        let made = export
        _ = try Captured.run { output, progress throws(DumpError) in
            try made.run(PosixStorage(), output, progress)
        }
        let log = try LogReader.read(
            "\(target)/member/wal", storage: member.storage,
            from: WALSnapshotRecord(index: 22, term: 1), expecting: member.metadata)
        #expect(log.report.writer == .etcd2)
        #expect(log.report.cut == nil)
        #expect(log.hardState == HardState(term: 1, vote: member.member.id, commit: 22))
        #expect(log.entries.map(\.index) == [23])
        // etcd 2 reads to the end of the file: nothing may lie behind the last record.
        let segment = try #require(try member.storage.list("\(target)/member/wal").first)
        #expect(segment == "0000000000000000-0000000000000000.wal")
        let size = try member.storage.open("\(target)/member/wal/\(segment)", for: .reading)
            .sizeBytes()
        #expect(log.report.bytes == size)
        #expect(try member.verify(target).isWell)
    }

    // MARK: Beside a running server

    /// Reads again and again while a writer appends, rotates, and removes segments: what is being
    /// written is never taken for damage.
    @Test func besideAWriter() async throws {
        let member = try MemberFixture(segmentBytes: 32 << 10)
        try member.fill(10, second: 1)
        let path = member.path
        let isDone = Flag()
        let reader = Task.detached { () throws -> Int in
            var count = 0
            while !isDone.isSet || count == 0 {
                let captured = try LogDumpTests.dump(path) { $0.showsOnlySummary = true }
                guard captured.isWell else {
                    Issue.record("taken for damage: \(captured.text)")
                    break
                }
                let verified = try Captured.run { output, progress throws(DumpError) in
                    try Verification.run(path, PosixStorage(), output, progress)
                }
                if !verified.isWell { Issue.record("\(verified.text)") }
                var dump = StoreDump()
                dump.directory = path
                let made = dump
                _ = try Captured.run { output, progress throws(DumpError) in
                    try made.run(PosixStorage(), output, progress)
                }
                count += 1
            }
            return count
        }
        for second in 2..<60 {
            try member.fill(30, second: Int64(second))
            guard second % 10 == 0 else { continue }
            try member.makeSnapshot()
            let segments = try member.storage.list(member.walPath).compactMap(WALSegmentName.init)
            for segment in segments.dropLast(2) {
                try member.storage.remove("\(member.walPath)/\(segment)")
            }
        }
        isDone.set()
        #expect(try await reader.value > 0)
        #expect(try member.store().text.contains("hash \(Self.hash(member.state))"))
    }
}
