import ProtoWire

/// A place in memory that was measured and reserved before: nothing is checked on the way, the
/// caller compares where it ends.
struct ByteCursor {
    private(set) var place: UnsafeMutableRawPointer

    @inline(__always)
    init(_ place: UnsafeMutableRawPointer) { self.place = place }

    /// Bytes of a varint. `WireSize.varint`, quicker for the lengths that come up.
    @inline(__always)
    static func size(_ value: UInt64) -> Int {
        if value < 1 << 7 { return 1 }
        if value < 1 << 14 { return 2 }
        if value < 1 << 21 { return 3 }
        if value < 1 << 28 { return 4 }
        return WireSize.varint(value)
    }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        place.storeBytes(of: value, as: UInt8.self)
        place += 1
    }

    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func bytes(_ source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress else { return }
        place.copyMemory(from: start, byteCount: source.count)
        place += source.count
    }

    /// The next `count` bytes, for another writer to fill.
    mutating func next(_ count: Int) -> UnsafeMutableRawBufferPointer {
        defer { place += count }
        return UnsafeMutableRawBufferPointer(start: place, count: count)
    }

    /// Everything of a frame that comes before its data.
    @inline(__always)
    mutating func frameHeader(
        _ type: WALRecordType, crc: UInt32, dataBytes: Int, recordBytes: Int
    ) {
        place.storeBytes(of: UInt64(recordBytes).littleEndian, as: UInt64.self)
        place += WALFormat.lengthBytes
        byte(0x08)
        byte(type.rawValue)
        byte(0x10)
        varint(UInt64(crc))
        byte(0x1a)
        varint(UInt64(dataBytes))
    }

    /// The same where the crc takes five bytes and the length one or two, stored as words:
    ///
    ///     record's length, 8 | 08 type 10 | crc, 5 bytes | 1a | length, 1 or 2 bytes
    @inline(__always)
    mutating func usualFrameHeader(
        _ type: WALRecordType, crc: UInt64, dataBytes: UInt64, recordBytes: Int
    ) {
        place.storeBytes(of: UInt64(recordBytes).littleEndian, as: UInt64.self)
        place += WALFormat.lengthBytes
        // Its fourth byte is overwritten by the crc.
        let fields = 0x10_0008 | UInt32(type.rawValue) << 8
        place.storeBytes(of: fields.littleEndian, as: UInt32.self)
        let low = Self.spread(crc) | 0x8080_8080
        let high = crc >> 28 | 0x1a << 8
        if dataBytes >= 1 << 7 {
            let word = low | high << 32 | Self.twoBytes(dataBytes) << 48
            (place + 3).storeBytes(of: word.littleEndian, as: UInt64.self)
            place += 11
        } else {
            let end = UInt16(truncatingIfNeeded: high)
            (place + 3).storeBytes(
                of: UInt32(truncatingIfNeeded: low).littleEndian, as: UInt32.self)
            (place + 7).storeBytes(of: end.littleEndian, as: UInt16.self)
            (place + 9).storeBytes(of: UInt8(truncatingIfNeeded: dataBytes), as: UInt8.self)
            place += 10
        }
    }

    /// The varint of a number that takes two bytes.
    @inline(__always)
    static func twoBytes(_ value: UInt64) -> UInt64 { value & 0x7f | 0x80 | (value &>> 7) &<< 8 }

    /// The lower 28 bits, seven to a byte.
    @inline(__always)
    static func spread(_ value: UInt64) -> UInt64 {
        value & 0x7f | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2 | (value & 0xfe0_0000) << 3
    }
}
