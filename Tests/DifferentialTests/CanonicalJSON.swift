/// A JSON text with what may differ between two right answers taken out of it: the nodes of a
/// directory in one order, times and remaining seconds apart. All else stays as it is, to the byte,
/// the order of fields too.
struct CanonicalJSON {
    fileprivate(set) var text: [UInt8]
    /// Values of `expiration`, in the order of the text.
    private(set) var expirations: [String] = []
    /// Values of `ttl`.
    private(set) var lifetimes: [Int] = []

    /// Whether the first of `lifetimes` is that of the node that an answer is about.
    var namesLifetimeOfNode: Bool {
        guard let lifetime = text.firstRange(of: "\"ttl\"".utf8) else { return false }
        guard let previous = text.firstRange(of: "\"prevNode\"".utf8) else { return true }
        return lifetime.lowerBound < previous.lowerBound
    }

    /// Nil if `text` is no JSON.
    init?(_ text: [UInt8]) {
        var reader = ValueReader(text: text)
        guard let value = reader.value(), let rest = reader.rest() else { return nil }
        self.text = value.text + rest
        expirations = value.expirations
        lifetimes = value.lifetimes
    }

    fileprivate init(part: [UInt8]) { text = part }

    fileprivate mutating func append(_ other: CanonicalJSON) {
        text += other.text
        expirations += other.expirations
        lifetimes += other.lifetimes
    }

    fileprivate mutating func append(_ byte: Character) { text.append(byte.asciiValue ?? 0) }

    /// A field whose value is noted, not shown.
    fileprivate mutating func append(field name: [UInt8], _ value: CanonicalJSON) {
        switch String(decoding: name, as: UTF8.self) {
        case "\"expiration\"":
            expirations.append(String(decoding: value.text, as: UTF8.self))
            text += Array("TIME".utf8)
        case "\"ttl\"":
            lifetimes.append(Int(String(decoding: value.text, as: UTF8.self)) ?? .min)
            text += Array("SECONDS".utf8)
        default: append(value)
        }
    }
}

/// Reads JSON that is known to be small and shallow.
private struct ValueReader {
    let text: [UInt8]
    var place = 0

    init(text: [UInt8]) { self.text = text }

    private var next: UInt8? { place < text.count ? text[place] : nil }

    private mutating func skip(_ character: Character) -> Bool {
        guard next == character.asciiValue else { return false }
        place += 1
        return true
    }

    /// What follows the value: a newline or nothing.
    func rest() -> [UInt8]? {
        let rest = Array(text[place...])
        return rest.isEmpty || rest == [10] ? rest : nil
    }

    mutating func value() -> CanonicalJSON? {
        switch next {
        case UInt8(ascii: "{"): object()
        case UInt8(ascii: "["): array(isSorted: false)
        case UInt8(ascii: "\""): string().map { CanonicalJSON(part: $0) }
        default: word()
        }
    }

    private mutating func word() -> CanonicalJSON? {
        let start = place
        while let byte = next, !",]}\n".utf8.contains(byte) { place += 1 }
        return place > start ? CanonicalJSON(part: Array(text[start..<place])) : nil
    }

    private mutating func string() -> [UInt8]? {
        let start = place
        guard skip("\"") else { return nil }
        while let byte = next {
            place += 1
            if byte == UInt8(ascii: "\"") { return Array(text[start..<place]) }
            if byte == UInt8(ascii: "\\") { place += 1 }
        }
        return nil
    }

    private mutating func object() -> CanonicalJSON? {
        guard skip("{") else { return nil }
        var object = CanonicalJSON(part: [UInt8(ascii: "{")])
        while !skip("}") {
            guard let name = string(), skip(":") else { return nil }
            let isNodes = name.elementsEqual("\"nodes\"".utf8)
            guard let value = isNodes ? array(isSorted: true) : value() else { return nil }
            object.text += name
            object.append(":")
            object.append(field: name, value)
            if skip(",") { object.append(",") } else if next != UInt8(ascii: "}") { return nil }
        }
        object.append("}")
        return object
    }

    private mutating func array(isSorted: Bool) -> CanonicalJSON? {
        guard skip("[") else { return nil }
        var elements: [CanonicalJSON] = []
        while !skip("]") {
            guard let element = value() else { return nil }
            elements.append(element)
            if !skip(","), next != UInt8(ascii: "]") { return nil }
        }
        if isSorted { elements.sort { $0.text.lexicographicallyPrecedes($1.text) } }
        var array = CanonicalJSON(part: [UInt8(ascii: "[")])
        for (place, element) in elements.enumerated() {
            if place > 0 { array.append(",") }
            array.append(element)
        }
        array.append("]")
        return array
    }
}
