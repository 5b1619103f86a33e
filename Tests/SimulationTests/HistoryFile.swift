import FixtureSupport
import Histories
import Testing

/// A history from `Fixtures/simulation/histories`, and whether it is linearizable.
struct HistoryCase: CustomTestStringConvertible, Sendable {
    var title: String
    var isGood: Bool
    var operations: [KeyOperation] = []

    var testDescription: String { title }

    static let all: [HistoryCase] = {
        do { return try read("simulation/histories/register.txt") } catch {
            preconditionFailure("the fixture cannot be read: \(error)")
        }
    }()

    struct Unreadable: Error { var line: String }

    static func read(_ path: String) throws -> [HistoryCase] {
        var cases: [HistoryCase] = []
        for line in try Fixture.text(path).split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ").map(String.init)
            guard let first = words.first else { continue }
            if first == "good:" || first == "bad:" {
                cases.append(
                    HistoryCase(
                        title: words.dropFirst().joined(separator: " "), isGood: first == "good:"))
            } else {
                guard !cases.isEmpty, let operation = operation(words) else {
                    throw Unreadable(line: String(line))
                }
                cases[cases.count - 1].operations.append(operation)
            }
        }
        return cases
    }

    private static func operation(_ words: [String]) -> KeyOperation? {
        var rest = words[...]
        func word() -> String? { rest.popFirst() }
        func number() -> UInt32? { rest.popFirst().flatMap { UInt32($0) } }
        guard let client = word().flatMap({ Int($0.dropFirst()) }), let verb = word() else {
            return nil
        }
        let input: KeyOperation.Input?
        switch verb {
        case "read": input = .read
        case "set": input = number().map { .set($0) }
        case "create": input = number().map { .create($0) }
        case "update": input = number().map { .update($0) }
        case "delete": input = .delete
        case "delete-if": input = number().map { .deleteIf($0) }
        case "swap":
            guard let old = number(), let new = number() else { return nil }
            input = .swap(from: old, to: new)
        default: return nil
        }
        let output: KeyOperation.Output?
        switch word() {
        case "value": output = number().map { .value($0) }
        case "done": output = number().map { .done(previous: $0) }
        case "missing": output = .keyMissing
        case "exists": output = .keyExists
        case "mismatch": output = .compareFailed
        case "?": output = nil
        default: return nil
        }
        guard let input, let called = number(), let end = word() else { return nil }
        let returned = end == "-" ? UInt64.max : UInt64(end)
        return returned.map {
            KeyOperation(
                client: client, input, output, calledAt: UInt64(called), returnedAt: $0)
        }
    }
}
