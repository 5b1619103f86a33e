public import ProtoWire

/// One entry of the replicated log.
///
///     1 kind varint | 2 term varint | 3 index varint | 4 data bytes, left out when empty
///
/// Source: raftpb.Entry, `reference/disk-format.md` §2.2.
public struct Entry: WireCodable, Equatable {
    public enum Kind: UInt8, Sendable {
        case normal = 0
        case confChange = 1
    }

    public var kind: Kind
    public var term: UInt64
    public var index: UInt64
    /// A command's or conf change's bytes; empty in a new leader's first entry.
    public var data: [UInt8]

    @inlinable
    public init(kind: Kind = .normal, term: UInt64 = 0, index: UInt64 = 0, data: [UInt8] = []) {
        self.kind = kind
        self.term = term
        self.index = index
        self.data = data
    }

    @inlinable
    public func encodedSize(_ dialect: WireDialect) -> Int {
        let fixed = 4 + WireSize.varint(term) + WireSize.varint(index)
        if data.isEmpty, dialect == .etcd23 { return fixed }
        return fixed + WireSize.bytesField(4, count: data.count)
    }

    @inlinable
    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        writer.varintField(1, UInt64(kind.rawValue))
        writer.varintField(2, term)
        writer.varintField(3, index)
        if !data.isEmpty || dialect == .etcd20 { writer.bytesField(4, data) }
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Entry {
        var entry = Entry()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1:
                let raw = try reader.varint(of: field)
                guard let kind = UInt8(exactly: raw).flatMap(Kind.init(rawValue:)) else {
                    throw WireError(.unknownValue(raw, field: 1), at: reader.offset)
                }
                entry.kind = kind
            case 2: entry.term = try reader.varint(of: field)
            case 3: entry.index = try reader.varint(of: field)
            case 4: entry.data = Array(try reader.bytes(of: field))
            default: try reader.skip(field)
            }
        }
        return entry
    }
}
