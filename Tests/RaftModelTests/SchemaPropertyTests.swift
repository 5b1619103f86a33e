import Foundation
import RaftModel
import SchemaSupport
import SwiftProtobuf
import Testing

/// swift-protobuf, which reads `Fixtures/schema/raft.proto` and nothing of ours, must agree with
/// our encoders and decoders on every random value. Eight types, 4,000 values each, both ways:
/// 64,000 values in all. A failure names its seed.
@Suite struct SchemaPropertyTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4]
    private static let valuesPerSeed = 1000

    @Test(arguments: seeds) func entries(_ seed: UInt64) throws {
        try agree(Entry.self, seed)
    }
    @Test(arguments: seeds) func hardStates(_ seed: UInt64) throws {
        try agree(HardState.self, seed)
    }
    @Test(arguments: seeds) func confStates(_ seed: UInt64) throws {
        try agree(ConfState.self, seed)
    }
    @Test(arguments: seeds) func snapshotMetadata(_ seed: UInt64) throws {
        try agree(SnapshotMetadata.self, seed)
    }
    @Test(arguments: seeds) func snapshots(_ seed: UInt64) throws {
        try agree(Snapshot.self, seed)
    }
    @Test(arguments: seeds) func messages(_ seed: UInt64) throws {
        try agree(RaftModel.Message.self, seed)
    }
    @Test(arguments: seeds) func confChanges(_ seed: UInt64) throws {
        try agree(ConfChange.self, seed)
    }
    @Test(arguments: seeds) func requests(_ seed: UInt64) throws {
        try agree(Request.self, seed)
    }

    @Test(arguments: seeds) func packedConfStates(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<Self.valuesPerSeed {
            let state = ConfState.random(&random)
            let packed = SchemaPackedConfState.with { $0.members = state.members.map(\.rawValue) }
            let bytes: [UInt8] = try packed.serializedBytes()
            #expect(try ConfState.decode(bytes) == state)
        }
    }

    /// Both directions for one type.
    private func agree<T: SchemaValue & RandomValue>(_ type: T.Type, _ seed: UInt64) throws
    where T.Schema: RandomSchema {
        var random = SplitMix64(seed: seed)
        for _ in 0..<Self.valuesPerSeed {
            let value = T.random(&random)
            for dialect in [WireDialect.etcd23, .etcd20] {
                let bytes = value.encoded(dialect)
                #expect(bytes.count == value.encodedSize(dialect))
                #expect(try T.Schema(serializedBytes: bytes) == value.schema(dialect))
                #expect(try T.decode(bytes) == value)
            }
        }
        for _ in 0..<Self.valuesPerSeed {
            let schema = T.Schema(&random)
            let known: [UInt8] = try schema.serializedBytes()
            let bytes = random.unknownFields() + known + random.unknownFields()
            #expect(try T.decode(bytes) == T(schema: schema))
        }
    }
}
