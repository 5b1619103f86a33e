public import ProtoWire

/// A change of the membership, as an entry of kind `.confChange` carries it.
///
///     1 id varint | 2 kind varint | 3 member varint | 4 context bytes, left out when empty
///
/// Source: raftpb.ConfChange, `reference/disk-format.md` §4.2. `id` finds the waiting proposer;
/// `context` is the JSON of a member for `.add` and `.update`.
public struct ConfChange: WireCodable, Equatable {
    public enum Kind: UInt8, Sendable {
        case add = 0
        case remove = 1
        case update = 2
    }

    public var id: UInt64
    public var kind: Kind
    public var member: MemberID
    public var context: [UInt8]

    public init(id: UInt64 = 0, kind: Kind = .add, member: MemberID = .none, context: [UInt8] = [])
    {
        self.id = id
        self.kind = kind
        self.member = member
        self.context = context
    }

    public func encodedSize(_ dialect: WireDialect) -> Int {
        let fixed =
            WireSize.varintField(1, id) + WireSize.varintField(2, UInt64(kind.rawValue))
            + WireSize.varintField(3, member.rawValue)
        if context.isEmpty, dialect == .etcd23 { return fixed }
        return fixed + WireSize.bytesField(4, count: context.count)
    }

    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        writer.varintField(1, id)
        writer.varintField(2, UInt64(kind.rawValue))
        writer.varintField(3, member.rawValue)
        if !context.isEmpty || dialect == .etcd20 { writer.bytesField(4, context) }
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> ConfChange {
        var change = ConfChange()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: change.id = try reader.varint(of: field)
            case 2:
                let raw = try reader.varint(of: field)
                guard let kind = UInt8(exactly: raw).flatMap(Kind.init(rawValue:)) else {
                    throw WireError(.unknownValue(raw, field: 2), at: reader.offset)
                }
                change.kind = kind
            case 3: change.member = MemberID(try reader.varint(of: field))
            case 4: change.context = Array(try reader.bytes(of: field))
            default: try reader.skip(field)
            }
        }
        return change
    }
}
