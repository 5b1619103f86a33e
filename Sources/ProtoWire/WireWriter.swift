/// Writes protobuf fields into memory measured beforehand.
///
/// The memory must stay valid and unshared while the writer is used: it is a cursor on it, not
/// its owner. Of what it held before nothing is kept: bytes behind `count` may be overwritten too.
/// Writing past its end is a programmer's error (a wrong `encodedSize`) and traps.
public struct WireWriter {
    @usableFromInline let start: UnsafeMutableRawPointer
    @usableFromInline let end: UnsafeMutableRawPointer
    /// In `start...end`, always.
    @usableFromInline var cursor: UnsafeMutableRawPointer

    /// Bytes written so far.
    @inlinable
    public var count: Int { cursor - start }

    @inlinable
    public init(_ memory: UnsafeMutableRawBufferPointer) {
        // An empty buffer has no address; nothing will be written through the stand-in.
        start = memory.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 1).unsafelyUnwrapped
        end = start + memory.count
        cursor = start
    }

    /// Claims the next `size` bytes.
    @inlinable @inline(__always)
    mutating func claim(_ size: Int) -> UnsafeMutableRawPointer {
        precondition(size <= end - cursor, "encodedSize was too small")
        let place = cursor
        cursor = place + size
        return place
    }

    @inlinable @inline(__always)
    public mutating func varint(_ value: UInt64) {
        if value < 0x80 {
            claim(1).storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        } else {
            longVarint(value)
        }
    }

    /// Two bytes or more. Eight are written together where there is room: what they overwrite
    /// behind the varint is written later or not at all.
    @usableFromInline @inline(never)
    mutating func longVarint(_ value: UInt64) {
        let room = end - cursor
        let size = WireSize.varint(value)
        let place = claim(size)
        guard room >= 10 else { return Self.storeByByte(value, size, place) }
        let continued: UInt64 = 0x8080_8080_8080_8080
        let low = Self.spread(value)
        if size <= 8 {
            let bits = continued & ((UInt64(1) << UInt64(8 * (size - 1))) - 1)
            place.storeBytes(of: (low | bits).littleEndian, as: UInt64.self)
            return
        }
        place.storeBytes(of: (low | continued).littleEndian, as: UInt64.self)
        let high = UInt16(truncatingIfNeeded: value >> 56)
        // The ninth byte, and in the tenth the one bit that is left.
        let rest = high < 0x80 ? high : (high & 0x7f | 0x80 | (high >> 7) << 8)
        place.storeBytes(of: rest.littleEndian, toByteOffset: 8, as: UInt16.self)
    }

    /// The low 56 bits of `value`, seven to a byte: fours, then pairs, then neighbours.
    private static func spread(_ value: UInt64) -> UInt64 {
        var x = value & 0x00ff_ffff_ffff_ffff
        x = (x & 0x0fff_ffff) | (x & 0x00ff_ffff_f000_0000) << 4
        x = (x & 0x0000_3fff_0000_3fff) | (x & 0x0fff_c000_0fff_c000) << 2
        return (x & 0x007f_007f_007f_007f) | (x & 0x3f80_3f80_3f80_3f80) << 1
    }

    private static func storeByByte(_ value: UInt64, _ size: Int, _ place: UnsafeMutableRawPointer)
    {
        var rest = value
        for i in 0..<(size - 1) {
            place.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: i, as: UInt8.self)
            rest >>= 7
        }
        place.storeBytes(
            of: UInt8(truncatingIfNeeded: rest), toByteOffset: size - 1, as: UInt8.self)
    }

    @inlinable @inline(__always)
    public mutating func varintField(_ field: Int, _ value: UInt64) {
        tagged(UInt64(field) << 3, value)
    }

    /// A tag and the number behind it: two bytes nearly always, and then written as one.
    @inlinable @inline(__always)
    mutating func tagged(_ tag: UInt64, _ value: UInt64) {
        if tag < 0x80, value < 0x80 {
            let both = UInt16(truncatingIfNeeded: tag | value << 8)
            claim(2).storeBytes(of: both.littleEndian, as: UInt16.self)
        } else {
            varint(tag)
            varint(value)
        }
    }

    @inlinable @inline(__always)
    public mutating func boolField(_ field: Int, _ value: Bool) {
        varintField(field, value ? 1 : 0)
    }

    /// The tag and length of a field whose `count` bytes the caller writes next.
    @inlinable @inline(__always)
    public mutating func bytesFieldHeader(_ field: Int, count: Int) {
        tagged(UInt64(field) << 3 | 2, UInt64(count))
    }

    @inlinable
    public mutating func bytesField(_ field: Int, _ bytes: UnsafeRawBufferPointer) {
        bytesFieldHeader(field, count: bytes.count)
        raw(bytes)
    }

    @inlinable
    public mutating func bytesField(_ field: Int, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytesField(field, $0) }
    }

    /// Bytes as they are: no tag, no length.
    @inlinable
    public mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        let place = claim(bytes.count)
        guard let source = bytes.baseAddress else { return }
        place.copyMemory(from: source, byteCount: bytes.count)
    }

    /// A fixed-size integer with the most significant byte first, as peer streams frame with.
    @inlinable
    public mutating func bigEndian(_ value: UInt64) {
        claim(8).storeBytes(of: value.bigEndian, as: UInt64.self)
    }

    /// A fixed-size integer with the least significant byte first, as the WAL frames with.
    @inlinable
    public mutating func littleEndian(_ value: UInt64) {
        claim(8).storeBytes(of: value.littleEndian, as: UInt64.self)
    }
}
