package import Foundation

/// Exchanges recorded from a real etcd, in their order: one scenario of
/// `Fixtures/golden/client-v2.jsonl`. Format: `/work/shared/golden/README.md`.
package struct GoldenScenario: CustomStringConvertible, Sendable {
    package let name: String
    /// Flags that the server is to be started with.
    package let serverArguments: [String]
    /// The store's index before the first step.
    package let indexBase: Int
    package let steps: [GoldenStep]

    package var description: String { name }

    /// Whether steps follow one that sets a key of no time to live, which goes with the next SYNC: at most
    /// half a second later, whatever is under way.
    var hasKeyThatGoesAtOnce: Bool { steps.dropLast().contains { $0.bodyText == "ttl=0" } }

    /// All scenarios of a file, in its order.
    package static func load(_ file: URL) throws -> [GoldenScenario] {
        let text = try String(contentsOf: file, encoding: .utf8)
        var order: [String] = []
        var steps: [String: [GoldenStep]] = [:]
        for line in text.split(separator: "\n") {
            guard let json = GoldenJSON(String(line)), let step = GoldenStep(json) else {
                throw GoldenFailure("a line of \(file.path) is no step: \(line.prefix(80))")
            }
            if steps[step.scenario] == nil { order.append(step.scenario) }
            steps[step.scenario, default: []].append(step)
        }
        return order.map { name in
            let steps = steps[name] ?? []
            return GoldenScenario(
                name: name, serverArguments: steps.first?.serverArguments ?? [],
                indexBase: steps.first?.indexBase ?? 10, steps: steps)
        }
    }
}

/// Something that made a scenario impossible to run.
package struct GoldenFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// One recorded exchange, or one event of an open watch.
package struct GoldenStep: Sendable {
    package enum Kind: String, Sendable {
        case request
        case watchOpen = "watch_open"
        case watchEvent = "watch_event"
        case watchEnd = "watch_end"
        case watchIdle = "watch_idle"
        case watchClose = "watch_close"
    }

    /// How far numbers have moved since another step.
    package struct Delta: Sendable {
        package let baseStep: Int
        package let paths: [String]
    }

    package let scenario: String
    package let number: Int
    package let serverArguments: [String]
    package let indexBase: Int
    package let kind: Kind
    package let watch: String
    package let method: String
    package let path: String
    package let headers: [String: String]
    package let body: [UInt8]?
    /// The body is a text in which placeholders may stand.
    package let bodyText: String?
    package let delayMilliseconds: Int
    package let timeoutMilliseconds: Int
    package let idleMilliseconds: Int
    package let status: Int?
    package let responseHeaders: [String: String]
    package let responseBody: String
    package let isResponseBase64: Bool
    package let capture: [String: String]
    package let volatilePaths: [String]
    package let unorderedPaths: [String]
    package let delta: Delta?
    package let bodyContains: [String]

    init?(_ json: GoldenJSON) {
        guard let scenario = json["scenario"]?.text, let number = json["step"]?.int,
            let kind = Kind(rawValue: json["kind"]?.text ?? "request")
        else { return nil }
        (self.scenario, self.number, self.kind) = (scenario, number, kind)
        serverArguments = Self.texts(json["server_args"])
        indexBase = json["index_base"]?.int ?? 10
        watch = json["watch"]?.text ?? ""
        method = json["method"]?.text ?? ""
        path = json["path"]?.text ?? ""
        headers = Self.table(json["headers"])
        (body, bodyText) = Self.body(json)
        delayMilliseconds = json["delay_ms"]?.int ?? 0
        timeoutMilliseconds = json["timeout_ms"]?.int ?? 15_000
        idleMilliseconds = json["idle_ms"]?.int ?? 700
        status = json["status"]?.int
        responseHeaders = Self.table(json["response_headers"])
        responseBody = json["response_body"]?.text ?? ""
        isResponseBase64 = json["response_body_b64"] == .bool(true)
        capture = Self.table(json["capture"])
        volatilePaths = Self.texts(json["volatile"])
        unorderedPaths = Self.texts(json["unordered"])
        bodyContains = Self.texts(json["body_contains"])
        delta = json["delta"].flatMap { delta in
            delta["base_step"]?.int.map { Delta(baseStep: $0, paths: Self.texts(delta["paths"])) }
        }
    }

    private static func texts(_ json: GoldenJSON?) -> [String] {
        json?.elements?.compactMap(\.text) ?? []
    }

    private static func table(_ json: GoldenJSON?) -> [String: String] {
        json?.fields?.compactMapValues(\.text) ?? [:]
    }

    private static func body(_ json: GoldenJSON) -> (bytes: [UInt8]?, text: String?) {
        if let text = json["body_b64"]?.text {
            return (Data(base64Encoded: text).map(Array.init), nil)
        }
        if let parts = json["body_repeat"] {
            let unit = String(repeating: parts["unit"]?.text ?? "", count: parts["count"]?.int ?? 0)
            let text = (parts["prefix"]?.text ?? "") + unit + (parts["suffix"]?.text ?? "")
            return (Array(text.utf8), nil)
        }
        let text = json["body"]?.text
        return (text.map { Array($0.utf8) }, text)
    }
}
