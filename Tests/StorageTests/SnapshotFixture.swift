import Foundation
import RaftModel
import StorageIO

@testable import Storage

/// Snapshots on a simulated disk.
struct SnapshotFixture {
    static let directory = "/d/snap"

    let storage: SimulatedStorage
    let snapshots: SnapshotDirectory<SimulatedStorage>

    init(seed: UInt64 = 1) throws {
        storage = SimulatedStorage(seed: seed)
        for path in ["/d", "/d/snap"] { try storage.createDirectory(path) }
        for path in ["/", "/d"] { try storage.syncDirectory(path) }
        snapshots = SnapshotDirectory(Self.directory, storage: storage)
    }

    static func header(index: UInt64 = 7, term: UInt64 = 3, voters: Int = 3) -> SnapshotHeader {
        SnapshotHeader(
            member: MemberID(0xa1), cluster: ClusterID(0xc1), term: term, index: index,
            confState: ConfState(members: (0..<voters).map { MemberID(UInt64($0) + 1) }),
            storeIndex: 5, contentHash: 0xdead_beef_0123_4567, nodeCount: 9, eventCount: 4,
            clusterTime: 1_700_000_000_000_000_000, createdAt: 1_700_000_001_000_000_000)
    }

    /// Half of it compresses, half of it does not.
    static func state(_ count: Int) -> [UInt8] {
        var bits: UInt64 = 0x9e37_79b9_7f4a_7c15
        return (0..<count).map { position in
            guard position / 1000 % 2 == 1 else { return UInt8(truncatingIfNeeded: position / 100) }
            bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: bits >> 33)
        }
    }

    @discardableResult
    func write(
        _ state: [UInt8], _ header: SnapshotHeader = header(), pieces: Int = 100_000
    ) throws -> SnapshotFile {
        let writer = try snapshots.create(header)
        do {
            for start in stride(from: 0, to: state.count, by: pieces) {
                try state[start..<min(start + pieces, state.count)].withUnsafeBytes {
                    try writer.append($0)
                }
            }
            return try writer.finish()
        } catch {
            writer.abandon()
            throw error
        }
    }

    static func read(_ reader: SnapshotReader<some FileStorage>) throws -> [UInt8] {
        var state: [UInt8] = []
        while let piece = try reader.next() { state += piece }
        return state
    }

    /// What a reader makes of these bytes as a file.
    static func read(bytes: [UInt8]) throws -> [UInt8] {
        let fixture = try SnapshotFixture()
        fixture.storage.replaceContents(of: "\(directory)/x.ksnap", with: bytes)
        return try read(SnapshotReader("\(directory)/x.ksnap", storage: fixture.storage))
    }

    /// The bytes of a small snapshot's file.
    static func bytes(_ state: [UInt8]) throws -> [UInt8] {
        let fixture = try SnapshotFixture()
        let file = try fixture.write(state)
        return fixture.storage.contents(of: file.path)
    }
}
