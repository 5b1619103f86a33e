import Foundation
package import Histories
package import ProcessSupport

/// Operations on keys as requests of the v2 API, and answers as what they mean.
package enum KeyClient {
    /// What is known of an operation's end.
    package enum Answer: Equatable, Sendable {
        case output(KeyOperation.Output)
        /// Nothing that says whether it was done.
        case unknown
    }

    /// Asks on `connection`; throws when that breaks.
    package static func ask(
        _ input: KeyOperation.Input, _ path: String, on connection: LoopbackHTTP
    ) throws -> Answer {
        let (method, query, value) = request(input)
        let answer = try connection.request(
            method, "/v2/keys\(path)\(query)", form: value.map { "value=\($0)" })
        return try meaning(of: answer, input)
    }

    private static func request(
        _ input: KeyOperation.Input
    ) -> (method: String, query: String, value: KeyOperation.Value?) {
        switch input {
        case .read: ("GET", "?quorum=true", nil)
        case .set(let value): ("PUT", "", value)
        case .create(let value): ("PUT", "?prevExist=false", value)
        case .update(let value): ("PUT", "?prevExist=true", value)
        case .swap(let old, let new): ("PUT", "?prevValue=\(old)", new)
        case .delete: ("DELETE", "", nil)
        case .deleteIf(let old): ("DELETE", "?prevValue=\(old)", nil)
        }
    }

    private static func meaning(
        of answer: LoopbackHTTP.Response, _ input: KeyOperation.Input
    ) throws -> Answer {
        switch (answer.status, answer.json["errorCode"] as? Int) {
        case (200, nil), (201, nil):
            let value = try value(of: answer.node, answer)
            if input == .read { return .output(.value(value)) }
            guard value == written(input) else {
                throw ChaosFailure("\(input) was answered by \(answer.text)")
            }
            let previous = answer.json["prevNode"] as? [String: Any]
            return .output(
                .done(previous: try previous.map { try self.value(of: $0, answer) } ?? 0))
        case (404, 100):
            return .output(input == .read ? .value(KeyOperation.absent) : .keyMissing)
        case (412, 101): return .output(.compareFailed)
        case (412, 105): return .output(.keyExists)
        case (400..<500, _): throw ChaosFailure("\(input) was answered by \(answer.text)")
        default: return .unknown
        }
    }

    private static func written(_ input: KeyOperation.Input) -> KeyOperation.Value {
        switch input {
        case .set(let value), .create(let value), .update(let value), .swap(_, let value): value
        case .read, .delete, .deleteIf: KeyOperation.absent
        }
    }

    /// A node that was deleted has no value.
    private static func value(
        of node: [String: Any], _ answer: LoopbackHTTP.Response
    ) throws -> KeyOperation.Value {
        guard let text = node["value"] as? String else { return KeyOperation.absent }
        guard let value = KeyOperation.Value(text) else {
            throw ChaosFailure("nobody wrote the value in \(answer.text)")
        }
        return value
    }
}
