/// A JSON document, for the cold path: member records, version answers, request bodies of the
/// members API.
///
/// Numbers keep their text, so a 64-bit id stays exact; nesting is bounded; no input traps.
/// Accepts RFC 8259 and nothing more. As Go's decoder does, each byte that is not UTF-8 becomes
/// U+FFFD, of two equal keys the last one counts, and letter case in keys does not.
package enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// As written, grammar checked.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Field])

    package struct Field: Equatable, Sendable {
        package let key: String
        package let value: JSONValue
    }

    /// Parses one whole document; white space around it is allowed, anything else is not.
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes)
        self = try parser.document()
    }

    /// Parses the document that `bytes` begin with; whatever follows it is not looked at.
    package init(parsingFirstOf bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes)
        self = try parser.first()
    }

    /// An object's value for `key`, or nil: absent, null, or this is not an object.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        let wanted = key.lowercased()
        let field = fields.last { $0.key == key || $0.key.lowercased() == wanted }
        guard let field, field.value != .null else { return nil }
        return field.value
    }

    /// A field's text; empty when it is absent or null, as Go fills a struct.
    package func string(_ key: String) throws(JSONError) -> String {
        switch self[key] {
        case nil: return ""
        case .string(let text): return text
        default: throw JSONError(.wrongType(expected: "a string", field: key), at: 0)
        }
    }

    /// A field's list of texts; empty when it is absent or null.
    package func strings(_ key: String) throws(JSONError) -> [String] {
        guard let value = self[key] else { return [] }
        let wrong = JSONError(.wrongType(expected: "a list of strings", field: key), at: 0)
        guard case .array(let elements) = value else { throw wrong }
        var texts: [String] = []
        for element in elements {
            guard case .string(let text) = element else { throw wrong }
            texts.append(text)
        }
        return texts
    }

    /// A field's unsigned number, exact to 2^64 - 1; zero when it is absent or null.
    package func unsigned(_ key: String) throws(JSONError) -> UInt64 {
        guard let value = self[key] else { return 0 }
        guard case .number(let text) = value, let number = UInt64(text) else {
            throw JSONError(.wrongType(expected: "a number from 0 to 2^64-1", field: key), at: 0)
        }
        return number
    }
}

/// Why bytes are not the JSON that was expected.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        case unexpectedEnd
        case unexpectedByte(UInt8)
        case badEscape
        case tooDeep(limit: Int)
        case trailingBytes
        case wrongType(expected: String, field: String)
    }

    package let code: Code
    /// Where in the document; 0 when the whole field is meant.
    package let offset: Int

    package init(_ code: Code, at offset: Int) {
        self.code = code
        self.offset = offset
    }

    package var description: String {
        switch code {
        case .unexpectedEnd: "the JSON ends in the middle of a value, at byte \(offset)"
        case .unexpectedByte(let byte):
            "byte \(offset) of the JSON, 0x\(String(byte, radix: 16)), cannot stand there"
        case .badEscape: "byte \(offset) of the JSON is in a string escape that does not exist"
        case .tooDeep(let limit): "the JSON is nested deeper than \(limit) levels"
        case .trailingBytes: "something follows the JSON document, at byte \(offset)"
        case .wrongType(let expected, let field): "the JSON field \"\(field)\" is not \(expected)"
        }
    }
}
