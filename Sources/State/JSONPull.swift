/// Reads a JSON document piece by piece where it lies, without making a tree of it: for documents
/// of any size whose shape is known. Never traps; the first fault stays, and all reads after it give
/// nothing.
struct JSONPull {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0
    private(set) var fault: Fault?

    struct Fault: Error, Equatable {
        var expected: StaticString
        var offset: Int

        static func == (a: Fault, b: Fault) -> Bool {
            a.offset == b.offset && "\(a.expected)" == "\(b.expected)"
        }
    }

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isFine: Bool { fault == nil }

    mutating func fail(_ expected: StaticString) {
        if fault == nil { fault = Fault(expected: expected, offset: offset) }
    }

    /// The next byte that is no white space; 0 at the end.
    mutating func peek() -> UInt8 {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0a, 0x0d: offset += 1
            default: return bytes[offset]
            }
        }
        return 0
    }

    /// Takes `byte` if it is next.
    mutating func take(_ byte: Character) -> Bool {
        guard isFine, let wanted = byte.asciiValue, peek() == wanted else { return false }
        offset += 1
        return true
    }

    mutating func expect(_ byte: Character, _ what: StaticString) {
        if isFine, !take(byte) { fail(what) }
    }

    mutating func takeNull() -> Bool { takeWord("null") }

    mutating func bool() -> Bool {
        if takeWord("true") { return true }
        if !takeWord("false") { fail("true or false") }
        return false
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        guard isFine, peek() != 0, bytes.count - offset >= word.utf8CodeUnitCount else {
            return false
        }
        let text = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard bytes[offset..<(offset + text.count)].elementsEqual(text) else { return false }
        offset += text.count
        return true
    }

    /// A whole number that is not negative.
    mutating func unsigned() -> UInt64 {
        guard isFine, (0x30...0x39).contains(peek()) else {
            fail("a number")
            return 0
        }
        var value: UInt64 = 0
        while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) {
            let (tens, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, more) = tens.addingReportingOverflow(UInt64(bytes[offset] - 0x30))
            if over || more {
                fail("a smaller number")
                return 0
            }
            value = sum
            offset += 1
        }
        return value
    }

    mutating func signed() -> Int64 {
        let isNegative = take("-")
        let value = Int64(clamping: unsigned())
        return isNegative ? -value : value
    }

    // MARK: Strings

    /// Reads a string into `text`, its escapes resolved.
    mutating func string(into text: inout [UInt8]) {
        text.removeAll(keepingCapacity: true)
        expect("\"", "a string")
        while isFine {
            let start = offset
            while offset < bytes.count, bytes[offset] != 0x22, bytes[offset] != 0x5c {
                offset += 1
            }
            text.append(contentsOf: bytes[start..<offset])
            guard offset < bytes.count else { return fail("the end of a string") }
            offset += 1
            if bytes[offset - 1] == 0x22 { return }
            escape(into: &text)
        }
    }

    private mutating func escape(into text: inout [UInt8]) {
        guard offset < bytes.count else { return fail("the end of a string") }
        offset += 1
        switch bytes[offset - 1] {
        case 0x22: text.append(0x22)
        case 0x5c: text.append(0x5c)
        case 0x2f: text.append(0x2f)
        case 0x62: text.append(0x08)
        case 0x66: text.append(0x0c)
        case 0x6e: text.append(0x0a)
        case 0x72: text.append(0x0d)
        case 0x74: text.append(0x09)
        case 0x75: scalar(into: &text)
        default: fail("an escape that JSON has")
        }
    }

    private mutating func scalar(into text: inout [UInt8]) {
        var value = hexDigits()
        // Two surrogates are one scalar; one alone is none.
        if (0xd800..<0xdc00).contains(value), offset + 1 < bytes.count, bytes[offset] == 0x5c,
            bytes[offset + 1] == 0x75
        {
            let before = offset
            offset += 2
            let low = hexDigits()
            if (0xdc00..<0xe000).contains(low) {
                value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
            } else {
                offset = before
            }
        }
        let scalar = Unicode.Scalar(value) ?? "\u{fffd}"
        text.append(contentsOf: Array(String(Character(scalar)).utf8))
    }

    private mutating func hexDigits() -> UInt32 {
        guard bytes.count - offset >= 4 else {
            fail("four hex digits")
            return 0
        }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit = bytes[offset]
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt32(digit - 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(digit - 0x41 + 10)
            case 0x61...0x66: value = value << 4 | UInt32(digit - 0x61 + 10)
            default:
                fail("four hex digits")
                return 0
            }
            offset += 1
        }
        return value
    }

    // MARK: What is not of interest

    /// Passes over one value of any kind, however deep.
    mutating func skip() {
        var depth = 0
        repeat {
            switch peek() {
            case 0x7b, 0x5b:
                depth += 1
                offset += 1
            case 0x7d, 0x5d:
                depth -= 1
                offset += 1
            case 0x22: skipString()
            case 0x2c,
                0x3a where depth > 0:
                offset += 1
            case 0: return fail("a value")
            default:
                let start = offset
                while offset < bytes.count, isPlain(bytes[offset]) { offset += 1 }
                if offset == start { return fail("a value") }
            }
        } while isFine && depth > 0
        if depth < 0 { fail("a value") }
    }

    private func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2d, 0x2e: true
        default: false
        }
    }

    private mutating func skipString() {
        offset += 1
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x22:
                offset += 1
                return
            case 0x5c: offset += 2
            default: offset += 1
            }
        }
        fail("the end of a string")
    }

    // MARK: Objects

    /// In an object that was opened: the name of its next field, or false at its end, which is
    /// taken. Commas and the colon are taken too.
    mutating func nextField(_ name: inout [UInt8]) -> Bool {
        guard isFine else { return false }
        if take("}") { return false }
        _ = take(",")
        string(into: &name)
        expect(":", "a colon")
        return isFine
    }
}
