import Cluster

/// One object of JSON in one line, its fields in the order they are given.
struct JSONLine {
    private var text = JSONText()
    private var isFirst = true

    init() { text.raw("{") }

    var bytes: [UInt8] { text.bytes + [UInt8(ascii: "}")] }

    private mutating func name(_ name: String) {
        if !isFirst { text.raw(",") }
        isFirst = false
        text.raw("\"\(name)\":")
    }

    mutating func number(_ name: String, _ value: some BinaryInteger) {
        self.name(name)
        text.raw("\(value)")
    }

    mutating func flag(_ name: String, _ value: Bool) {
        self.name(name)
        text.raw(value ? "true" : "false")
    }

    mutating func string(_ name: String, _ value: String) {
        self.name(name)
        text.string(value)
    }

    mutating func strings(_ name: String, _ values: [String]) {
        self.name(name)
        text.strings(values)
    }

    /// Text if these bytes are UTF-8; else as hex, in a field of another name.
    mutating func bytes(_ name: String, _ value: [UInt8]) {
        if let string = String(validating: value, as: UTF8.self) {
            self.string(name, string)
        } else {
            string("\(name)Hex", ByteText.hex(value))
        }
    }

    mutating func objects(_ name: String, _ values: [JSONLine]) {
        self.name(name)
        text.raw("[")
        for (i, value) in values.enumerated() {
            if i > 0 { text.raw(",") }
            append(value)
        }
        text.raw("]")
    }

    mutating func object(_ name: String, _ value: JSONLine) {
        self.name(name)
        append(value)
    }

    private mutating func append(_ value: JSONLine) {
        text.raw(String(decoding: value.bytes, as: UTF8.self))
    }
}
