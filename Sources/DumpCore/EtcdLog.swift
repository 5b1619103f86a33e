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
        let (kind, sum) = (UInt64(type.rawValue), UInt64(crc.value))
        var size = WireSize.varintField(1, kind) + WireSize.varintField(2, sum)
        if !data.isEmpty { size += WireSize.bytesField(3, count: data.count) }
        bytes += [UInt8](unsafeUninitializedCapacity: 8 + size) { memory, count in
            var writer = WireWriter(UnsafeMutableRawBufferPointer(memory))
            writer.littleEndian(UInt64(size))
            writer.varintField(1, kind)
            writer.varintField(2, sum)
            if !data.isEmpty { writer.bytesField(3, data) }
            count = writer.count
        }
    }
}
