/// Reads protobuf fields where they lie.
///
/// The bytes must outlive the reader and whatever slices it hands out. Nothing here traps or
/// allocates; a wrong byte is a `WireError` that names its offset.
///
///     var reader = WireReader(bytes)
///     while let field = try reader.nextField() {
///         switch field.number {
///         case 1: term = try reader.varint(of: field)
///         default: try reader.skip(field)
///         }
///     }
public struct WireReader {
    /// A field's number and wire type: what its tag says.
    public struct Field: Equatable, Sendable {
        public var number: Int
        public var wireType: UInt8

        @inlinable
        public init(number: Int, wireType: UInt8) {
            self.number = number
            self.wireType = wireType
        }
    }

    @usableFromInline let bytes: UnsafeRawBufferPointer
    @usableFromInline var position = 0

    /// Where the next read happens.
    @inlinable
    public var offset: Int { position }

    @inlinable
    public init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    @inlinable
    public var isAtEnd: Bool { offset == bytes.count }

    /// The next field's tag, or nil at the end.
    @inlinable
    public mutating func nextField() throws(WireError) -> Field? {
        guard offset < bytes.count else { return nil }
        let start = offset
        let tag = try varint()
        let number = tag >> 3
        guard number > 0, number <= UInt64(ProtoWire.fieldNumberMax) else {
            throw WireError(.badFieldNumber, at: start)
        }
        return Field(number: Int(number), wireType: UInt8(tag & 7))
    }

    /// A bare varint.
    @inlinable
    public mutating func varint() throws(WireError) -> UInt64 {
        let start = offset
        guard start < bytes.count else { throw WireError(.truncated, at: start) }
        let first = bytes[start]
        if first < 0x80 {
            position = start + 1
            return UInt64(first)
        }
        return try longVarint()
    }

    @usableFromInline
    mutating func longVarint() throws(WireError) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard offset < bytes.count else { throw WireError(.truncated, at: start) }
            let byte = bytes[offset]
            // The tenth byte has room for one bit only.
            if shift == 63, byte > 1 { throw WireError(.varintTooLong, at: start) }
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// The varint of `field`, whose tag was just read.
    @inlinable
    public mutating func varint(of field: Field) throws(WireError) -> UInt64 {
        try expect(0, in: field)
        return try varint()
    }

    @inlinable
    public mutating func bool(of field: Field) throws(WireError) -> Bool {
        try varint(of: field) != 0
    }

    /// The bytes of `field`, whose tag was just read, still where they lie.
    @inlinable
    public mutating func bytes(of field: Field) throws(WireError) -> UnsafeRawBufferPointer {
        try expect(2, in: field)
        return try lengthDelimited()
    }

    @inlinable
    mutating func lengthDelimited() throws(WireError) -> UnsafeRawBufferPointer {
        let start = offset
        let length = try varint()
        guard length <= UInt64(bytes.count - offset) else {
            throw WireError(.lengthPastEnd(length: length), at: start)
        }
        let end = offset + Int(length)
        defer { position = end }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
    }

    /// Passes over `field`, whose tag was just read.
    public mutating func skip(_ field: Field) throws(WireError) {
        switch field.wireType {
        case 0: _ = try varint()
        case 1: try advance(8)
        case 2: _ = try lengthDelimited()
        case 5: try advance(4)
        default: throw WireError(.badWireType(field.wireType, field: field.number), at: offset)
        }
    }

    @inlinable
    func expect(_ wireType: UInt8, in field: Field) throws(WireError) {
        guard field.wireType == wireType else {
            throw WireError(.badWireType(field.wireType, field: field.number), at: offset)
        }
    }

    private mutating func advance(_ size: Int) throws(WireError) {
        guard bytes.count - offset >= size else { throw WireError(.truncated, at: offset) }
        position += size
    }
}
