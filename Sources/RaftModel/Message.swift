public import ProtoWire

/// What members say to each other.
///
///      1 kind | 2 to | 3 from | 4 term | 5 logTerm | 6 index      varints, always written
///      7 entries: Entry, repeated
///      8 commit varint | 9 snapshot message, always written, empty or not
///     10 reject bool | 11 rejectHint varint
///     12 context bytes, left out when empty (3.x and kvd only)
///
/// Source: raftpb.Message, `reference/peer-protocol.md` §4. Kinds 0, 1 and 10–12 are local to a
/// member and mean nothing on the wire; 13–18 are known to kvd (and 3.x) only.
public struct Message: WireCodable, Equatable {
    public enum Kind: UInt8, Sendable, CaseIterable {
        case hup = 0
        case beat = 1
        case propose = 2
        case append = 3
        case appendResponse = 4
        case vote = 5
        case voteResponse = 6
        case snapshot = 7
        case heartbeat = 8
        case heartbeatResponse = 9
        case unreachable = 10
        case snapshotStatus = 11
        case checkQuorum = 12
        case transferLeader = 13
        case timeoutNow = 14
        case readIndex = 15
        case readIndexResponse = 16
        case preVote = 17
        case preVoteResponse = 18

        /// Kinds that only a kvd understands: an etcd 2.3 takes the sender of one that is of a later
        /// term for that term's leader.
        public var isKvds: Bool {
            switch self {
            case .transferLeader, .timeoutNow, .readIndex, .readIndexResponse, .preVote,
                .preVoteResponse:
                true
            default: false
            }
        }
    }

    public var kind: Kind
    public var to: MemberID
    public var from: MemberID
    public var term: UInt64
    public var logTerm: UInt64
    public var index: UInt64
    public var entries: [Entry]
    public var commit: UInt64
    /// Nil is written as an empty snapshot, and an empty one is read as nil.
    public var snapshot: Snapshot?
    public var reject: Bool
    public var rejectHint: UInt64
    public var context: [UInt8]

    @inlinable
    public init(
        _ kind: Kind, to: MemberID = .none, from: MemberID = .none, term: UInt64 = 0,
        logTerm: UInt64 = 0, index: UInt64 = 0, entries: [Entry] = [], commit: UInt64 = 0,
        snapshot: Snapshot? = nil, reject: Bool = false, rejectHint: UInt64 = 0,
        context: [UInt8] = []
    ) {
        self.kind = kind
        self.to = to
        self.from = from
        self.term = term
        self.logTerm = logTerm
        self.index = index
        self.entries = entries
        self.commit = commit
        self.snapshot = snapshot
        self.reject = reject
        self.rejectHint = rejectHint
        self.context = context
    }
}

extension Message {
    public func encodedSize(_ dialect: WireDialect) -> Int {
        var size = 8 + WireSize.varint(to.rawValue) + WireSize.varint(from.rawValue)
        size += WireSize.varint(term) + WireSize.varint(logTerm) + WireSize.varint(index)
        // A span lends its elements; iterating over the array would retain each one's data.
        let entries = entries.span
        for i in entries.indices {
            size += WireSize.bytesField(7, count: entries[i].encodedSize(dialect))
        }
        size += WireSize.varint(commit)
        size += WireSize.bytesField(9, count: (snapshot ?? Snapshot()).encodedSize(dialect))
        size += 3 + WireSize.varint(rejectHint)
        if !context.isEmpty { size += WireSize.bytesField(12, count: context.count) }
        return size
    }

    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        writer.varintField(1, UInt64(kind.rawValue))
        writer.varintField(2, to.rawValue)
        writer.varintField(3, from.rawValue)
        writer.varintField(4, term)
        writer.varintField(5, logTerm)
        writer.varintField(6, index)
        let entries = entries.span
        for i in entries.indices {
            writer.bytesFieldHeader(7, count: entries[i].encodedSize(dialect))
            entries[i].encode(into: &writer, dialect)
        }
        writer.varintField(8, commit)
        let snapshot = snapshot ?? Snapshot()
        writer.bytesFieldHeader(9, count: snapshot.encodedSize(dialect))
        snapshot.encode(into: &writer, dialect)
        writer.boolField(10, reject)
        writer.varintField(11, rejectHint)
        if !context.isEmpty { writer.bytesField(12, context) }
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Message {
        // A message without field 1 is the zero message, of kind 0 (protobuf's default).
        var message = Message(.hup)
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: message.kind = try decodeKind(&reader, field)
            case 2: message.to = MemberID(try reader.varint(of: field))
            case 3: message.from = MemberID(try reader.varint(of: field))
            case 4: message.term = try reader.varint(of: field)
            case 5: message.logTerm = try reader.varint(of: field)
            case 6: message.index = try reader.varint(of: field)
            case 7: message.entries.append(try Entry.decode(try reader.bytes(of: field)))
            case 8: message.commit = try reader.varint(of: field)
            case 9:
                let snapshot = try Snapshot.decode(try reader.bytes(of: field))
                message.snapshot = snapshot == Snapshot() ? nil : snapshot
            case 10: message.reject = try reader.bool(of: field)
            case 11: message.rejectHint = try reader.varint(of: field)
            case 12: message.context = Array(try reader.bytes(of: field))
            default: try reader.skip(field)
            }
        }
        return message
    }

    private static func decodeKind(
        _ reader: inout WireReader, _ field: WireReader.Field
    ) throws(WireError) -> Kind {
        let raw = try reader.varint(of: field)
        guard let kind = UInt8(exactly: raw).flatMap(Kind.init(rawValue:)) else {
            throw WireError(.unknownValue(raw, field: field.number), at: reader.offset)
        }
        return kind
    }
}
