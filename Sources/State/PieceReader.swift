/// Reads parts of a stream where they lie. A part that is not all there yet is no error: `isShort`
/// says so, and it is read again when more has come.
struct PieceReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset: Int
    private var trouble = Trouble.none

    private enum Trouble {
        case none, short, bad
    }

    init(_ bytes: UnsafeRawBufferPointer, from offset: Int) {
        (self.bytes, self.offset) = (bytes, offset)
    }

    var isFine: Bool { trouble == .none }
    /// Something went on past the end of what there is.
    var isShort: Bool { trouble == .short }
    /// A number or size that cannot be.
    var isBad: Bool { trouble == .bad }

    mutating func fail() { note(.bad) }

    /// The first trouble counts: what is read after it means nothing.
    private mutating func note(_ new: Trouble) {
        if trouble == .none { trouble = new }
    }

    @inline(__always)
    mutating func byte() -> UInt8 {
        guard offset < bytes.count else {
            note(.short)
            return 0
        }
        defer { offset += 1 }
        return bytes[offset]
    }

    @inline(__always)
    mutating func varint() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard offset < bytes.count else {
                note(.short)
                return 0
            }
            let byte = bytes[offset]
            offset += 1
            guard shift < 63 || (shift == 63 && byte < 2) else {
                note(.bad)
                return 0
            }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    @inline(__always)
    mutating func zigzag() -> Int64 {
        let raw = varint()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    @inline(__always)
    mutating func sized() -> UnsafeRawBufferPointer {
        let count = varint()
        guard count <= UInt64(StateFormat.bytesMax) else {
            note(.bad)
            return UnsafeRawBufferPointer(rebasing: bytes[..<0])
        }
        guard Int(count) <= bytes.count - offset else {
            note(.short)
            return UnsafeRawBufferPointer(rebasing: bytes[..<0])
        }
        defer { offset += Int(count) }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + Int(count))])
    }
}
