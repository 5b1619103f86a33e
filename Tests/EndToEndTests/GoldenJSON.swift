import Foundation

/// JSON as the golden comparison needs it: with the places that differ from run to run blanked.
indirect enum GoldenJSON: Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([GoldenJSON])
    case object([String: GoldenJSON])
    /// A place that is compared by its kind only.
    case volatile(String)
    /// A TTL, which may differ by two seconds.
    case ttl(Int)

    init(_ any: Any) {
        switch any {
        case let value as [String: Any]: self = .object(value.mapValues(GoldenJSON.init))
        case let value as [Any]: self = .list(value.map(GoldenJSON.init))
        case let value as String: self = .text(value)
        case is NSNull: self = .null
        case let value as NSNumber:
            self = CFGetTypeIDIsBool(value) ? .bool(value.boolValue) : .number(value.doubleValue)
        default: self = .null
        }
    }

    static func parse(_ text: String) -> GoldenJSON? {
        guard let any = try? JSONSerialization.jsonObject(with: Data(text.utf8)),
            any is [String: Any] || any is [Any]
        else { return nil }
        return GoldenJSON(any)
    }

    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .number, .ttl: "number"
        case .text: "string"
        case .list: "array"
        case .object: "object"
        case .volatile(let kind): kind
        }
    }

    /// A text that is the same for equal values, whatever the order of their members in memory.
    var canonical: String {
        switch self {
        case .object(let members):
            members.keys.sorted().map { "\($0):\(members[$0]?.canonical ?? "")" }
                .joined(separator: ",")
        case .list(let elements): elements.map(\.canonical).joined(separator: ";")
        case .null, .bool, .number, .text, .volatile, .ttl: "\(self)"
        }
    }

    /// The number at `path`, such as `node.modifiedIndex`.
    func number(at path: String) -> Double? {
        var result: Double?
        var copy = self
        copy.visit(path) { value, _ in
            if case .number(let number) = value { result = number }
        }
        return result
    }

    func string(at path: String) -> String? {
        var result: String?
        var copy = self
        copy.visit(path) { value, _ in
            switch value {
            case .text(let text): result = text
            case .number(let number): result = "\(Int(number))"
            default: break
            }
        }
        return result
    }

    /// Calls `body` with each place that `path` names: `a.b[0].c`, `[*]`, or `$..name` at any depth.
    mutating func visit(_ path: String, _ body: (inout GoldenJSON, String) -> Void) {
        if path.hasPrefix("$..") {
            visitAll(named: String(path.dropFirst(3)), body)
        } else {
            visit(Self.tokens(path)[...], body)
        }
    }

    private mutating func visitAll(named name: String, _ body: (inout GoldenJSON, String) -> Void) {
        switch self {
        case .object(var members):
            for key in members.keys.sorted() {
                members[key]?.visitAll(named: name, body)
                if key == name, var value = members[key] {
                    body(&value, key)
                    members[key] = value
                }
            }
            self = .object(members)
        case .list(var elements):
            for i in elements.indices { elements[i].visitAll(named: name, body) }
            self = .list(elements)
        default: break
        }
    }

    private mutating func visit(
        _ tokens: ArraySlice<String>, _ body: (inout GoldenJSON, String) -> Void
    ) {
        guard let token = tokens.first else { return }
        let rest = tokens.dropFirst()
        func step(_ value: inout GoldenJSON) {
            if rest.isEmpty { body(&value, token) } else { value.visit(rest, body) }
        }
        switch self {
        case .object(var members):
            let keys = token == "*" ? members.keys.sorted() : [token]
            for key in keys {
                guard var value = members[key] else { continue }
                step(&value)
                members[key] = value
            }
            self = .object(members)
        case .list(var elements):
            let all = token == "*" ? Array(elements.indices) : [Int(token) ?? -1]
            for i in all where elements.indices.contains(i) { step(&elements[i]) }
            self = .list(elements)
        default: break
        }
    }

    /// `a.b[*].c` as `a`, `b`, `*`, `c`.
    private static func tokens(_ path: String) -> [String] {
        path.split { ".[]".contains($0) }.map(String.init)
    }

    /// The first difference between what was recorded and `other`; nil if there is none.
    func difference(from other: GoldenJSON, at place: String = "$") -> String? {
        switch (self, other) {
        case (.ttl(let a), .ttl(let b)): return abs(a - b) <= 2 ? nil : "\(place): ttl \(b), not \(a)"
        case (.object(let a), .object(let b)):
            for key in Set(a.keys).union(b.keys).sorted() {
                guard let mine = a[key] else { return "\(place).\(key) is unexpected" }
                guard let theirs = b[key] else { return "\(place).\(key) is missing" }
                if let found = mine.difference(from: theirs, at: "\(place).\(key)") { return found }
            }
            return nil
        case (.list(let a), .list(let b)):
            guard a.count == b.count else { return "\(place): \(b.count) elements, not \(a.count)" }
            for (i, (mine, theirs)) in zip(a, b).enumerated() {
                if let found = mine.difference(from: theirs, at: "\(place)[\(i)]") { return found }
            }
            return nil
        default: return self == other ? nil : "\(place): \(other), not \(self)"
        }
    }
}

/// Whether a number came from `true` or `false`.
private func CFGetTypeIDIsBool(_ number: NSNumber) -> Bool {
    String(cString: number.objCType) == "c" || number === (true as NSNumber)
        || number === (false as NSNumber)
}
