/// The target of a request line (`/v2/keys/a%20b?wait=true`), split and decoded.
///
/// The views lie in the request line itself or in the memory given to `parse`, and are valid as
/// long as both are.
struct RequestTarget {
    /// Percent-decoded, not cleaned.
    var path: UnsafeRawBufferPointer
    /// What follows the first `?`, as sent; empty without one.
    var query: UnsafeRawBufferPointer
    /// Whether the cleaned path differs from `path`: the answer is then a redirection.
    var needsCleaning: Bool

    /// Of a path that begins with `/v2/keys`: what follows.
    var keysPath: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: path["/v2/keys".utf8.count...])
    }

    /// - Returns: nil if the target is no path, or has a broken percent escape.
    static func parse(
        _ line: UnsafeRawBufferPointer, scratch: inout ByteWriter
    ) -> RequestTarget? {
        guard let start = pathStart(line) else { return nil }
        let target = UnsafeRawBufferPointer(rebasing: line[start...])
        let end = ByteSearch.first(UInt8(ascii: "?"), in: target) ?? target.count
        let query = UnsafeRawBufferPointer(rebasing: target[min(end + 1, target.count)...])
        var path = UnsafeRawBufferPointer(rebasing: target[..<end])
        if ByteSearch.first(UInt8(ascii: "%"), in: path) != nil {
            guard let decoded = PercentCoding.decodePath(path, into: &scratch) else { return nil }
            path = decoded
        }
        if path.isEmpty { path = slash }
        return RequestTarget(path: path, query: query, needsCleaning: !PathCleaner.isClean(path))
    }

    /// Where the path starts: at once, or after `http://host` of an absolute target.
    private static func pathStart(_ line: UnsafeRawBufferPointer) -> Int? {
        guard let first = line.first else { return nil }
        if first == UInt8(ascii: "/") { return 0 }
        for scheme: StaticString in ["http://", "https://"]
        where ByteSearch.hasPrefix(line, scheme) {
            var offset = scheme.utf8CodeUnitCount
            while offset < line.count, line[offset] != UInt8(ascii: "/"),
                line[offset] != UInt8(ascii: "?")
            {
                offset += 1
            }
            return offset
        }
        return nil
    }

    private static var slash: UnsafeRawBufferPointer {
        let text: StaticString = "/"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: 1)
    }
}

/// Percent escapes of paths and forms. Source: `reference/client-api.md` §1 and §2.
enum PercentCoding {
    /// The value of a hex digit; 16 or more for any other byte.
    @inline(__always)
    static func nibble(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: 16
        }
    }

    /// Offset of the first `%` that two hex digits do not follow; nil if all are well-formed.
    static func firstBroken(_ text: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        while let hit = ByteSearch.first(
            UInt8(ascii: "%"), in: UnsafeRawBufferPointer(rebasing: text[offset...]))
        {
            offset += hit
            guard offset + 2 < text.count, nibble(text[offset + 1]) < 16,
                nibble(text[offset + 2]) < 16
            else { return offset }
            offset += 3
        }
        return nil
    }

    /// In a path `+` is a plus. Nil if an escape is broken.
    static func decodePath(
        _ text: UnsafeRawBufferPointer, into scratch: inout ByteWriter
    ) -> UnsafeRawBufferPointer? {
        guard firstBroken(text) == nil else { return nil }
        return decode(text, plusIsSpace: false, into: &scratch)
    }

    /// In a form `+` is a space. Every escape must have been checked (`firstBroken`).
    static func decodeForm(
        _ text: UnsafeRawBufferPointer, into scratch: inout ByteWriter
    ) -> UnsafeRawBufferPointer {
        decode(text, plusIsSpace: true, into: &scratch)
    }

    /// The caller has reserved the room, so that views of earlier results stay valid.
    private static func decode(
        _ text: UnsafeRawBufferPointer, plusIsSpace: Bool, into scratch: inout ByteWriter
    ) -> UnsafeRawBufferPointer {
        let start = scratch.count
        var offset = 0
        while offset < text.count {
            var byte = text[offset]
            offset += 1
            if byte == UInt8(ascii: "%"), offset + 1 < text.count {
                byte = nibble(text[offset]) << 4 | nibble(text[offset + 1])
                offset += 2
            } else if byte == UInt8(ascii: "+"), plusIsSpace {
                byte = UInt8(ascii: " ")
            }
            scratch.append(byte)
        }
        return UnsafeRawBufferPointer(rebasing: scratch.bytes[start...])
    }
}
