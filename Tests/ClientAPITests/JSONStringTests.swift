import Testing

@testable import ClientAPI

/// JSON strings against rules written down a second time, character by character.
@Suite struct JSONStringTests {
    private static func json(_ bytes: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: 1)
        bytes.withUnsafeBytes { writer.append(jsonString: $0) }
        return Array(writer.bytes)
    }

    /// Slow and plain: what Swift's own UTF-8 decoder makes of the bytes, one scalar at a time.
    private static func expected(_ bytes: [UInt8]) -> [UInt8] {
        var text = "\""
        var rest = bytes[...]
        while let first = rest.first {
            var length = 1
            var scalar: Unicode.Scalar?
            for candidate in 1...4 where candidate <= rest.count {
                let whole = String(validating: rest.prefix(candidate), as: UTF8.self)
                if let whole, whole.unicodeScalars.count == 1 {
                    (scalar, length) = (whole.unicodeScalars.first, candidate)
                    break
                }
            }
            rest = rest.dropFirst(length)
            text += scalar.map(escaped) ?? "\\ufffd"
            _ = first
        }
        return Array((text + "\"").utf8)
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\"": "\\\""
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case "<": "\\u003c"
        case ">": "\\u003e"
        case "&": "\\u0026"
        case "\u{2028}": "\\u2028"
        case "\u{2029}": "\\u2029"
        case "\0"..<" ":
            "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        default: String(scalar)
        }
    }

    @Test(arguments: [
        ("<a>&\"\\/'", #""\u003ca\u003e\u0026\"\\/'""#),
        (
            "\n\r\t\u{8}\u{c}\0\u{1}\u{1f}\u{7f}",
            #""\n\r\t\u0008\u000c\u0000\u0001\u001f"# + "\u{7f}\""
        ),
        ("\u{2028}\u{2029}\u{2027}", #""\u2028\u2029"# + "\u{2027}\""),
        ("世界😀", "\"世界😀\""),
        ("", "\"\""),
    ])
    func known(text: String, json: String) {
        #expect(Self.json(Array(text.utf8)) == Array(json.utf8))
    }

    /// Each byte at each place of a word, among plain ones.
    @Test func everyByteEverywhere() {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<17 {
                var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 17)
                bytes[place] = byte
                #expect(Self.json(bytes) == Self.expected(bytes), "byte \(byte) at \(place)")
            }
        }
    }

    @Test func everyPairOfLeadAndTrail() {
        for first in UInt8(0xC0)...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let bytes = [first, second, 0x80, 0xA8, 0x41]
                #expect(Self.json(bytes) == Self.expected(bytes), "\(bytes)")
            }
        }
    }

    @Test func randomBytes() {
        var random = SeededGenerator(seed: 7)
        let interesting: [UInt8] = [
            0x00, 0x1F, 0x20, 0x22, 0x26, 0x3C, 0x3E, 0x5C, 0x7F, 0x80, 0xA8, 0xBF, 0xC2, 0xE2,
            0xED, 0xF0, 0xF4, 0xFF,
        ]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...24, using: &random)
            let bytes = (0..<count).map { _ in
                Bool.random(using: &random)
                    ? interesting[Int.random(in: 0..<interesting.count, using: &random)]
                    : UInt8.random(in: 0...255, using: &random)
            }
            #expect(Self.json(bytes) == Self.expected(bytes), "\(bytes)")
        }
    }
}
