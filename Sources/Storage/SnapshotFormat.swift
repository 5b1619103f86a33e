public import RaftModel
import StorageIO

/// A snapshot file's bytes. This file and `SnapshotHeader` own the layout.
///
///     +--------------------+-----------------------------------+---------------------+
///     | header             | one LZ4 frame: the state          | trailer             |
///     | skippable frame    | independent blocks, checksums     | skippable frame     |
///     +--------------------+-----------------------------------+---------------------+
///
/// Header and trailer are *skippable* frames of the LZ4 format, which every LZ4 reader passes over:
/// `lz4 -t FILE.ksnap` checks a snapshot, `lz4 -dc FILE.ksnap` gives the state's bytes. All that the
/// header says is known before the first byte of the state is, so that a snapshot can be written
/// to a socket as well as to a file. Integers little-endian.
///
///     trailer
///     0       4      8       16           24          32      36      40
///     +-------+------+-------+------------+-----------+-------+-------+
///     | frame | size | magic | stateBytes | fileBytes | crc   | own   |
///     | u32   | u32  | u64   | u64        | u64       | u32   | u32   |
///     +-------+------+-------+------------+-----------+-------+-------+
///
/// - `stateBytes`: of the state, not compressed. `fileBytes`: of all in front of the trailer.
/// - `crc`: CRC-32C of all in front of the trailer. `own`: of the trailer's first 36 bytes.
enum SnapshotFormat {
    /// What skippable frames begin with; their last digit is free, and ours to tell the two apart.
    static let headerFrame: UInt32 = 0x184d_2a5a
    static let trailerFrame: UInt32 = 0x184d_2a5b
    /// "kvd snap" and "kvd tail", read as bytes.
    static let headerMagic = Array("kvd snap".utf8)
    static let trailerMagic = Array("kvd tail".utf8)
    static let version: UInt32 = 1
    static let trailerBytes = 40
    /// The frame's own two words, and the header without members.
    static let headerBytesMin = 104 + 4
    static let membersMax = 4096
    static let headerBytesMax = headerBytesMin + membersMax * 8
    /// The smallest frame: head, end mark, checksum.
    static let frameBytesMin = 7 + 4 + 4
    /// Written and synced at once.
    static let pieceBytes = 1 << 20
}

/// What a snapshot is of, as the first part of its file says it.
///
///     0       4      8       16        20     24        32       40     48      56
///     +-------+------+-------+---------+------+---------+--------+------+-------+
///     | frame | size | magic | version | n    | cluster | member | term | index |
///     | u32   | u32  | u64   | u32     | u32  | u64     | u64    | u64  | u64   |
///     +-------+------+-------+---------+------+---------+--------+------+-------+
///     56           64            72          80           88            96          104
///     +------------+-------------+-----------+------------+-------------+-----------+
///     | storeIndex | contentHash | nodeCount | eventCount | clusterTime | createdAt |
///     | u64        | u64         | u64       | u64        | i64         | i64       |
///     +------------+-------------+-----------+------------+-------------+-----------+
///     104           104+8n     108+8n
///     +-------------+----------+
///     | n × member  | crc      |     crc: CRC-32C of all in front of it
///     | u64         | u32      |
///     +-------------+----------+
public struct SnapshotHeader: Equatable, Sendable {
    /// Who wrote it.
    public var member: MemberID
    public var cluster: ClusterID
    /// Of the last entry that the state has applied.
    public var term: UInt64
    public var index: UInt64
    /// Who voted then.
    public var confState: ConfState
    /// The store's own index.
    public var storeIndex: UInt64
    /// What the store's content hashes to: every restore compares it.
    public var contentHash: UInt64
    /// Keys and directories.
    public var nodeCount: UInt64
    /// Events of the watch history.
    public var eventCount: UInt64
    /// The cluster's clock, in Unix nanoseconds; 0: not known.
    public var clusterTime: Int64
    /// By the writer's wall clock, in Unix nanoseconds; for people.
    public var createdAt: Int64

    public init(
        member: MemberID, cluster: ClusterID, term: UInt64, index: UInt64, confState: ConfState,
        storeIndex: UInt64, contentHash: UInt64, nodeCount: UInt64, eventCount: UInt64,
        clusterTime: Int64, createdAt: Int64
    ) {
        precondition(confState.members.count <= SnapshotFormat.membersMax)
        (self.member, self.cluster) = (member, cluster)
        (self.term, self.index) = (term, index)
        self.confState = confState
        (self.storeIndex, self.contentHash) = (storeIndex, contentHash)
        (self.nodeCount, self.eventCount) = (nodeCount, eventCount)
        (self.clusterTime, self.createdAt) = (clusterTime, createdAt)
    }

    public var metadata: SnapshotMetadata {
        SnapshotMetadata(confState: confState, index: index, term: term)
    }

    public var name: SnapshotName { SnapshotName(term: term, index: index, format: .kvd) }

    var encoded: [UInt8] {
        var bytes = ByteList()
        bytes.add(SnapshotFormat.headerFrame)
        bytes.add(UInt32(SnapshotFormat.headerBytesMin - 8 + confState.members.count * 8))
        bytes.all += SnapshotFormat.headerMagic
        bytes.add(SnapshotFormat.version)
        bytes.add(UInt32(confState.members.count))
        for word in [
            cluster.rawValue, member.rawValue, term, index, storeIndex, contentHash, nodeCount,
            eventCount, UInt64(bitPattern: clusterTime), UInt64(bitPattern: createdAt),
        ] { bytes.add(word) }
        for voter in confState.members { bytes.add(voter.rawValue) }
        bytes.add(CRC32C.of(bytes.all))
        return bytes.all
    }

    /// How long the header is that begins with these bytes, `headerBytesMin` of them; nil: it is none.
    static func size(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= SnapshotFormat.headerBytesMin,
            bytes.u32(0) == SnapshotFormat.headerFrame,
            bytes[8..<16].elementsEqual(SnapshotFormat.headerMagic)
        else { return nil }
        let size = Int(bytes.u32(4)) + 8
        return (SnapshotFormat.headerBytesMin...SnapshotFormat.headerBytesMax).contains(size)
            ? size : nil
    }

    /// Reads all of a header.
    static func decode(_ bytes: UnsafeRawBufferPointer) throws(SnapshotDamage) -> SnapshotHeader {
        guard size(bytes) == bytes.count else { throw .notASnapshot }
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)])
        guard CRC32C.of(body) == bytes.u32(bytes.count - 4) else { throw .headerChecksum }
        // Checked by now: what follows is what was written.
        guard bytes.u32(16) == SnapshotFormat.version else { throw .version(bytes.u32(16)) }
        let count = Int(bytes.u32(20))
        // A term and an index that can be counted on from.
        guard max(bytes.u64(40), bytes.u64(48)) <= UInt64(Int64.max) else { throw .notASnapshot }
        guard SnapshotFormat.headerBytesMin + count * 8 == bytes.count else { throw .notASnapshot }
        let voters = (0..<count).map { MemberID(bytes.u64(104 + 8 * $0)) }
        return SnapshotHeader(
            member: MemberID(bytes.u64(32)), cluster: ClusterID(bytes.u64(24)),
            term: bytes.u64(40), index: bytes.u64(48), confState: ConfState(members: voters),
            storeIndex: bytes.u64(56), contentHash: bytes.u64(64), nodeCount: bytes.u64(72),
            eventCount: bytes.u64(80), clusterTime: Int64(bitPattern: bytes.u64(88)),
            createdAt: Int64(bitPattern: bytes.u64(96)))
    }
}

/// The last part of a snapshot file.
struct SnapshotTrailer: Equatable {
    var stateBytes: UInt64
    var fileBytes: UInt64
    var crc: UInt32

    var encoded: [UInt8] {
        var bytes = ByteList()
        bytes.add(SnapshotFormat.trailerFrame)
        bytes.add(UInt32(SnapshotFormat.trailerBytes - 8))
        bytes.all += SnapshotFormat.trailerMagic
        bytes.add(stateBytes)
        bytes.add(fileBytes)
        bytes.add(crc)
        bytes.add(CRC32C.of(bytes.all))
        return bytes.all
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) throws(SnapshotDamage) -> SnapshotTrailer {
        guard bytes.count == SnapshotFormat.trailerBytes,
            bytes.u32(0) == SnapshotFormat.trailerFrame,
            Int(bytes.u32(4)) == SnapshotFormat.trailerBytes - 8,
            bytes[8..<16].elementsEqual(SnapshotFormat.trailerMagic)
        else { throw .noTrailer }
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<36])
        guard CRC32C.of(body) == bytes.u32(36) else { throw .noTrailer }
        return SnapshotTrailer(
            stateBytes: bytes.u64(16), fileBytes: bytes.u64(24), crc: bytes.u32(32))
    }
}

/// Bytes that are put together number by number.
struct ByteList {
    var all: [UInt8] = []

    mutating func add(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { all += $0 } }
    mutating func add(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { all += $0 } }
}

extension UnsafeRawBufferPointer {
    func u32(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    func u64(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
