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
///
/// Values of one byte, nearly all tags and most numbers, are read inline; everything longer and
/// every error goes through a call.
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

    @usableFromInline let start: UnsafeRawPointer
    @usableFromInline let end: UnsafeRawPointer
    /// In `start...end`, always.
    @usableFromInline var cursor: UnsafeRawPointer
    @usableFromInline var skippedCount = 0

    /// Fields that are skipped in one message. A later version may add some; bytes of another kind, taken
    /// for a message, have one for every other byte, and reading megabytes of them takes its time.
    package static let skippedMax = 1000

    /// Where the next read happens.
    @inlinable
    public var offset: Int { cursor - start }

    @inlinable
    public init(_ bytes: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; nothing will be read through the stand-in.
        start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        end = start + bytes.count
        cursor = start
    }

    @inlinable
    public var isAtEnd: Bool { cursor == end }

    @usableFromInline var leftCount: Int { @inlinable get { end - cursor } }

    /// The next field's tag, or nil at the end.
    @inlinable
    public mutating func nextField() throws(WireError) -> Field? {
        guard cursor < end else { return nil }
        let first = cursor.load(as: UInt8.self)
        // One byte, and not field number 0.
        if first < 0x80, first >= 8 {
            cursor += 1
            return Field(number: Int(first >> 3), wireType: first & 7)
        }
        return try longField()
    }

    @usableFromInline
    mutating func longField() throws(WireError) -> Field {
        let tagOffset = offset
        let tag = try varint()
        let number = tag >> 3
        guard number > 0, number <= UInt64(ProtoWire.fieldNumberMax) else {
            throw WireError(.badFieldNumber, at: tagOffset)
        }
        return Field(number: Int(number), wireType: UInt8(tag & 7))
    }

    /// A bare varint.
    @inlinable
    public mutating func varint() throws(WireError) -> UInt64 {
        if cursor < end {
            let first = cursor.load(as: UInt8.self)
            if first < 0x80 {
                cursor += 1
                return UInt64(first)
            }
        }
        return try longVarint()
    }

    /// The varint of `field`, whose tag was just read.
    @inlinable
    public mutating func varint(of field: Field) throws(WireError) -> UInt64 {
        guard field.wireType == 0 else { throw wrongType(field) }
        return try varint()
    }

    @inlinable
    public mutating func bool(of field: Field) throws(WireError) -> Bool {
        try varint(of: field) != 0
    }

    /// The bytes of `field`, whose tag was just read, still where they lie.
    @inlinable
    public mutating func bytes(of field: Field) throws(WireError) -> UnsafeRawBufferPointer {
        guard field.wireType == 2 else { throw wrongType(field) }
        return try lengthDelimited()
    }

    @inlinable
    mutating func lengthDelimited() throws(WireError) -> UnsafeRawBufferPointer {
        let before = cursor
        let length = try varint()
        guard length <= UInt64(leftCount) else {
            throw WireError(.lengthPastEnd(length: length), at: before - start)
        }
        let slice = UnsafeRawBufferPointer(start: cursor, count: Int(length))
        cursor += Int(length)
        return slice
    }

    /// Passes over `field`, whose tag was just read.
    public mutating func skip(_ field: Field) throws(WireError) {
        skippedCount += 1
        guard skippedCount <= Self.skippedMax else {
            throw WireError(.tooManyUnknownFields, at: offset)
        }
        switch field.wireType {
        case 0: _ = try varint()
        case 1: try advance(8)
        case 2: _ = try lengthDelimited()
        case 5: try advance(4)
        default: throw wrongType(field)
        }
    }

    @usableFromInline @inline(never)
    func wrongType(_ field: Field) -> WireError {
        WireError(.badWireType(field.wireType, field: field.number), at: offset)
    }

    private mutating func advance(_ size: Int) throws(WireError) {
        guard leftCount >= size else { throw WireError(.truncated, at: offset) }
        cursor += size
    }
}

extension WireReader {
    /// A varint of any length. Eight bytes are looked at together where there are as many.
    @usableFromInline @inline(never)
    mutating func longVarint() throws(WireError) -> UInt64 {
        guard leftCount >= 10 else { return try varintByByte() }
        let word = UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self))
        // The first byte without its top bit is the last of the varint.
        let last = ~word & 0x8080_8080_8080_8080
        if last != 0 {
            cursor += (last.trailingZeroBitCount >> 3) + 1
            // Keeps the bytes up to that one.
            return Self.gathered(word & (last ^ (last &- 1)))
        }
        let low = Self.gathered(word)
        let ninth = UInt64(cursor.load(fromByteOffset: 8, as: UInt8.self))
        if ninth < 0x80 {
            cursor += 9
            return low | ninth << 56
        }
        let tenth = UInt64(cursor.load(fromByteOffset: 9, as: UInt8.self))
        // The tenth byte has room for one bit only.
        guard tenth <= 1 else { throw WireError(.varintTooLong, at: offset) }
        cursor += 10
        return low | (ninth & 0x7f) << 56 | tenth << 63
    }

    /// The 56 bits of eight bytes of seven: neighbours first, then pairs, then fours.
    private static func gathered(_ bytes: UInt64) -> UInt64 {
        var x = bytes & 0x7f7f_7f7f_7f7f_7f7f
        x = (x & 0x007f_007f_007f_007f) | (x & 0x7f00_7f00_7f00_7f00) >> 1
        x = (x & 0x0000_3fff_0000_3fff) | (x & 0x3fff_0000_3fff_0000) >> 2
        return (x & 0x0fff_ffff) | (x & 0x0fff_ffff_0000_0000) >> 4
    }

    private mutating func varintByByte() throws(WireError) -> UInt64 {
        let before = cursor
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while cursor < end {
            let byte = cursor.load(as: UInt8.self)
            if shift == 63, byte > 1 { throw WireError(.varintTooLong, at: before - start) }
            cursor += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw WireError(.truncated, at: before - start)
    }
}
