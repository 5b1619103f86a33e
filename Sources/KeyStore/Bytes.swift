/// Byte-string primitives of the store: order, equality and the eight-byte words that the tree
/// compares instead of whole names. Names are arbitrary bytes, never text.
enum Bytes {
    /// Bytes `offset ..< offset + 8` of `bytes` as a big-endian word, zeros past the end, so that
    /// unequal words are ordered as the byte strings are.
    @inline(__always)
    static func word(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        let rest = bytes.count - offset
        if rest >= 8 {
            return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        return rest > 0 ? shortWord(bytes, at: offset, count: rest) : 0
    }

    /// The last 1 ... 7 bytes. Two overlapping loads where there are four or more.
    @inline(__always)
    private static func shortWord(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, count: Int
    ) -> UInt64 {
        if bytes.count >= 8 {
            // Load the eight bytes that end where `bytes` ends; shift the earlier ones out.
            let last = bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self)
            return UInt64(bigEndian: last) << UInt64(64 - 8 * count)
        }
        var word: UInt64 = 0
        for position in 0..<count {
            word |= UInt64(bytes[offset + position]) << UInt64(56 - 8 * position)
        }
        return word
    }

    /// Negative, zero or positive as `left` sorts before, with or after `right`, both compared
    /// from byte `start` on (their bytes before it are known to be equal).
    @inline(__always)
    static func compare(
        _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, from start: Int = 0
    ) -> Int {
        let shared = min(left.count, right.count)
        var offset = start
        while offset < shared {
            let leftWord = word(left, at: offset)
            let rightWord = word(right, at: offset)
            if leftWord != rightWord { return leftWord < rightWord ? -1 : 1 }
            offset += 8
        }
        return left.count - right.count
    }

    @inline(__always)
    static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        left.count == right.count && compare(left, right) == 0
    }

    /// Position of the first `byte` at or after `start`; `bytes.count` if there is none. Eight at a
    /// time: the lowest set bit of `matches` is exact, whatever stands above it.
    @inline(__always)
    static func firstIndex(
        of byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int
    ) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let pattern = UInt64(byte) &* ones
        var offset = start
        while offset + 8 <= bytes.count {
            let word = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let difference = word ^ pattern
            let matches = (difference &- ones) & ~difference & (ones << 7)
            if matches != 0 { return offset + matches.trailingZeroBitCount / 8 }
            offset += 8
        }
        while offset < bytes.count, bytes[offset] != byte { offset += 1 }
        return offset
    }

    /// How many leading bytes both have in common, at most `limit`.
    @inline(__always)
    static func sharedPrefixCount(
        _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, limit: Int = .max
    ) -> Int {
        let end = min(left.count, right.count, limit)
        var offset = 0
        while offset < end {
            let difference = word(left, at: offset) ^ word(right, at: offset)
            if difference != 0 { return min(end, offset + difference.leadingZeroBitCount / 8) }
            offset += 8
        }
        return end
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` with typed errors.
    @inline(__always)
    func withBytes<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try withUnsafeBufferPointer { bytes throws(E) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}
