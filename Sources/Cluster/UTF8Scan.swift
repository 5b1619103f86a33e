/// Finds characters in bytes that may not be UTF-8, by the rules of Go's decoder.
enum UTF8Scan {
    /// U+FFFD in UTF-8.
    static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// The length of the character that `bytes` begin with: 1 to 4, or 0 if they begin with none
    /// (stray continuation, overlong form, surrogate, beyond U+10FFFF, cut short).
    static func characterLength(_ bytes: ArraySlice<UInt8>) -> Int {
        guard let first = bytes.first else { return 0 }
        let length: Int
        var secondRange: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0..<0x80: return 1
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, secondRange) = (3, 0xA0...0xBF)
        case 0xED: (length, secondRange) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, secondRange) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, secondRange) = (4, 0x80...0x8F)
        default: return 0
        }
        guard bytes.count >= length, secondRange.contains(bytes[bytes.startIndex + 1]) else {
            return 0
        }
        let rest = bytes.dropFirst(2).prefix(length - 2)
        return rest.allSatisfy { $0 & 0xC0 == 0x80 } ? length : 0
    }
}
