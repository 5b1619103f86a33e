import Foundation
import ProtoWire
import RaftModel
import Testing

/// Logs and snapshot files that real servers wrote come back byte for byte.
@Suite struct CapturedLogTests {
    /// A log's records, by type (`reference/disk-format.md` §2.1, §2.2).
    private struct Record {
        var type: UInt64 = 0
        var data: [UInt8] = []

        static func all(in log: [UInt8]) throws -> [Record] {
            var records: [Record] = []
            var cutter = Cutter(log)
            while !cutter.isAtEnd {
                let bytes = cutter.bytes(cutter.littleEndian())
                let record = try bytes.withUnsafeBytes { raw in
                    var record = Record()
                    var reader = WireReader(raw)
                    while let field = try reader.nextField() {
                        switch field.number {
                        case 1: record.type = try reader.varint(of: field)
                        case 3: record.data = Array(try reader.bytes(of: field))
                        default: try reader.skip(field)
                        }
                    }
                    return record
                }
                records.append(record)
            }
            return records
        }
    }

    /// The counts are those of another reader's listing of the same files.
    @Test(arguments: [
        ("v2.0.13-single", WireDialect.etcd20, 62, 61),
        ("v2.3.8-cluster3", WireDialect.etcd23, 411, 399),
        ("v2.3.8-killed", WireDialect.etcd23, 4329, 3198),
    ])
    func logsComeBackIdentical(
        _ name: String, _ dialect: WireDialect, _ entries: Int, _ states: Int
    ) throws {
        var entryCount = 0
        var stateCount = 0
        for log in try CapturedFiles.unpacked(name, suffix: ".wal") {
            for record in try Record.all(in: log) {
                switch record.type {
                case 2:
                    let entry = try Entry.decode(record.data)
                    #expect(entry.encoded(dialect) == record.data)
                    try CommandCheck.check(entry, dialect)
                    entryCount += 1
                case 3:
                    let state = try HardState.decode(record.data)
                    #expect(state.encoded(dialect) == record.data)
                    stateCount += 1
                default: break
                }
            }
        }
        #expect(entryCount == entries)
        #expect(stateCount == states)
    }

    @Test(arguments: ["v2.3.8-cluster3", "v2.3.8-killed"])
    func snapshotFilesComeBackIdentical(_ name: String) throws {
        let files = try CapturedFiles.unpacked(name, suffix: ".snap")
        #expect(!files.isEmpty)
        for file in files {
            // 1 crc, 2 data: a file around the snapshot (§3).
            let data = try file.withUnsafeBytes { raw in
                var data: [UInt8] = []
                var reader = WireReader(raw)
                while let field = try reader.nextField() {
                    if field.number == 2 {
                        data = Array(try reader.bytes(of: field))
                    } else {
                        try reader.skip(field)
                    }
                }
                return data
            }
            let snapshot = try Snapshot.decode(data)
            #expect(!snapshot.isEmpty && !snapshot.metadata.confState.members.isEmpty)
            #expect(snapshot.encodedSize == data.count)
            #expect(snapshot.encoded() == data)
        }
    }
}
