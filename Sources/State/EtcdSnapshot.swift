package import KeyStore
import ProtoWire
package import RaftModel

/// etcd 2.x's snapshots: `.snap` files, and the store's JSON that its leaders send in messages.
///
///     .snap      1 crc varint: CRC-32C of the data, from 0 | 2 data bytes: raftpb.Snapshot
///     its data   {"Root":NODE,"WatcherHub":{"EventHistory":{…}},"CurrentIndex":n,"Stats":{…},
///                 "CurrentVersion":2}
///     NODE       {"Path":…,"CreatedIndex":n,"ModifiedIndex":n,"ExpireTime":…,"Value":…,
///                 "Children":{name:NODE,…}}            Children null: a file
///
/// Source: `reference/disk-format.md` §3.
package enum EtcdSnapshot {
    /// Reads a `.snap` file. `crc32c` rolls a CRC-32C from 0 over bytes.
    package static func decode(
        _ file: UnsafeRawBufferPointer, crc32c: (UnsafeRawBufferPointer) -> UInt32
    ) throws(EtcdSnapshotError) -> StateImage {
        let (crc, data) = try parts(file)
        let found = crc32c(data)
        guard UInt64(found) == crc else {
            throw EtcdSnapshotError(.checksum(expected: crc, found: found))
        }
        let snapshot: Snapshot
        do throws(WireError) { snapshot = try Snapshot.decode(data) } catch {
            throw EtcdSnapshotError(.notASnapshot, offsetBytes: error.offset)
        }
        return try snapshot.data.withUnsafeBufferPointer { json throws(EtcdSnapshotError) in
            try decodeStore(UnsafeRawBufferPointer(json), snapshot.metadata)
        }
    }

    private static func parts(
        _ file: UnsafeRawBufferPointer
    ) throws(EtcdSnapshotError) -> (crc: UInt64, data: UnsafeRawBufferPointer) {
        var crc: UInt64 = 0
        var data = UnsafeRawBufferPointer(start: nil, count: 0)
        do throws(WireError) {
            var reader = WireReader(file)
            while let field = try reader.nextField() {
                switch field.number {
                case 1: crc = try reader.varint(of: field)
                case 2: data = try reader.bytes(of: field)
                default: try reader.skip(field)
                }
            }
        } catch {
            throw EtcdSnapshotError(.notASnapshot, offsetBytes: error.offset)
        }
        guard crc != 0, !data.isEmpty else { throw EtcdSnapshotError(.notASnapshot) }
        return (crc, data)
    }

    /// Reads the store's JSON alone.
    package static func decodeStore(
        _ json: UnsafeRawBufferPointer, _ metadata: SnapshotMetadata
    ) throws(EtcdSnapshotError) -> StateImage {
        // A term and an index that can be counted on from.
        guard max(metadata.term, metadata.index) <= UInt64(Int64.max) else {
            throw EtcdSnapshotError(.notASnapshot)
        }
        var reader = EtcdStoreReader(json)
        let store = try reader.read()
        return StateImage(
            store: store, term: metadata.term, index: metadata.index,
            confState: metadata.confState, clusterTime: 0)
    }
}

/// Why bytes are no snapshot of etcd's.
package struct EtcdSnapshotError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        case notASnapshot
        case checksum(expected: UInt64, found: UInt32)
        /// The JSON is not what is expected there.
        case json(expected: String)
        case time(String)
        case store(StoreImageError)
    }

    package let code: Code
    /// In the file, or in the JSON.
    package let offsetBytes: Int

    init(_ code: Code, offsetBytes: Int = 0) {
        (self.code, self.offsetBytes) = (code, offsetBytes)
    }

    package var description: String {
        switch code {
        case .notASnapshot: "it is no snapshot of etcd's (byte \(offsetBytes))"
        case .checksum(let expected, let found):
            "its data has the checksum \(String(found, radix: 16)) instead of "
                + String(expected, radix: 16)
        case .json(let expected): "byte \(offsetBytes) of its JSON is not \(expected)"
        case .time(let text): "\(text) is no time (byte \(offsetBytes) of its JSON)"
        case .store(let error): "\(error)"
        }
    }
}
