/// Writes strings as JSON the way Go's encoder does, byte for byte.
///
/// `<` `>` `&` and U+2028, U+2029 become `\u…`; `"` and `\` are backslashed; newline, return and
/// tab have their short forms, other bytes below 0x20 become `\u00xx`; each byte that is not part of
/// valid UTF-8 becomes `\ufffd`; all else is copied. Source: `reference/client-api.md` §1.
extension ByteWriter {
    /// `text` in quotes.
    mutating func append(jsonString text: UnsafeRawBufferPointer) {
        append(UInt8(ascii: "\""))
        append(jsonEscaped: text)
        append(UInt8(ascii: "\""))
    }

    mutating func append(jsonString text: String) {
        var text = text
        text.withUTF8 { append(jsonString: UnsafeRawBufferPointer($0)) }
    }

    /// `text` without quotes. Pieces that are cut at ASCII characters may be written one by one.
    mutating func append(jsonEscaped text: UnsafeRawBufferPointer) {
        guard text.baseAddress != nil else { return }
        var start = 0
        while true {
            let stop = JSONScan.plainPrefixCount(text, from: start)
            append(UnsafeRawBufferPointer(rebasing: text[start..<stop]))
            guard stop < text.count else { return }
            start = stop + appendEscaped(text, at: stop)
        }
    }

    /// Writes the character at `offset`, which needs a look, and returns its length in bytes.
    @inline(never)
    private mutating func appendEscaped(_ text: UnsafeRawBufferPointer, at offset: Int) -> Int {
        let byte = text[offset]
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case UInt8(ascii: "\n"): append("\\n")
        case UInt8(ascii: "\r"): append("\\r")
        case UInt8(ascii: "\t"): append("\\t")
        case 0..<0x80:
            append("\\u00")
            append(Self.hexDigit(byte >> 4))
            append(Self.hexDigit(byte & 15))
        default: return appendMultibyte(text, at: offset)
        }
        return 1
    }

    private mutating func appendMultibyte(_ text: UnsafeRawBufferPointer, at offset: Int) -> Int {
        let length = JSONScan.scalarLength(text, at: offset)
        guard length > 0 else {
            append("\\ufffd")
            return 1
        }
        let scalar = UnsafeRawBufferPointer(rebasing: text[offset..<offset + length])
        if length == 3, scalar[0] == 0xE2, scalar[1] == 0x80, scalar[2] & 0xFE == 0xA8 {
            append(scalar[2] == 0xA8 ? "\\u2028" : "\\u2029")
        } else {
            append(scalar)
        }
        return length
    }
}

/// What in a byte string can go into JSON as it is.
enum JSONScan {
    /// Offset of the first byte from `start` on that may need escaping, or the end.
    @inline(__always)
    static func plainPrefixCount(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var offset = start
        while offset + 8 <= text.count {
            let word = text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let marks = suspects(UInt64(littleEndian: word))
            if marks != 0 { return offset + marks.trailingZeroBitCount / 8 }
            offset += 8
        }
        while offset < text.count, !isSuspect(text[offset]) { offset += 1 }
        return offset
    }

    /// Marks the top bit of each byte that may need escaping. The first mark, counted from the
    /// low end, is exact; ones above it may be false, because a borrow can reach them.
    @inline(__always)
    private static func suspects(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        let below32 = (word &- ones &* 0x20) & ~word
        let quote = zeroes(word ^ ones &* 0x22)
        let backslash = zeroes(word ^ ones &* 0x5C)
        let ampersand = zeroes(word ^ ones &* 0x26)
        // `<` (0x3C) and `>` (0x3E) differ in one bit.
        let angle = zeroes((word & ~(ones &* 0x02)) ^ ones &* 0x3C)
        return (below32 | quote | backslash | ampersand | angle | word) & tops
    }

    @inline(__always)
    private static func zeroes(_ word: UInt64) -> UInt64 {
        (word &- 0x0101_0101_0101_0101) & ~word
    }

    @inline(__always)
    private static func isSuspect(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte >= 0x80 || byte == 0x22 || byte == 0x5C || byte == 0x26
            || byte & ~0x02 == 0x3C
    }

    /// Length of the well-formed UTF-8 sequence of two to four bytes at `offset`; 0 if there is
    /// none. Overlong forms, surrogates and what lies above U+10FFFF are not well-formed.
    static func scalarLength(_ text: UnsafeRawBufferPointer, at offset: Int) -> Int {
        let first = text[offset]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        guard offset + length <= text.count, second.contains(text[offset + 1]) else { return 0 }
        for position in offset + 2..<offset + length where text[position] & 0xC0 != 0x80 {
            return 0
        }
        return length
    }
}
