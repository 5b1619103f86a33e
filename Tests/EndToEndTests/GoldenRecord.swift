import Foundation

/// One recorded exchange with a real etcd 2.3.8: a line of `Fixtures/golden/client-v2.jsonl`.
///
/// Fields are those of the recordings' own description (`Fixtures/golden/README.md`).
struct GoldenRecord {
    let json: [String: Any]

    var scenario: String { json["scenario"] as? String ?? "" }
    var step: Int { json["step"] as? Int ?? 0 }
    var kind: String { json["kind"] as? String ?? "request" }
    var method: String { json["method"] as? String ?? "GET" }
    var path: String { json["path"] as? String ?? "" }
    var watch: String { json["watch"] as? String ?? "" }
    var headers: [String: String] { json["headers"] as? [String: String] ?? [:] }
    var serverArguments: [String] { json["server_args"] as? [String] ?? [] }
    var indexBase: Int { json["index_base"] as? Int ?? 10 }
    var delayMilliseconds: Int { json["delay_ms"] as? Int ?? 0 }
    var idleMilliseconds: Int { json["idle_ms"] as? Int ?? 700 }
    var status: Int? { json["status"] as? Int }
    var responseHeaders: [String: String] { json["response_headers"] as? [String: String] ?? [:] }
    var responseBody: String { json["response_body"] as? String ?? "" }
    var isResponseBodyBase64: Bool { json["response_body_b64"] as? Bool ?? false }
    var volatilePaths: [String] { json["volatile"] as? [String] ?? [] }
    var unorderedPaths: [String] { json["unordered"] as? [String] ?? [] }
    var bodyContains: [String]? { json["body_contains"] as? [String] }
    var captures: [String: String] { json["capture"] as? [String: String] ?? [:] }
    var delta: (baseStep: Int, paths: [String])? {
        guard let delta = json["delta"] as? [String: Any], let base = delta["base_step"] as? Int
        else { return nil }
        return (base, delta["paths"] as? [String] ?? [])
    }

    /// The request's body, with `fill` applied to texts.
    func body(_ fill: (String) -> String) -> [UInt8]? {
        if let encoded = json["body_b64"] as? String {
            return Data(base64Encoded: encoded).map { Array($0) }
        }
        if let parts = json["body_repeat"] as? [String: Any] {
            let unit = parts["unit"] as? String ?? ""
            let text = String(repeating: unit, count: parts["count"] as? Int ?? 0)
            let prefix = parts["prefix"] as? String ?? ""
            return Array((prefix + text + (parts["suffix"] as? String ?? "")).utf8)
        }
        return (json["body"] as? String).map { Array(fill($0).utf8) }
    }

    /// All recordings, by scenario, in the file's order.
    static func scenarios(_ file: URL) throws -> [(name: String, records: [GoldenRecord])] {
        var scenarios: [(name: String, records: [GoldenRecord])] = []
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            guard let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            else { continue }
            let record = GoldenRecord(json: json)
            if scenarios.last?.name == record.scenario {
                scenarios[scenarios.count - 1].records.append(record)
            } else {
                scenarios.append((record.scenario, [record]))
            }
        }
        return scenarios
    }
}
