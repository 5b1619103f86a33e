package import ProtoWire
public import RaftModel

/// The write-ahead log's bytes. This file and `WALMarker` own the layout.
///
/// A segment, `<sequence>-<firstIndex>.wal` (16 lowercase hex digits each), is frames back to
/// back, then, if it was preallocated, zeros. Integers little-endian, sizes in bytes, no alignment:
///
///     0          8          8+L
///     +----------+----------+----------+----------+-- ... --+---------------+
///     | length L | record   | length L | record   |         | zeros, or EOF |
///     | i64      | L bytes  | i64      | L bytes  |         |               |
///     +----------+----------+----------+----------+-- ... --+---------------+
///
/// etcd 3.x pads a record to a multiple of 8: its length word then has the top bit set, the count
/// of padding bytes in the three bits 56 to 58, and L in the low 56. We read that, never write it.
///
/// A record is protobuf: 1 type varint, 2 crc varint, 3 data bytes (left out if there are none).
/// Its crc is CRC-32C rolled from 0 over the `data` of every record of the log up to and with
/// this one, but for records of type 4: those carry the value so far and add nothing to it.
///
///     type  name      data
///     1     metadata  1 member id varint | 2 cluster id varint
///     2     entry     raftpb.Entry
///     3     state     raftpb.HardState
///     4     crc       none by etcd; our sync marker (`WALMarker`), which etcd passes over
///     5     snapshot  1 index varint | 2 term varint
///
/// The first segment begins with crc 0, metadata, snapshot (0, 0); each later one with the crc so
/// far, the same metadata, and the last state if there was one. In our segments that first crc
/// record is a marker too, so that every byte belongs to a batch that a marker covers.
///
/// Source: `reference/disk-format.md` §2 and §7.
package enum WALFormat {
    package static let lengthBytes = 8
    /// type, its tag, crc's tag, a crc of five bytes, data's tag; the data's length comes on top.
    static let recordHeaderBytesMax = 2 + 1 + 5 + 1
    /// What a frame takes on top of its data, at most.
    static let overheadBytesMax = lengthBytes + recordHeaderBytesMax + 5
    /// The longest data of a record. Lengths are checked against it before use.
    package static let recordBytesMax = 1 << 28
    /// Writes end here where they can: whole pages need not be read before they are written.
    static let pageBytes = 4096
    /// What a disk writes as a whole or not at all.
    static let sectorBytes = 512
}

package enum WALRecordType: UInt8, Sendable {
    case metadata = 1
    case entry = 2
    case state = 3
    case crc = 4
    case snapshot = 5
}

/// Whose log it is: the data of a segment's metadata record.
public struct WALMetadata: Equatable, Sendable {
    public var memberID: MemberID
    public var clusterID: ClusterID

    public init(memberID: MemberID, clusterID: ClusterID) {
        self.memberID = memberID
        self.clusterID = clusterID
    }

    package var encoded: [UInt8] {
        VarintPair(memberID.rawValue, clusterID.rawValue).encoded
    }

    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> WALMetadata {
        let pair = try VarintPair.decode(bytes)
        return WALMetadata(memberID: MemberID(pair.first), clusterID: ClusterID(pair.second))
    }
}

/// "A snapshot of the state after this entry is safe": the data of a snapshot record.
public struct WALSnapshotRecord: Equatable, Sendable {
    public var index: UInt64
    public var term: UInt64

    /// Before any entry: what a log without snapshots starts from.
    public static let none = WALSnapshotRecord(index: 0, term: 0)

    public init(index: UInt64, term: UInt64) {
        self.index = index
        self.term = term
    }

    package var encoded: [UInt8] { VarintPair(index, term).encoded }

    package static func decode(
        _ bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> WALSnapshotRecord {
        let pair = try VarintPair.decode(bytes)
        return WALSnapshotRecord(index: pair.first, term: pair.second)
    }
}

/// Fields 1 and 2, both varints: what the two small messages of the log have in common.
private struct VarintPair {
    var first: UInt64 = 0
    var second: UInt64 = 0

    init() {}

    init(_ first: UInt64, _ second: UInt64) {
        self.first = first
        self.second = second
    }

    var encoded: [UInt8] {
        let size = WireSize.varintField(1, first) + WireSize.varintField(2, second)
        return [UInt8](unsafeUninitializedCapacity: size) { memory, count in
            var writer = WireWriter(UnsafeMutableRawBufferPointer(memory))
            writer.varintField(1, first)
            writer.varintField(2, second)
            precondition(writer.count == size)
            count = size
        }
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> VarintPair {
        var pair = VarintPair()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: pair.first = try reader.varint(of: field)
            case 2: pair.second = try reader.varint(of: field)
            default: try reader.skip(field)
            }
        }
        return pair
    }
}

/// A segment's file name: `<sequence>-<firstIndex>.wal`.
public struct WALSegmentName: Hashable, Sendable, CustomStringConvertible {
    /// Counts from 0, by one.
    public var sequence: UInt64
    /// The index after the last one saved when the segment was begun.
    public var firstIndex: UInt64

    public init(sequence: UInt64, firstIndex: UInt64) {
        self.sequence = sequence
        self.firstIndex = firstIndex
    }

    /// Nil if `name` is not a segment's.
    public init?(_ name: String) {
        let bytes = Array(name.utf8)
        guard bytes.count == 37, bytes[16] == 0x2d, bytes[33...].elementsEqual(".wal".utf8),
            let sequence = Self.hexNumber(bytes[..<16]),
            let firstIndex = Self.hexNumber(bytes[17..<33])
        else { return nil }
        self.init(sequence: sequence, firstIndex: firstIndex)
    }

    public var description: String {
        "\(Self.hexDigits(sequence))-\(Self.hexDigits(firstIndex)).wal"
    }

    static func hexDigits(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    private static func hexNumber(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt64(digit - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(digit - 0x61 + 10)
            default: return nil
            }
        }
        return value
    }
}
