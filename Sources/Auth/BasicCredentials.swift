/// The name and the password of an `Authorization: Basic …` header.
package struct BasicCredentials: Equatable, Sendable {
    package var name: [UInt8]
    /// May have colons in it.
    package var password: [UInt8]

    package init(name: [UInt8], password: [UInt8]) {
        (self.name, self.password) = (name, password)
    }

    /// Nil: another scheme, or broken.
    package init?(header: String) {
        var header = header
        let decoded = header.withUTF8 { Self.decoded($0) }
        guard let decoded, let colon = decoded.firstIndex(of: UInt8(ascii: ":")) else {
            return nil
        }
        name = Array(decoded[..<colon])
        password = Array(decoded[(colon + 1)...])
    }

    private static func decoded(_ header: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        let scheme: StaticString = "basic "
        guard header.count > scheme.utf8CodeUnitCount else { return nil }
        for place in 0..<scheme.utf8CodeUnitCount {
            guard header[place] | 0x20 == scheme.utf8Start[place] else { return nil }
        }
        return base64(header[scheme.utf8CodeUnitCount...])
    }

    /// The standard alphabet, padded.
    private static func base64(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var digits = text
        for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits = digits.dropLast() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var bits = UInt32(0)
        var bitsCount = 0
        for digit in digits {
            guard let value = value(of: digit) else { return nil }
            bits = bits << 6 | UInt32(value)
            bitsCount += 6
            guard bitsCount >= 8 else { continue }
            bitsCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitsCount)))
        }
        return bytes
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
