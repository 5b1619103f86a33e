/// Writes JSON with Go's escaping, byte for byte: `<`, `>`, `&`, U+2028 and U+2029 as `\u…`, short
/// forms for newline, return and tab only. Source: `reference/client-api.md` §1.
///
/// Cold path; the answers of the keys API have their own encoder.
package struct JSONText: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Punctuation, keys and numbers: text that needs no escaping.
    package mutating func raw(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    package mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars { append(scalar) }
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func strings(_ texts: [String]) {
        raw("[")
        for (index, text) in texts.enumerated() {
            if index > 0 { raw(",") }
            string(text)
        }
        raw("]")
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\"": raw("\\\"")
        case "\\": raw("\\\\")
        case "\n": raw("\\n")
        case "\r": raw("\\r")
        case "\t": raw("\\t")
        case "<", ">", "&", "\u{2028}", "\u{2029}", "\0"..<" ":
            let digits = String(scalar.value, radix: 16)
            raw("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
        default: bytes.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
        }
    }
}
