internal import Cluster

/// A JSON document that is compared by rules: values whose text does not matter are replaced by
/// marks first. Paths are those of `golden/README.md`: `a.b[0].c`, `[*]`, `$..name`.
package indirect enum GoldenJSON: Equatable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([GoldenJSON])
    case object([String: GoldenJSON])
    /// Something of which only the kind is compared.
    case mark(String)
    /// A time to live, which may differ by two seconds.
    case seconds(Int)

    /// Nil if `text` is no JSON.
    package init?(_ text: String) {
        guard let value = try? JSONValue(parsing: Array(text.utf8)) else { return nil }
        self.init(value)
    }

    private init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .number(let text): self = .number(text)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .array(elements.map { GoldenJSON($0) })
        case .object(let fields):
            self = .object(
                Dictionary(fields.map { ($0.key, GoldenJSON($0.value)) }) { _, last in last })
        }
    }

    package subscript(key: String) -> GoldenJSON? {
        guard case .object(let fields) = self else { return nil }
        return fields[key]
    }

    package var text: String? {
        switch self {
        case .string(let text), .number(let text): text
        default: nil
        }
    }

    package var int: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text) ?? Double(text).map { Int($0) }
    }

    package var elements: [GoldenJSON]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    package var fields: [String: GoldenJSON]? {
        guard case .object(let fields) = self else { return nil }
        return fields
    }

    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .number, .seconds: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        case .mark(let text): text
        }
    }

    // MARK: - Paths

    private enum Step {
        case key(String)
        case position(Int)
        case each
    }

    private static func steps(_ path: String) -> [Step] {
        path.split { $0 == "." || $0 == "[" }.map { part in
            if part == "*]" { return .each }
            if part.hasSuffix("]"), let position = Int(part.dropLast()) {
                return .position(position)
            }
            return .key(String(part))
        }
    }

    /// The document with `change` made to every value at `path`.
    package func changed(
        at path: String, _ change: (GoldenJSON) -> GoldenJSON
    ) -> GoldenJSON {
        if path.hasPrefix("$..") { return changed(everywhere: String(path.dropFirst(3)), change) }
        return changed(Self.steps(path)[...], change)
    }

    private func changed(
        everywhere key: String, _ change: (GoldenJSON) -> GoldenJSON
    ) -> GoldenJSON {
        switch self {
        case .array(let elements):
            return .array(elements.map { $0.changed(everywhere: key, change) })
        case .object(var fields):
            for (name, value) in fields {
                let inner = value.changed(everywhere: key, change)
                fields[name] = name == key ? change(inner) : inner
            }
            return .object(fields)
        default: return self
        }
    }

    private func changed(
        _ steps: ArraySlice<Step>, _ change: (GoldenJSON) -> GoldenJSON
    ) -> GoldenJSON {
        guard let step = steps.first else { return change(self) }
        let rest = steps.dropFirst()
        switch (self, step) {
        case (.array(let elements), .each):
            return .array(elements.map { $0.changed(rest, change) })
        case (.array(var elements), .position(let position)) where position < elements.count:
            elements[position] = elements[position].changed(rest, change)
            return .array(elements)
        case (.object(var fields), .key(let key)):
            guard let value = fields[key] else { return self }
            fields[key] = value.changed(rest, change)
            return .object(fields)
        case (.object(let fields), .each):
            return .object(fields.mapValues { $0.changed(rest, change) })
        default: return self
        }
    }

    /// The first value at `path`.
    package func value(at path: String) -> GoldenJSON? {
        var found: GoldenJSON?
        _ = changed(at: path) { value in
            found = found ?? value
            return value
        }
        return found
    }

    /// With the elements of the arrays at `path` in an order of their own.
    package func sorted(at path: String) -> GoldenJSON {
        changed(at: path) { value in
            guard case .array(let elements) = value else { return value }
            return .array(elements.sorted { $0.sortingText < $1.sortingText })
        }
    }

    private var sortingText: String {
        switch self {
        case .array(let elements): "[" + elements.map(\.sortingText).joined(separator: ",") + "]"
        case .object(let fields):
            "{"
                + fields.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.sortingText)" }
                .joined(separator: ",") + "}"
        case .string(let text), .number(let text), .mark(let text): text
        case .seconds: "seconds"
        case .null, .bool: "\(self)"
        }
    }

    // MARK: - Comparison

    /// The first difference to what was `recorded`, as a sentence; nil if there is none.
    package func difference(from recorded: GoldenJSON, at place: String = "$") -> String? {
        switch (self, recorded) {
        case (.seconds(let mine), .seconds(let theirs)):
            return abs(mine - theirs) <= 2 ? nil : "\(place): ttl \(mine), recorded \(theirs)"
        case (.number(let mine), .number(let theirs)):
            return mine == theirs || Double(mine) == Double(theirs)
                ? nil : "\(place): got \(mine), recorded \(theirs)"
        case (.array(let mine), .array(let theirs)):
            guard mine.count == theirs.count else {
                return "\(place): \(mine.count) elements, recorded \(theirs.count)"
            }
            for (position, pair) in zip(mine, theirs).enumerated() {
                let here = "\(place)[\(position)]"
                if let found = pair.0.difference(from: pair.1, at: here) { return found }
            }
            return nil
        case (.object(let mine), .object(let theirs)):
            return Self.difference(of: mine, from: theirs, at: place)
        default:
            return self == recorded ? nil : "\(place): got \(self), recorded \(recorded)"
        }
    }

    private static func difference(
        of mine: [String: GoldenJSON], from theirs: [String: GoldenJSON], at place: String
    ) -> String? {
        for key in Set(mine.keys).union(theirs.keys).sorted() {
            guard let value = mine[key] else { return "\(place).\(key) is missing" }
            guard let recorded = theirs[key] else { return "\(place).\(key) is unexpected" }
            if let found = value.difference(from: recorded, at: "\(place).\(key)") {
                return found
            }
        }
        return nil
    }
}
