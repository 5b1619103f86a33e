/// Bytes, numbers and moments as people read them.
package enum ByteText {
    /// How much of a value is shown.
    package enum Limit: Equatable, Sendable {
        case bytes(Int)
        case full
    }

    /// In quotes, what is not printable ASCII or whole UTF-8 escaped; `…` and the size when cut.
    static func quoted(_ bytes: [UInt8], _ limit: Limit = .full) -> String {
        guard case .bytes(let max) = limit, bytes.count > max else {
            return "\"\(escaped(bytes))\""
        }
        return
            "\"\(escaped(Array(bytes.prefix(wholeCharacters(bytes, max)))))\"… (\(bytes.count) bytes)"
    }

    /// Where to cut so that no character is cut in two, if these are characters.
    static func wholeCharacters(_ bytes: [UInt8], _ count: Int) -> Int {
        var end = count
        while end > 0, count - end < 3, bytes[end] & 0xc0 == 0x80 { end -= 1 }
        return bytes[end] & 0xc0 == 0x80 ? count : end
    }

    /// One line, whatever the bytes are, and nothing in it that a terminal obeys.
    static func escaped(_ bytes: [UInt8]) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return bytes.map { byte in
                byte < 0x80 ? escaped(Unicode.Scalar(byte)) : "\\x" + hex(UInt64(byte), digits: 2)
            }.joined()
        }
        var result = ""
        for scalar in text.unicodeScalars { result += escaped(scalar) }
        return result
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\"": return "\\\""
        case "\\": return "\\\\"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned,
            .privateUse:
            return "\\u{\(String(scalar.value, radix: 16))}"
        default: return String(scalar)
        }
    }

    static func hex(_ value: UInt64, digits: Int) -> String {
        padded(String(value, radix: 16), digits, with: "0")
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { hex(UInt64($0), digits: 2) }.joined()
    }

    /// Right-aligned.
    static func padded(_ text: String, _ width: Int, with pad: Character = " ") -> String {
        String(repeating: pad, count: max(0, width - text.utf8.count)) + text
    }

    /// Left-aligned.
    static func filled(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }

    /// `17 B`, `1.4 MB`: decimal units.
    static func size(_ bytes: Int) -> String {
        let units = ["kB", "MB", "GB", "TB"]
        guard bytes >= 1000 else { return "\(bytes) B" }
        var tenths = bytes / 100
        var unit = 0
        while tenths >= 10_000, unit < units.count - 1 {
            tenths /= 1000
            unit += 1
        }
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
