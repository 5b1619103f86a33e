import FixtureSupport
import Foundation
import ProtoWire
import RaftModel
@testable import Storage
import StorageIO
import Testing

/// Logs that real etcd binaries wrote, held against what an independent reader saw in them.
@Suite struct EtcdFixtureTests {
    struct Dir: CustomTestStringConvertible {
        var name: String
        /// Path of the member's dir below the unpacked one, and its section of the listing.
        var member = ""
        /// The log it belongs to, in a listing of several.
        var section: String?
        var dialect = WireDialect.etcd23
        var testDescription: String { "\(name) \(member)" }
    }

    static let dirs = [
        Dir(name: "v2.0.13-single", dialect: .etcd20),
        Dir(name: "v2.3.8-cluster3", member: "/m1", section: "m1"),
        Dir(name: "v2.3.8-cluster3", member: "/m2", section: "m2"),
        Dir(name: "v2.3.8-cluster3", member: "/m3", section: "m3"),
        Dir(name: "v2.3.8-flipped-byte"), Dir(name: "v2.3.8-killed"),
        Dir(name: "v2.3.8-segments"), Dir(name: "v2.3.8-torn-tail"), Dir(name: "v3.4.23-v2"),
    ]

    /// One segment of a listing: its name, its records' lines, and how it ends.
    struct Listing {
        var file: String
        var lines: [String] = []

        static func read(_ dir: Dir) throws -> (segments: [Listing], end: String) {
            var segments: [Listing] = []
            var end = ""
            var isWanted = dir.section == nil
            for line in try Fixture.text("etcd/\(dir.name).wal.txt").split(separator: "\n") {
                if line.hasPrefix("#####") {
                    isWanted = line.hasSuffix(dir.section ?? "")
                } else if !isWanted {
                    continue
                } else if line.hasPrefix("# end: ") {
                    end = String(line.dropFirst(7))
                } else if line.hasPrefix("# ") {
                    segments.append(Listing(file: String(line.split(separator: " ")[1])))
                } else {
                    segments[segments.count - 1].lines.append(String(line))
                }
            }
            return (segments, end)
        }
    }

    /// The part of a listing's line that this layer knows, written from a frame.
    static func line(_ frame: WALFrame, at offset: Int) throws -> String {
        let crc = String(format: "%08x", frame.crc)
        let head =
            "\(offset) \(name(frame.type)) crc=\(crc) dlen=\(frame.data.count)"
            + " flen=\(frame.sizeBytes)"
        switch frame.type {
        case .crc: return head
        case .metadata:
            let ids = try WALMetadata.decode(frame.data)
            return "\(head) node=\(ids.memberID) cluster=\(ids.clusterID)"
        case .entry:
            let entry = try Entry.decode(frame.data)
            return "\(head) index=\(entry.index) term=\(entry.term) "
                + "\(entry.kind == .normal ? "normal" : "confchange") len=\(entry.data.count)"
        case .state:
            let state = try HardState.decode(frame.data)
            return "\(head) term=\(state.term) vote=\(state.vote) commit=\(state.commit)"
        case .snapshot:
            let snapshot = try WALSnapshotRecord.decode(frame.data)
            return "\(head) index=\(snapshot.index) term=\(snapshot.term)"
        }
    }

    private static func name(_ type: WALRecordType) -> String {
        switch type {
        case .metadata: "metadata"
        case .entry: "entry"
        case .state: "state"
        case .crc: "crc"
        case .snapshot: "snapshot"
        }
    }

    /// The same frame, made by our encoder.
    static func reencoded(
        _ frame: WALFrame, rolling: CRC32C, _ dialect: WireDialect
    ) throws -> [UInt8] {
        if frame.type == .crc {
            return [4, 0, 0, 0, 0, 0, 0, 0, 8, 4, 16, 0]
        }
        var buffer = BatchBuffer(rolling: rolling)
        buffer.begin(WALMarker(sequence: 0, offset: 0, durable: 0))
        let start = buffer.count
        switch frame.type {
        case .entry where dialect == .etcd23: buffer.add([try Entry.decode(frame.data)])
        case .entry: buffer.add(.entry, try Entry.decode(frame.data).encoded(dialect))
        case .state: buffer.add(try HardState.decode(frame.data))
        case .metadata: buffer.add(.metadata, try WALMetadata.decode(frame.data).encoded)
        case .snapshot: buffer.add(.snapshot, try WALSnapshotRecord.decode(frame.data).encoded)
        case .crc: break
        }
        buffer.seal()
        return Array(buffer.bytes[start...])
    }

    @Test(arguments: dirs)
    func everyRecordIsReadAndWrittenAlike(_ dir: Dir) throws {
        let directory = try TemporaryDirectory()
        try Fixture.unpack(dir.name, into: directory)
        let (segments, end) = try Listing.read(dir)
        var rolling = CRC32C()
        for segment in segments {
            let path =
                "\(directory.path)/\(dir.name)\(dir.member)/member/wal/\(segment.file)"
            let bytes = try PosixStorage().open(path, for: .reading).readAll()
            var offset = 0
            for expected in segment.lines {
                let size = try bytes.withUnsafeBytes { raw throws -> Int in
                    let rest = UnsafeRawBufferPointer(rebasing: raw[offset...])
                    guard case .frame(let frame) = WALFrame.read(rest) else {
                        Issue.record("no frame at \(offset)")
                        return 0
                    }
                    let line = try Self.line(frame, at: offset)
                    let count = line.split(separator: " ").count
                    let fields = expected.prefix(200).split(separator: " ").prefix(count)
                    #expect(fields.joined(separator: " ") == line)
                    if frame.type != .crc || frame.crc == 0 {
                        var again = try Self.reencoded(frame, rolling: rolling, dir.dialect)
                        if frame.isPadded {
                            again += repeatElement(0, count: frame.sizeBytes - again.count)
                            again[7] = rest[7]
                        }
                        // `rest` holds the frame, so it has an address.
                        let isSame =
                            again.count == frame.sizeBytes
                            && memcmp(rest.baseAddress!, again, again.count) == 0
                        #expect(isSame, "re-encoding differs: \(expected.prefix(60))")
                    }
                    rolling.update(frame.data)
                    #expect(rolling.value == frame.crc)
                    return frame.sizeBytes
                }
                guard size > 0 else { return }
                offset += size
            }
            if end == "clean", dir.name != "v3.4.23-v2" { #expect(offset == bytes.count) }
        }
    }

    private func read(
        _ dir: Dir, from snapshot: WALSnapshotRecord = .none
    ) throws -> RecoveredLog {
        let directory = try TemporaryDirectory()
        try Fixture.unpack(dir.name, into: directory)
        return try LogReader.read(
            "\(directory.path)/\(dir.name)\(dir.member)/member/wal", storage: PosixStorage(),
            from: snapshot)
    }

    /// The dirs that etcd opens, from their first entry on.
    @Test(arguments: dirs.filter { $0.name != "v2.3.8-flipped-byte" })
    func recovers(_ dir: Dir) throws {
        let log = try read(dir)
        let json = try JSONSerialization.jsonObject(
            with: Data(try Fixture.text("etcd/\(dir.name).expected.json").utf8))
        let all = try #require((json as? [String: Any])?["dirs"] as? [String: Any])
        let key = dir.member.isEmpty ? dir.name : String(dir.member.dropFirst())
        let facts = try #require(
            (all[key] ?? all["\(dir.name)/\(key)"] ?? all.first?.value) as? [String: Any])
        #expect(log.lastIndex == (facts["lastIndex"] as? NSNumber)?.uint64Value)
        #expect(log.lastTerm == (facts["lastTerm"] as? NSNumber)?.uint64Value)
        #expect(log.entries.map(\.index) == Array(1...log.lastIndex))
        let state = try #require(facts["hardstate"] as? [String: Any])
        #expect(log.hardState.term == (state["term"] as? NSNumber)?.uint64Value)
        let commit = try #require((state["commit"] as? NSNumber)?.uint64Value)
        #expect(log.hardState.commit == min(commit, log.lastIndex))
        let ids = try #require(facts["metadata"] as? [String: Any])
        #expect("\(log.metadata.memberID)" == ids["nodeID"] as? String ?? ids["node"] as? String)
        #expect(log.snapshots.first == WALSnapshotRecord.none)
        let writer = log.report.writer
        #expect(writer == (dir.name == "v3.4.23-v2" ? .etcd3 : .etcd2))
        #expect((log.report.cut != nil) == (dir.name == "v2.3.8-torn-tail"))
    }

    @Test func recoversBehindASnapshot() throws {
        let dir = Dir(name: "v2.3.8-segments")
        let log = try read(dir, from: WALSnapshotRecord(index: 0x131, term: 2))
        #expect(log.report.segmentCount == 1)
        #expect(log.entries.map(\.index) == Array(0x132...355))
        #expect(log.hardState.commit == 355)
        let old = try read(dir, from: WALSnapshotRecord(index: 0x3d, term: 2))
        #expect(old.report.segmentCount == 3)
        #expect(old.entries.suffix(log.entries.count) == log.entries[...])
        #expect(throws: WALError.self) {
            try read(dir, from: WALSnapshotRecord(index: 0x131, term: 3))
        }
        let newer = #expect(throws: WALError.self) {
            try read(dir, from: WALSnapshotRecord(index: 900, term: 2))
        }
        #expect(newer?.code == .snapshotNotInLog(index: 900, lastIndex: 355))
    }

    @Test func tornTailIsCutWhereEtcdCutsIt() throws {
        let log = try read(Dir(name: "v2.3.8-torn-tail"))
        #expect(log.report.cut?.offsetBytes == 33008)
        #expect(log.report.cut?.bytes == 72)
        #expect(log.lastIndex == 112)
        #expect(log.hardState.commit == 112)
        let note = try #require(log.report.notes(lastIndex: 112).last)
        #expect(note.contains("cut 72 bytes of an unfinished write"))
        #expect(note.contains("the log ends at index 112"))
    }

    @Test func flippedByteIsRefused() throws {
        let error = try #require(
            #expect(throws: WALError.self) { try read(Dir(name: "v2.3.8-flipped-byte")) })
        #expect(
            error.code == .corrupt(.crc(expected: 0x46c4_7a59, found: 0x5d6c_cf0e)))
        #expect(error.offsetBytes == 6466)
        #expect(error.recordNumber == 114)
        #expect(error.goodIndices == 1...56)
        #expect(error.isDamage)
    }

    @Test func zeroTailIsTheEnd() throws {
        let log = try read(Dir(name: "v3.4.23-v2"))
        #expect(log.lastIndex == 64)
        #expect(log.report.bytes == 27768)
        #expect(log.report.cut == nil)
    }

    /// kvd goes on where etcd stopped, and reads both parts back.
    @Test(arguments: [dirs[0], dirs[1], dirs[5], dirs[6], dirs[7], dirs[8]])
    func isContinued(_ dir: Dir) throws {
        let directory = try TemporaryDirectory()
        try Fixture.unpack(dir.name, into: directory)
        let path = "\(directory.path)/\(dir.name)\(dir.member)/member/wal"
        var options = WALOptions()
        options.writesZerosAhead = false
        let (wal, before) = try WAL.recover(in: path, storage: PosixStorage(), options: options)
        let more = (1...20).map { i in
            Entry(
                term: before.lastTerm + 1, index: before.lastIndex + UInt64(i),
                data: [UInt8](repeating: UInt8(i), count: 100))
        }
        let state = HardState(
            term: before.lastTerm + 1, vote: before.metadata.memberID,
            commit: before.lastIndex)
        try wal.append(hardState: state, entries: more)
        try wal.close()
        let after = try LogReader.read(path, storage: PosixStorage())
        #expect(after.entries == before.entries + more)
        #expect(after.hardState == state)
        #expect(after.metadata == before.metadata)
        #expect(after.report.writer == .kvd)
        #expect(after.report.cut == nil)
        #expect(after.report.endsWithMarker)
    }
}
