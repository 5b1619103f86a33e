import Foundation
import ProcessSupport

/// `Fixtures/openapi/client-api.json`: what the client port does, for people and for generators.
struct OpenAPIDocument {
    let root: [String: Any]

    /// An operation: a method of a path.
    struct Operation {
        let path: String
        let method: String
        let fields: [String: Any]

        /// Requests to make of a running server, in order.
        var calls: [Call] { (fields["x-calls"] as? [[String: Any]] ?? []).map(Call.init) }
    }

    struct Call {
        let target: String
        let status: Int
        let form: String?
        let json: String?

        init(_ fields: [String: Any]) {
            target = fields["target"] as? String ?? ""
            status = fields["status"] as? Int ?? 0
            form = fields["form"] as? String
            json = fields["json"] as? String
        }
    }

    /// An answer of an operation, as it should be.
    struct Answer {
        /// By media type.
        let content: [String: [String: Any]]
        /// Schemas of the headers that are always there.
        let headers: [String: Any]
    }

    static func load() throws -> OpenAPIDocument {
        let file = ProcessSupport.packageFolder.appending(path: "Fixtures/openapi/client-api.json")
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        return OpenAPIDocument(root: json as? [String: Any] ?? [:])
    }

    /// In the order in which they can be called: keys are written before they are read and deleted.
    var operations: [Operation] {
        let order = ["put", "post", "get", "head", "delete"]
        return paths.sorted { $0.key < $1.key }.flatMap { path, methods in
            order.compactMap { method in
                methods[method].map {
                    Operation(path: path, method: method, fields: $0 as? [String: Any] ?? [:])
                }
            }
        }
    }

    var paths: [String: [String: Any]] { root["paths"] as? [String: [String: Any]] ?? [:] }

    func answer(of operation: Operation, status: Int) -> Answer? {
        let answers = operation.fields["responses"] as? [String: Any] ?? [:]
        guard let answer = resolved(answers["\(status)"]) else { return nil }
        let headers = answer["headers"] as? [String: Any] ?? [:]
        return Answer(
            content: answer["content"] as? [String: [String: Any]] ?? [:],
            headers: headers.compactMapValues { resolved($0)?["schema"] })
    }

    /// All answers of all operations, with the operation's name.
    var answers: [(name: String, answer: Answer)] {
        operations.flatMap { operation in
            (operation.fields["responses"] as? [String: Any] ?? [:]).keys.sorted().compactMap {
                status in
                Int(status).flatMap { answer(of: operation, status: $0) }
                    .map { ("\(operation.method) \(operation.path) \(status)", $0) }
            }
        }
    }

    /// An object, or what its `$ref` names.
    func resolved(_ value: Any?) -> [String: Any]? {
        guard let object = value as? [String: Any] else { return nil }
        guard let reference = object["$ref"] as? String else { return object }
        var place: Any? = root
        for step in reference.split(separator: "/").dropFirst() {
            place = (place as? [String: Any])?[String(step)]
        }
        return resolved(place)
    }
}
