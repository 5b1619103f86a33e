/// Paths without empty, `.` and `..` elements, and the way they are written in `Location`.
///
/// A request whose path is not clean is answered 301 for every method.
/// Source: `reference/client-api.md` §1.
enum PathCleaner {
    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    /// Whether `path` starts with a slash and has no empty element (but for one trailing slash)
    /// and no `.` or `..`.
    static func isClean(_ path: UnsafeRawBufferPointer) -> Bool {
        guard path.first == slash else { return false }
        var offset = 1
        while offset < path.count {
            let byte = path[offset]
            if path[offset - 1] == slash {
                if byte == slash { return false }
                if byte == dot, isDotElement(path, at: offset) { return false }
            }
            offset += 1
        }
        return true
    }

    /// Whether the element that starts with the dot at `offset` is `.` or `..`.
    private static func isDotElement(_ path: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        var end = offset + 1
        if end < path.count, path[end] == dot { end += 1 }
        return end == path.count || path[end] == slash
    }

    /// The clean form of `path`; a trailing slash survives.
    static func cleaned(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var clean: [UInt8] = []
        for element in path.split(separator: slash) {
            if element.elementsEqual([dot]) { continue }
            if element.elementsEqual([dot, dot]) {
                while let last = clean.popLast(), last != slash {}
                continue
            }
            clean.append(slash)
            clean.append(contentsOf: element)
        }
        if clean.isEmpty || path.last == slash { clean.append(slash) }
        return clean
    }

    /// `path` with every byte escaped that may not stand in a path as it is.
    static func escaped(_ path: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for byte in path {
            if isPathCharacter(byte) {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(upperHexDigit(byte >> 4))
                text.append(upperHexDigit(byte & 15))
            }
        }
        return text
    }

    private static func isPathCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-_.~$&+,/:;=@".utf8.contains(byte)
        }
    }

    private static func upperHexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? nibble + UInt8(ascii: "0") : nibble - 10 + UInt8(ascii: "A")
    }
}
