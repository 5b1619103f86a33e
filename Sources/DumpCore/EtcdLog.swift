import ProtoWire
import RaftModel
import Storage
import StorageIO

/// The bytes of a log as etcd 2.3 writes it: one segment of plain frames, nothing behind the last.
/// (`WALFormat` has the layout; kvd's own markers and preallocated zeros are not for etcd 2.)
struct EtcdLog {
    private(set) var bytes: [UInt8] = []
    private var crc = CRC32C()

    static let segment = WALSegmentName(sequence: 0, firstIndex: 0)

    /// A log that begins behind `snapshot`.
    init(_ metadata: WALMetadata, _ snapshot: WALSnapshotRecord) {
        append(.crc, [])
        append(.metadata, metadata.encoded)
        append(.snapshot, WALSnapshotRecord.none.encoded)
        append(.snapshot, snapshot.encoded)
    }

    mutating func append(_ entry: Entry) { append(.entry, entry.encoded()) }

    mutating func append(_ state: HardState) { append(.state, state.encoded()) }

    private mutating func append(_ type: WALRecordType, _ data: [UInt8]) {
        if !data.isEmpty { data.withUnsafeBytes { crc.update($0) } }
        var record: [UInt8] = [0x08, type.rawValue, 0x10] + Self.varint(UInt64(crc.value))
        if !data.isEmpty { record += [0x1a] + Self.varint(UInt64(data.count)) + data }
        withUnsafeBytes(of: UInt64(record.count).littleEndian) { bytes += $0 }
        bytes += record
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (rest, bytes) = (value, [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
