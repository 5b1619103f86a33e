import ProtoWire
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// `kvd-dump export`: a data dir that a real etcd 2.3 opens, for going back.
///
/// Ids and members stay, so it takes the member's place in its cluster: once all members have been
/// exported at the same index, or when one goes back and the others bring it up to date. Layout of
/// the log: `reference/disk-format.md` §2 and §6.
package struct Export {
    package static func run(
        dataDir: String, toEtcd target: String, _ output: Output
    ) throws(DumpError) {
        let dirs = try DataDirFinder.dirs(dataDir)
        guard try !DataDirFinder.exists(target) else {
            throw DumpError("\(target) is there already. Export into a new directory.")
        }
        let replay = try DumpError.catching {
            try StateReplay.run(snapPath: dirs.snap, walPath: dirs.wal)
        }
        let image = replay.state.image()
        guard image.index > 0 else {
            throw DumpError("\(dirs.member) holds nothing that is committed.")
        }
        try write(image, replay, to: target)
        output.line(
            "\(target): member \(replay.metadata.memberID) of cluster \(replay.metadata.clusterID), index "
                + "\(image.index), term \(image.term), \(image.nodeCount) keys, for etcd 2.3")
    }

    private static func write(
        _ image: StateImage, _ replay: StateReplay, to target: String
    ) throws(DumpError) {
        let storage = PosixStorage()
        try DumpError.catching {
            for path in [
                target, "\(target)/member", "\(target)/member/wal", "\(target)/member/snap",
            ] {
                try storage.createDirectory(path)
            }
            let name = SnapshotName(term: image.term, index: image.index, format: .etcd)
            let snapshot = try storage.open("\(target)/member/snap/\(name)", for: .creating)
            try snapshot.write(EtcdSnapshot.encode(image, crc32c: { CRC32C.of($0) }), at: 0)
            try snapshot.sync()
            var log = EtcdLog()
            log.add(.metadata, replay.metadata.encodedBytes)
            log.add(.snapshot, WALSnapshotRecord.none.encodedBytes)
            var state = replay.hardState
            state.commit = image.index
            log.add(
                .snapshot, WALSnapshotRecord(index: image.index, term: image.term).encodedBytes)
            log.add(.state, state.encoded())
            let segment = WALSegmentName(sequence: 0, firstIndex: 0)
            let file = try storage.open("\(target)/member/wal/\(segment)", for: .creating)
            try file.write(log.bytes, at: 0)
            try file.sync()
            for path in [
                "\(target)/member/wal", "\(target)/member/snap", "\(target)/member", target,
            ] {
                try storage.syncDirectory(path)
            }
        }
    }
}

/// Plain frames, as etcd 2.x writes and reads them.
private struct EtcdLog {
    private(set) var bytes: [UInt8] = []
    private var rolling = CRC32C()

    init() { add(.crc, []) }

    mutating func add(_ type: WALRecordType, _ data: [UInt8]) {
        rolling.update(data)
        var record: [UInt8] = [0x08, type.rawValue, 0x10]
        record += Self.varint(UInt64(rolling.value))
        if !data.isEmpty {
            record.append(0x1a)
            record += Self.varint(UInt64(data.count))
            record += data
        }
        withUnsafeBytes(of: UInt64(record.count).littleEndian) { bytes += $0 }
        bytes += record
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (rest, bytes) = (value, [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(truncatingIfNeeded: rest)]
    }
}
