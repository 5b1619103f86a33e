/// One request of a sequence, as it goes over the wire.
///
/// Indices are not known when a request is drawn. In its target and its body stand, instead:
///
///     «i-3»      the store's index before this request, less 3; «i» and «i+3» likewise
///     «m:/a/b»   the modifiedIndex that was last seen of this key; 1 if none was
struct TestRequest {
    struct Header { var name: String, value: String }

    /// What a request that opens a watch watches.
    struct Watch {
        /// As in a URL, below `/v2/keys`.
        var key: String
        var isStream: Bool
        /// So many writes to the key are sure to be at or after its waitIndex.
        var writesToEnd = 1
    }

    var method = "GET"
    var target: String
    var headers: [Header] = []
    var body: String?
    var isChunked = false
    /// Set if the answer is a watch, when it is a 200.
    var watch: Watch?
    /// Makes a key that is due at once.
    var expiresAtOnce = false
}

extension TestRequest {
    static let formType = "application/x-www-form-urlencoded"

    /// With numbers in place of the marks, each written by `write`.
    func resolved(_ indices: SeenIndices, _ write: (Int) -> String) -> TestRequest {
        var request = self
        request.target = indices.resolve(target, write)
        request.body = body.map { indices.resolve($0, write) }
        return request
    }

    /// The bytes of a request whose marks are resolved.
    var bytes: [UInt8] {
        var text = "\(method) \(target) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.name == "Host" }) { text += "Host: differential\r\n" }
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        guard let body else { return Array((text + "\r\n").utf8) }
        let size = body.utf8.count
        if isChunked {
            text += "Transfer-Encoding: chunked\r\n\r\n"
            if size > 0 { text += "\(String(size, radix: 16))\r\n\(body)\r\n" }
            text += "0\r\n\r\n"
        } else {
            text += "Content-Length: \(size)\r\n\r\n\(body)"
        }
        return Array(text.utf8)
    }

    /// As one types it. `I` stands for the index at the sequence's beginning.
    func curl(_ indices: SeenIndices, base: Int) -> String {
        let mark = "\u{1}"
        let request = resolved(indices) { "\(mark)\($0 - base)\(mark)" }
        var line = "curl -si --path-as-is"
        line += method == "HEAD" ? " --head" : " -X\(method)"
        for header in headers { line += " -H " + Self.quoted("\(header.name): \(header.value)") }
        if isChunked { line += " -H 'Transfer-Encoding: chunked'" }
        if let body = request.body {
            if !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
                line += " -H Content-Type:"
            }
            line += " --data-raw " + Self.quoted(body)
        }
        return line + " \"$URL\"" + Self.quoted(request.target)
    }

    /// In quotes of a shell, with the numbers between marks as sums with `I`.
    private static func quoted(_ text: String) -> String {
        text.split(separator: "\u{1}", omittingEmptySubsequences: false).enumerated()
            .map { place, part in
                if place % 2 == 1 { return "$((I+\(part)))" }
                return part.isEmpty ? "" : "'" + part.replacing("'", with: "'\\''") + "'"
            }.joined()
    }
}

/// The indices that have shown in answers.
struct SeenIndices {
    var store = 0
    var modified: [String: Int] = [:]

    /// Takes note of what the reference answered to a request for `key`.
    mutating func note(_ key: Substring, index: Int?, body: [UInt8]) {
        if let index, index > store { store = index }
        guard let found = Self.modifiedIndex(in: body) else { return }
        modified[String(key)] = found
    }

    func resolve(_ text: String, _ write: (Int) -> String) -> String {
        guard text.contains("«") else { return text }
        var result = ""
        for part in text.split(separator: "«", omittingEmptySubsequences: false) {
            guard let end = part.firstIndex(of: "»") else {
                result += part
                continue
            }
            result += write(number(of: part[..<end])) + part[part.index(after: end)...]
        }
        return result
    }

    private func number(of mark: Substring) -> Int {
        if mark.hasPrefix("m:") { return modified[String(mark.dropFirst(2))] ?? 1 }
        return max(1, store + (Int(mark.dropFirst()) ?? 0))
    }

    /// The first one, which is the node's own if it is not a directory's listing.
    static func modifiedIndex(in body: [UInt8]) -> Int? {
        guard let place = body.firstRange(of: "\"modifiedIndex\":".utf8)?.upperBound else {
            return nil
        }
        let digits = body[place...].prefix { (0x30...0x39).contains($0) }
        return Int(String(decoding: digits, as: UTF8.self))
    }
}
