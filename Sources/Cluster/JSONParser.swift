/// Recursive descent over bytes; `JSONValue` is its only user.
struct JSONParser {
    static let depthMax = 64

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try first()
        skipSpace()
        guard position == bytes.count else { throw JSONError(.trailingBytes, at: position) }
        return value
    }

    mutating func first() throws(JSONError) -> JSONValue { try value(depth: 0) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    /// The error for whatever stands at the current position.
    private var unexpected: JSONError {
        guard let byte = next else { return JSONError(.unexpectedEnd, at: position) }
        return JSONError(.unexpectedByte(byte), at: position)
    }

    private mutating func take(_ expected: UInt8) throws(JSONError) {
        guard next == expected else { throw unexpected }
        position += 1
    }

    private mutating func takeIf(_ expected: UInt8) -> Bool {
        guard next == expected else { return false }
        position += 1
        return true
    }

    private mutating func word(
        _ word: StaticString, _ value: JSONValue
    ) throws(JSONError) -> JSONValue {
        for byte in word.description.utf8 { try take(byte) }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < Self.depthMax else {
            throw JSONError(.tooDeep(limit: Self.depthMax), at: position)
        }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        try take(UInt8(ascii: "{"))
        var fields: [JSONValue.Field] = []
        skipSpace()
        if takeIf(UInt8(ascii: "}")) { return .object(fields) }
        repeat {
            skipSpace()
            let key = try string()
            skipSpace()
            try take(UInt8(ascii: ":"))
            fields.append(JSONValue.Field(key: key, value: try value(depth: depth + 1)))
            skipSpace()
        } while takeIf(UInt8(ascii: ","))
        try take(UInt8(ascii: "}"))
        return .object(fields)
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        try take(UInt8(ascii: "["))
        var elements: [JSONValue] = []
        skipSpace()
        if takeIf(UInt8(ascii: "]")) { return .array(elements) }
        repeat {
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while takeIf(UInt8(ascii: ","))
        try take(UInt8(ascii: "]"))
        return .array(elements)
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        _ = takeIf(UInt8(ascii: "-"))
        if !takeIf(UInt8(ascii: "0")) { try digits() }
        if takeIf(UInt8(ascii: ".")) { try digits() }
        if takeIf(UInt8(ascii: "e")) || takeIf(UInt8(ascii: "E")) {
            if !takeIf(UInt8(ascii: "+")) { _ = takeIf(UInt8(ascii: "-")) }
            try digits()
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    /// One digit or more.
    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = next, byte.isASCIIDigit { position += 1 }
        guard position > start else { throw unexpected }
    }

    private mutating func string() throws(JSONError) -> String {
        try take(UInt8(ascii: "\""))
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case 0..<0x20:
                throw unexpected
            default:
                appendCharacter(to: &text)
            }
        }
        throw JSONError(.unexpectedEnd, at: position)
    }

    /// Copies one UTF-8 character, or U+FFFD for one byte that begins none.
    private mutating func appendCharacter(to text: inout [UInt8]) {
        let count = UTF8Scan.characterLength(bytes[position...])
        if count == 0 {
            text.append(contentsOf: UTF8Scan.replacement)
            position += 1
        } else {
            text.append(contentsOf: bytes[position..<position + count])
            position += count
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        position += 1
        guard let byte = next else { throw JSONError(.unexpectedEnd, at: position) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try escapedScalar()).utf8)
        default: throw JSONError(.badEscape, at: position - 1)
        }
    }

    /// The scalar after `\u`, two escapes for a surrogate pair; U+FFFD for half of one.
    private mutating func escapedScalar() throws(JSONError) -> Character {
        let first = try hex4()
        if let scalar = Unicode.Scalar(first) { return Character(scalar) }
        let beforeSecond = position
        if first < 0xDC00, takeIf(UInt8(ascii: "\\")), takeIf(UInt8(ascii: "u")) {
            let second = try hex4()
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(
                    0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                return Character(scalar)
            }
        }
        position = beforeSecond
        return "\u{FFFD}"
    }

    private mutating func hex4() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next else { throw JSONError(.unexpectedEnd, at: position) }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw JSONError(.badEscape, at: position)
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
