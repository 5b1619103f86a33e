/// Bytes as text that a terminal can show.
enum Escape {
    /// Printable text as it is, everything else escaped; `…` and the size where it is cut.
    static func text(_ bytes: [UInt8], limit: Int) -> String {
        let shown = bytes.prefix(limit)
        var text = ""
        for scalar in String(decoding: shown, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\u{fffd}": text += "\\ufffd"
            case _ where scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value):
                text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return bytes.count > limit ? "\(text)… (\(bytes.count) bytes)" : text
    }

    static func isUTF8(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil
    }

    static func hexDigits(_ bytes: UnsafeRawBufferPointer) -> String {
        var text = ""
        for byte in bytes {
            text += byte < 16 ? "0" : ""
            text += String(byte, radix: 16)
        }
        return text
    }

    /// Lines of sixteen bytes, with what is printable beside them.
    static func hex(_ bytes: UnsafeRawBufferPointer) -> String {
        stride(from: 0, to: bytes.count, by: 16).map { start in
            let part = bytes[start..<min(start + 16, bytes.count)]
            let digits = part.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            let padding = String(repeating: "   ", count: 16 - part.count)
            let letters = part.map {
                (0x20..<0x7f).contains($0) ? Character(Unicode.Scalar($0)) : "."
            }
            let place = String(start, radix: 16)
            return "    \(String(repeating: "0", count: max(0, 6 - place.utf8.count)))\(place)  "
                + digits.joined(separator: " ") + padding + "  " + String(letters)
        }.joined(separator: "\n")
    }

    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = Array(bytes[start..<min(start + 3, bytes.count)])
            let bits = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            for place in 0..<4 {
                text.append(
                    place <= part.count
                        ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
