import FixtureSupport
import Foundation
import Cluster
import KeyStore
import RaftModel
import StorageIO
import Testing

@testable import State
@testable import Storage

@Suite struct EtcdSnapshotTests {
    private static let fixtures = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    private func crc(_ bytes: UnsafeRawBufferPointer) -> UInt32 { CRC32C.of(bytes) }

    private func decode(_ bytes: [UInt8]) throws -> StateImage {
        try bytes.withUnsafeBytes { try EtcdSnapshot.decode($0, crc32c: crc) }
    }

    /// Every `.snap` of real etcd in the fixtures, with its dir.
    private func snapshots(_ body: (URL, [UInt8]) throws -> Void) throws {
        for name in ["v2.3.8-segments", "v2.3.8-killed", "v2.3.8-cluster3"] {
            try Fixture.unpacked(name) { folder in
                let walk = FileManager.default.enumerator(
                    at: folder, includingPropertiesForKeys: nil)
                while let file = walk?.nextObject() as? URL {
                    guard file.pathExtension == "snap" else { continue }
                    try body(file, Array(Data(contentsOf: file)))
                }
            }
        }
    }

    @Test func realSnapshotsAreReadAndWrittenAgain() throws {
        var (count, exact) = (0, 0)
        try snapshots { file, bytes in
            count += 1
            let image = try decode(bytes)
            #expect(image.contentHash == image.store.recomputedHash())
            #expect(SnapshotName(file.lastPathComponent)?.index == image.index)
            #expect(SnapshotName(file.lastPathComponent)?.term == image.term)
            #expect(image.confState.members.isEmpty == false)
            let again = try decode(EtcdSnapshot.encode(image, crc32c: crc))
            #expect(again.contentHash == image.contentHash)
            #expect(again.store.currentIndex == image.store.currentIndex)
            #expect(again.eventCount == image.eventCount)
            #expect(again.confState == image.confState)
            #expect(StateEncoder.bytes(again) == StateEncoder.bytes(image))
            // Byte for byte what etcd wrote, but for who watches, while its ring has not wrapped.
            let theirs = Self.withoutWatchers(try Self.store(bytes))
            guard theirs.contains(#""Front":0,"#) else { return }
            exact += 1
            let ours = Self.withoutWatchers(EtcdSnapshot.encodeStore(image))
            let isSame = ours == theirs
            #expect(isSame, "\(file.lastPathComponent)")
        }
        #expect(count > 4 && exact > 3)
    }

    private static func store(_ file: [UInt8]) throws -> [UInt8] {
        let start = try #require(file.firstRange(of: Array(#"{"Root""#.utf8)))
        let end = try #require(file.firstRange(of: Array(#""CurrentVersion":2}"#.utf8)))
        return Array(file[start.lowerBound..<end.upperBound])
    }

    private static func withoutWatchers(_ json: [UInt8]) -> String {
        String(decoding: json, as: UTF8.self)
            .replacing(/"watchers":[0-9]+/, with: "\"watchers\":n")
    }

    @Test func everyTruncationAndFlippedByteIsRefused() throws {
        let state = RandomState.make(seed: 4, commands: 60)
        let bytes = EtcdSnapshot.encode(state.image(), crc32c: crc)
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: EtcdSnapshotError.self) { try decode(Array(bytes.prefix(count))) }
        }
        for place in stride(from: 0, to: bytes.count, by: 11) {
            var damaged = bytes
            damaged[place] ^= 0x20
            #expect(throws: EtcdSnapshotError.self, "byte \(place)") { try decode(damaged) }
        }
    }

    /// The JSON alone, as a message brings it, has no checksum: anything may come.
    @Test func hostileJSONNeverTraps() throws {
        let json = EtcdSnapshot.encodeStore(RandomState.make(seed: 9, commands: 80).image())
        var random = SplitMix64(seed: 11)
        let metadata = SnapshotMetadata(index: 5, term: 1)
        for _ in 0..<4000 {
            var damaged = json
            for _ in 0...random.below(3) {
                // Most of it is the ring's nulls.
                let place = random.below(min(damaged.count, 6000))
                switch random.below(3) {
                case 0: damaged[place] = UInt8(32 + random.below(96))
                case 1: damaged.removeSubrange(place..<min(damaged.count, place + random.below(9)))
                default: damaged.insert(UInt8(32 + random.below(96)), at: place)
                }
            }
            let image = try? damaged.withUnsafeBytes {
                try EtcdSnapshot.decodeStore($0, metadata)
            }
            if let image { #expect(image.contentHash == image.store.recomputedHash()) }
        }
    }

    @Test func theSnapshotInACapturedMessage() throws {
        let file = Self.fixtures.appending(path: "peer/post-msgsnap.bin")
        let bytes = Array(try Data(contentsOf: file))
        let message = try Message.decode(bytes)
        let snapshot = try #require(message.snapshot)
        let image = try snapshot.data.withUnsafeBytes {
            try EtcdSnapshot.decodeStore($0, snapshot.metadata)
        }
        #expect(image.index == snapshot.metadata.index && image.nodeCount > 5)
        let state = MemberState()
        state.restore(image, monotonic: 0)
        #expect(state.membership.members.isEmpty == false)
    }
}

extension Fixture {
    static let folder = root.appending(path: "etcd")

    /// A data dir that a real etcd wrote, as long as `body` runs.
    static func unpacked(_ name: String, _ body: (URL) throws -> Void) throws {
        let target = try TemporaryDirectory()
        try unpack(name, into: target)
        try body(URL(filePath: target.path).appending(path: name))
    }
}
