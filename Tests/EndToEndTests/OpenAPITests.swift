import Foundation
import GoldenSupport
import ProcessSupport
import Testing

@testable import ClientAPI

/// `Fixtures/openapi/client-api.json` says what the server does, and all that it does.
@Suite struct OpenAPITests {
    private let document: OpenAPIDocument
    private let check: SchemaCheck

    init() throws {
        document = try OpenAPIDocument.load()
        check = SchemaCheck(document: document)
    }

    @Test func everyRouteIsDescribed() {
        #expect(document.root["openapi"] as? String == "3.1.0")
        for route in RouteTable.routes {
            let path = "\(route.path)"
            let paths = document.paths.filter { name, _ in
                name == path || name + "/" == path || name == path + "{\(Self.parameter(of: name))}"
            }
            #expect(!paths.isEmpty, "\(path) is not described")
        }
        for operation in document.operations {
            let path = operation.path.replacing(/\{[^}]*\}/, with: "x")
            #expect(Self.resolves(path, operation.method), "\(operation.method) \(path)")
        }
    }

    private static func parameter(of path: String) -> String {
        path.firstMatch(of: /\{([^}]*)\}/).map { String($0.1) } ?? ""
    }

    private static func resolves(_ path: String, _ method: String) -> Bool {
        var path = path
        var scratch = ByteWriter(capacity: 64)
        let methods: [String: MethodSet] = [
            "get": .get, "head": .head, "put": .put, "post": .post, "delete": .delete,
        ]
        return path.withUTF8 { bytes in
            let line = UnsafeRawBufferPointer(bytes)
            guard let method = methods[method] else { return false }
            if case .endpoint = RouteTable.resolve(line, method, scratch: &scratch) { return true }
            return false
        }
    }

    /// A method that a route takes, and that means something there, is an operation of some path.
    @Test func everyMethodIsDescribed() {
        for route in RouteTable.routes where route.methods != .all {
            let names: [(MethodSet, String)] = [
                (.get, "get"), (.head, "head"), (.put, "put"), (.post, "post"), (.delete, "delete"),
            ]
            for (method, name) in names where route.methods.contains(method) {
                let isDescribed = document.operations.contains {
                    $0.method == name && $0.path.hasPrefix("\(route.path)".trimmingSuffix("/"))
                }
                #expect(isDescribed, "\(name) \(route.path)")
            }
        }
    }

    @Test func theExamplesAreOfTheirSchemas() {
        for (name, answer) in document.answers {
            for (type, content) in answer.content {
                guard let example = content["example"] else { continue }
                let problems = check.problems(example, content["schema"])
                #expect(problems.isEmpty, "\(name) \(type): \(problems)")
            }
        }
    }

    @Test func theServerAnswersAsDescribed() throws {
        let cluster = try KvdCluster(size: 1)
        try cluster.startAll()
        try cluster.waitReady()
        try GoldenWarmUp(port: cluster.clientPorts[0]).reach(index: 10)
        let client = try cluster.client(0)
        for operation in document.operations {
            #expect(!operation.calls.isEmpty, "\(operation.method) \(operation.path) is not tried")
            for call in operation.calls {
                let answer = try perform(call, operation, client, cluster)
                let problems = problems(answer, operation)
                let name = "\(operation.method) \(call.target)"
                #expect(answer.status == call.status, "\(name): \(answer.text)")
                #expect(problems.isEmpty, "\(name): \(problems) in \(answer.text)")
            }
        }
    }

    private func perform(
        _ call: OpenAPIDocument.Call, _ operation: OpenAPIDocument.Operation,
        _ client: LoopbackHTTP, _ cluster: KvdCluster
    ) throws -> LoopbackHTTP.Response {
        let method = operation.method.uppercased()
        guard let json = call.json else {
            return try client.request(method, call.target, form: call.form)
        }
        let body = json.replacing("${PEER}", with: "http://127.0.0.1:\(cluster.peerPorts[0])")
        try client.send(
            Array(
                """
                \(method) \(call.target) HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r
                Content-Length: \(body.utf8.count)\r\n\r\n\(body)
                """.utf8))
        return try client.readResponse(to: method)
    }

    private func problems(
        _ answer: LoopbackHTTP.Response, _ operation: OpenAPIDocument.Operation
    ) -> [String] {
        guard let described = document.answer(of: operation, status: answer.status) else {
            return ["status \(answer.status) is not described"]
        }
        var problems: [String] = []
        for (name, schema) in described.headers {
            if let value = answer.headers[name.lowercased()] {
                problems += check.problems(value, schema, at: name)
            } else {
                problems.append("\(name) is missing")
            }
        }
        for name in answer.headers.keys where name.hasPrefix("x-etcd") || name.hasPrefix("x-raft") {
            if !described.headers.keys.contains(where: { $0.lowercased() == name }) {
                problems.append("\(name) is not described")
            }
        }
        if answer.body.isEmpty { return problems }
        let type = answer.headers["content-type"] ?? ""
        guard let content = described.content[type] else {
            return problems + ["Content-Type \(type) is not described"]
        }
        guard type.hasPrefix("application/json") else { return problems }
        guard
            let json = try? JSONSerialization.jsonObject(
                with: Data(answer.body), options: .fragmentsAllowed)
        else { return problems + ["the body is no JSON"] }
        return problems + check.problems(json, content["schema"])
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
