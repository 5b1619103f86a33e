/// What a Content-Type means for the body of a keys request.
///
/// The rules and texts are those of Go's `mime.ParseMediaType`, whose errors clients see.
/// Source: `reference/client-api.md` §2.
struct MediaType: Equatable {
    /// The body is `application/x-www-form-urlencoded`.
    var isForm: Bool
    /// The error's text, if the header cannot be read.
    var problem: String?

    /// What a request without the header has.
    static let absent = MediaType(isForm: false)
    private static let form = "application/x-www-form-urlencoded"

    init(isForm: Bool, problem: String? = nil) {
        (self.isForm, self.problem) = (isForm, problem)
    }

    init(_ text: String) {
        // The text that nearly all clients send.
        if text == Self.form {
            self = MediaType(isForm: true)
            return
        }
        if text.isEmpty {
            self = .absent
            return
        }
        var reader = MediaTypeReader(rest: Substring(text))
        let (type, problem) = reader.type()
        if let problem {
            self = MediaType(isForm: false, problem: problem)
            return
        }
        self = MediaType(isForm: type == Self.form, problem: reader.parametersProblem())
    }
}

private struct MediaTypeReader {
    var rest: Substring

    /// The type in lower case; `rest` is then at the first parameter's semicolon, or empty.
    mutating func type() -> (String, problem: String?) {
        let end = rest.firstIndex(of: ";") ?? rest.endIndex
        let parameters = rest[end...]
        rest = Self.trimmed(rest[..<end])
        var type = token()
        guard !type.isEmpty else { return ("", "mime: no media type") }
        if !rest.isEmpty {
            guard rest.popFirst() == "/" else {
                return ("", "mime: expected slash after first token")
            }
            let subtype = token()
            guard !subtype.isEmpty else { return ("", "mime: expected token after slash") }
            guard rest.isEmpty else {
                return ("", "mime: unexpected content after media subtype")
            }
            type += "/" + subtype
        }
        rest = parameters
        return (type.lowercased(), nil)
    }

    /// Reads `; name=value` until the end; nil if all are well-formed.
    mutating func parametersProblem() -> String? {
        var seen: Set<String> = []
        while true {
            rest = Self.trimmed(rest)
            if rest.isEmpty || rest == ";" { return nil }
            guard let name = parameter() else { return "mime: invalid media parameter" }
            guard seen.insert(name).inserted else { return "mime: duplicate parameter name" }
        }
    }

    private mutating func parameter() -> String? {
        guard rest.popFirst() == ";" else { return nil }
        rest = Self.trimmed(rest)
        let name = token()
        rest = Self.trimmed(rest)
        guard !name.isEmpty, rest.popFirst() == "=" else { return nil }
        rest = Self.trimmed(rest)
        let isQuoted = rest.first == "\""
        guard isQuoted ? skipQuoted() : !token().isEmpty else { return nil }
        return name.lowercased()
    }

    private mutating func skipQuoted() -> Bool {
        rest.removeFirst()
        while let character = rest.popFirst() {
            switch character {
            case "\"": return true
            case "\\": rest = rest.dropFirst()
            case "\r", "\n": return false
            default: continue
            }
        }
        return false
    }

    private mutating func token() -> String {
        let end = rest.utf8.firstIndex { !Self.isTokenByte($0) } ?? rest.endIndex
        defer { rest = rest[end...] }
        return String(rest[..<end])
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && !"()<>@,;:\\\"/[]?=".utf8.contains(byte)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
