public import ProtoWire

/// Who votes, as of a point in the log.
///
///     1 member varint, repeated, unpacked
///
/// Source: raftpb.ConfState, `reference/disk-format.md` §3 (and §7 for the fields that 3.x added,
/// which are passed over).
public struct ConfState: WireCodable, Equatable {
    public var members: [MemberID]

    public init(members: [MemberID] = []) { self.members = members }

    public func encodedSize(_ dialect: WireDialect) -> Int {
        members.reduce(0) { $0 + WireSize.varintField(1, $1.rawValue) }
    }

    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        for member in members { writer.varintField(1, member.rawValue) }
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> ConfState {
        var state = ConfState()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch (field.number, field.wireType) {
            case (1, 2):  // packed, as newer encoders may write it
                var packed = WireReader(try reader.bytes(of: field))
                while !packed.isAtEnd { state.members.append(MemberID(try packed.varint())) }
            case (1, _): state.members.append(MemberID(try reader.varint(of: field)))
            default: try reader.skip(field)
            }
        }
        return state
    }
}

/// What a snapshot stands for: the log up to `index`, which was of `term`.
///
///     1 conf state message | 2 index varint | 3 term varint
public struct SnapshotMetadata: WireCodable, Equatable {
    public var confState: ConfState
    public var index: UInt64
    public var term: UInt64

    public init(confState: ConfState = ConfState(), index: UInt64 = 0, term: UInt64 = 0) {
        self.confState = confState
        self.index = index
        self.term = term
    }

    public func encodedSize(_ dialect: WireDialect) -> Int {
        WireSize.bytesField(1, count: confState.encodedSize(dialect))
            + WireSize.varintField(2, index) + WireSize.varintField(3, term)
    }

    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        writer.bytesFieldHeader(1, count: confState.encodedSize(dialect))
        confState.encode(into: &writer, dialect)
        writer.varintField(2, index)
        writer.varintField(3, term)
    }

    public static func decode(
        _ bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> SnapshotMetadata {
        var metadata = SnapshotMetadata()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: metadata.confState = try ConfState.decode(try reader.bytes(of: field))
            case 2: metadata.index = try reader.varint(of: field)
            case 3: metadata.term = try reader.varint(of: field)
            default: try reader.skip(field)
            }
        }
        return metadata
    }
}

/// A state that replaces the log up to its index.
///
///     1 data bytes, left out when empty | 2 metadata message
///
/// Source: raftpb.Snapshot, `reference/disk-format.md` §3.
public struct Snapshot: WireCodable, Equatable {
    public var data: [UInt8]
    public var metadata: SnapshotMetadata

    public init(data: [UInt8] = [], metadata: SnapshotMetadata = SnapshotMetadata()) {
        self.data = data
        self.metadata = metadata
    }

    /// Whether it stands for nothing, as the one inside every ordinary message does.
    public var isEmpty: Bool { metadata.index == 0 }

    public func encodedSize(_ dialect: WireDialect) -> Int {
        let meta = WireSize.bytesField(2, count: metadata.encodedSize(dialect))
        if data.isEmpty, dialect == .etcd23 { return meta }
        return meta + WireSize.bytesField(1, count: data.count)
    }

    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        if !data.isEmpty || dialect == .etcd20 { writer.bytesField(1, data) }
        writer.bytesFieldHeader(2, count: metadata.encodedSize(dialect))
        metadata.encode(into: &writer, dialect)
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Snapshot {
        var snapshot = Snapshot()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: snapshot.data = Array(try reader.bytes(of: field))
            case 2: snapshot.metadata = try SnapshotMetadata.decode(try reader.bytes(of: field))
            default: try reader.skip(field)
            }
        }
        return snapshot
    }
}
