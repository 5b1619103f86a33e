import Foundation
import ProtoWire
import SchemaSupport
import SwiftProtobuf

/// Random messages as another encoder than ours may write them: any field may be missing, and
/// fields nobody knows may follow.
protocol RandomSchema: SwiftProtobuf.Message {
    init(_ random: inout SplitMix64)
}

extension SplitMix64 {
    fileprivate mutating func data() -> Data { Data(bytes()) }

    /// Up to four fields with numbers above all that the schema has, of every wire type.
    mutating func unknownFields() -> [UInt8] {
        var fields: [UInt8] = []
        for _ in 0..<below(5) {
            let number = 18 + UInt64(below(coin() ? 200 : ProtoWire.fieldNumberMax - 17))
            switch below(4) {
            case 0: fields += Self.varints(number << 3, integer())
            case 1: fields += Self.varints(number << 3 | 1) + [1, 2, 3, 4, 5, 6, 7, 8]
            case 2:
                let payload = bytes().prefix(200)
                fields += Self.varints(number << 3 | 2, UInt64(payload.count)) + payload
            default: fields += Self.varints(number << 3 | 5) + [9, 9, 9, 9]
            }
        }
        return fields
    }

    private static func varints(_ values: UInt64...) -> [UInt8] {
        var bytes: [UInt8] = []
        for var value in values {
            while value >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
                value >>= 7
            }
            bytes.append(UInt8(value))
        }
        return bytes
    }

    /// A message with its unknown fields, which swift-protobuf keeps and writes again.
    fileprivate mutating func message<M: RandomSchema>() -> M {
        var message = M(&self)
        // `unknownFields` writes well-formed fields only; if it does not, the test must stop.
        if coin() { try! message.merge(serializedBytes: unknownFields()) }
        return message
    }

    /// Sets a field one time in two.
    fileprivate mutating func maybe(_ set: (inout SplitMix64) -> Void) {
        if coin() { set(&self) }
    }
}

extension SchemaEntry: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        random.maybe { kind = $0.pick(SchemaEntryKind.allCases) }
        random.maybe { term = $0.integer() }
        random.maybe { index = $0.integer() }
        random.maybe { data = $0.data() }
    }
}

extension SchemaHardState: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        random.maybe { term = $0.integer() }
        random.maybe { vote = $0.integer() }
        random.maybe { commit = $0.integer() }
    }
}

extension SchemaConfState: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        members = (0..<random.below(10)).map { _ in random.integer() }
    }
}

extension SchemaSnapshotMetadata: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        random.maybe { confState = $0.message() }
        random.maybe { index = $0.integer() }
        random.maybe { term = $0.integer() }
    }
}

extension SchemaSnapshot: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        random.maybe { data = $0.data() }
        random.maybe { metadata = $0.message() }
    }
}

extension SchemaMessage: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        random.maybe { kind = $0.pick(SchemaMessageKind.allCases) }
        random.maybe { to = $0.integer() }
        random.maybe { from = $0.integer() }
        random.maybe { term = $0.integer() }
        random.maybe { logTerm = $0.integer() }
        random.maybe { index = $0.integer() }
        random.maybe { r in entries = (0..<r.below(6)).map { _ in r.message() } }
        random.maybe { commit = $0.integer() }
        random.maybe { snapshot = $0.message() }
        random.maybe { reject = $0.coin() }
        random.maybe { rejectHint = $0.integer() }
        random.maybe { context = $0.data() }
    }
}

extension SchemaConfChange: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        random.maybe { id = $0.integer() }
        random.maybe { kind = $0.pick(SchemaConfChangeKind.allCases) }
        random.maybe { member = $0.integer() }
        random.maybe { context = $0.data() }
    }
}

extension SchemaRequest: RandomSchema {
    init(_ random: inout SplitMix64) {
        self.init()
        let words = ["PUT", "POST", "DELETE", "QGET", "SYNC", "", "GET", "put", "PUTS", "QGE"]
        random.maybe { id = $0.integer() }
        random.maybe { method = Data($0.pick(words).utf8) }
        random.maybe { path = $0.data() }
        random.maybe { value = $0.data() }
        random.maybe { isDirectory = $0.coin() }
        random.maybe { previousValue = $0.data() }
        random.maybe { previousIndex = $0.integer() }
        random.maybe { previousExists = $0.coin() }
        random.maybe { expiration = Int64(bitPattern: $0.integer()) }
        random.maybe { wait = $0.coin() }
        random.maybe { since = $0.integer() }
        random.maybe { recursive = $0.coin() }
        random.maybe { sorted = $0.coin() }
        random.maybe { quorum = $0.coin() }
        random.maybe { time = Int64(bitPattern: $0.integer()) }
        random.maybe { stream = $0.coin() }
        random.maybe { refresh = $0.coin() }
    }
}
