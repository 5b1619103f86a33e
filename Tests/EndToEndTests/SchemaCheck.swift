import Foundation

/// Checks JSON values against the part of JSON Schema that `client-api.json` uses. A keyword that it
/// does not know is a problem, so that nothing stands there unchecked.
struct SchemaCheck {
    let document: OpenAPIDocument

    private static let known: Set<String> = [
        "type", "properties", "required", "additionalProperties", "items", "enum", "const",
        "pattern", "minimum", "description", "format", "$ref",
    ]

    /// What is wrong with `value`, each with where.
    func problems(_ value: Any, _ schema: Any?, at place: String = "$") -> [String] {
        guard let schema = document.resolved(schema) else { return ["\(place): no schema"] }
        let unknown = Set(schema.keys).subtracting(Self.known)
        if !unknown.isEmpty { return ["\(place): unknown keywords \(unknown.sorted())"] }
        if let wrong = typeProblem(value, schema["type"]) { return ["\(place): \(wrong)"] }
        var problems: [String] = []
        if let choices = schema["enum"] as? [String], !choices.contains(value as? String ?? "") {
            problems.append("\(place): \(value) is none of \(choices)")
        }
        if let constant = schema["const"] as? Bool, value as? Bool != constant {
            problems.append("\(place): \(value) is not \(constant)")
        }
        if let pattern = schema["pattern"] as? String {
            let text = value as? String ?? ""
            if text.range(of: pattern, options: .regularExpression) == nil {
                problems.append("\(place): \(text.debugDescription) does not match \(pattern)")
            }
        }
        if let minimum = schema["minimum"] as? Int, (value as? NSNumber)?.intValue ?? 0 < minimum {
            problems.append("\(place): \(value) is below \(minimum)")
        }
        if let items = schema["items"], let elements = value as? [Any] {
            for (number, element) in elements.enumerated() {
                problems += self.problems(element, items, at: "\(place)[\(number)]")
            }
        }
        if let object = value as? [String: Any] { problems += fieldProblems(object, schema, place) }
        return problems
    }

    private func fieldProblems(
        _ object: [String: Any], _ schema: [String: Any], _ place: String
    ) -> [String] {
        let required = schema["required"] as? [String] ?? []
        var problems = required.filter { object[$0] == nil }.map { "\(place): \($0) is missing" }
        let properties = schema["properties"] as? [String: Any] ?? [:]
        for (name, value) in object.sorted(by: { $0.key < $1.key }) {
            if let property = properties[name] {
                problems += self.problems(value, property, at: "\(place).\(name)")
            } else if let rest = schema["additionalProperties"] as? [String: Any] {
                problems += self.problems(value, rest, at: "\(place).\(name)")
            } else if schema["additionalProperties"] as? Bool == false {
                problems.append("\(place): \(name) is not described")
            }
        }
        return problems
    }

    private func typeProblem(_ value: Any, _ type: Any?) -> String? {
        let types = type as? [String] ?? (type as? String).map { [$0] } ?? []
        guard !types.isEmpty, !types.contains(where: { Self.isOf($0, value) }) else { return nil }
        return "\(value) is not of type \(types.joined(separator: " or "))"
    }

    private static func isOf(_ type: String, _ value: Any) -> Bool {
        switch type {
        case "string": return value is String
        case "array": return value is [Any]
        case "object": return value is [String: Any]
        case "null": return value is NSNull
        case "boolean": return isBoolean(value)
        case "number": return value is NSNumber && !isBoolean(value)
        case "integer":
            guard let number = value as? NSNumber, !isBoolean(value) else { return false }
            return number.doubleValue == number.doubleValue.rounded()
        default: return false
        }
    }

    /// A JSON number is an `NSNumber` like `true`; only the encoding tells them apart.
    private static func isBoolean(_ value: Any) -> Bool {
        guard let number = value as? NSNumber else { return value is Bool }
        return String(cString: number.objCType) == "c" || value is Bool && !(value is Int)
    }
}
