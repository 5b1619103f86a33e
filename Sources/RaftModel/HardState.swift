public import ProtoWire

/// What a member must not forget: its term, its vote in it, and how far it knew the log committed.
///
///     1 term varint | 2 vote varint | 3 commit varint
///
/// Source: raftpb.HardState, `reference/disk-format.md` §2.2.
public struct HardState: WireCodable, Equatable {
    public var term: UInt64
    public var vote: MemberID
    public var commit: UInt64

    public static let empty = HardState()

    @inlinable
    public init(term: UInt64 = 0, vote: MemberID = .none, commit: UInt64 = 0) {
        self.term = term
        self.vote = vote
        self.commit = commit
    }

    public var isEmpty: Bool { self == .empty }

    public func encodedSize(_ dialect: WireDialect) -> Int {
        3 + WireSize.varint(term) + WireSize.varint(vote.rawValue) + WireSize.varint(commit)
    }

    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        writer.varintField(1, term)
        writer.varintField(2, vote.rawValue)
        writer.varintField(3, commit)
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> HardState {
        var state = HardState()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: state.term = try reader.varint(of: field)
            case 2: state.vote = MemberID(try reader.varint(of: field))
            case 3: state.commit = try reader.varint(of: field)
            default: try reader.skip(field)
            }
        }
        return state
    }
}
