import Foundation
import ProcessSupport

/// Replays one scenario of the recordings against a fresh `kvd` and compares, as the recordings'
/// `replay.py` does.
final class GoldenReplay {
    private static let meaningful = [
        "content-type", "x-etcd-index", "x-raft-index", "x-raft-term", "x-etcd-cluster-id", "allow",
        "location", "access-control-allow-methods", "access-control-allow-origin",
        "access-control-allow-headers", "www-authenticate",
    ]

    private let cluster: KvdCluster
    private var captured: [String: String] = [:]
    private var watches: [String: LoopbackHTTP] = [:]
    /// What was recorded and what was answered, by step.
    private var bodies: [Int: (GoldenJSON, GoldenJSON)] = [:]

    /// Starts a server for `records` and brings its index to where the recordings begin.
    init(_ records: [GoldenRecord]) throws {
        let arguments = records.first?.serverArguments ?? []
        // The recorded server keeps 1000 events; kvd keeps more unless told.
        cluster = try KvdCluster(
            size: 1, namePrefix: "n",
            extra: [
                "--heartbeat-interval", "20", "--election-timeout", "200", "--history-events", "1000",
            ] + arguments)
        try cluster.start(0)
        try bringUp(to: records.first?.indexBase ?? 10)
    }

    private func bringUp(to base: Int) throws {
        try waitUntil("kvd ready: \(cluster.members[0]?.log ?? "")") {
            guard let client = try? cluster.client(0),
                let version = try? client.request("GET", "/version"),
                !version.text.contains("not_decided"),
                let members = try? client.request("GET", "/v2/members"),
                let list = members.json["members"] as? [[String: Any]],
                list.allSatisfy({ ($0["name"] as? String)?.isEmpty == false })
            else { return false }
            return try client.request("GET", "/v2/keys").status == 200
        }
        let client = try cluster.client(0)
        var index = 0
        while index < base {
            let answer = try client.request("PUT", "/v2/keys/_pad", form: "value=0")
            index = Int(answer.headers["x-etcd-index"] ?? "") ?? 0
        }
        guard index == base else {
            throw LoopbackHTTP.Failed(description: "the index is \(index) already, not \(base)")
        }
    }

    /// Performs one step; what differs from the recording, in words.
    func problems(of record: GoldenRecord) throws -> [String] {
        if record.delayMilliseconds > 0 { usleep(UInt32(record.delayMilliseconds) * 1000) }
        let response = try perform(record)
        let text = Self.text(of: response.body)
        for (name, path) in record.captures {
            captured[name] = GoldenJSON.parse(text)?.string(at: path)
        }
        if let recorded = GoldenJSON.parse(record.responseBody), let got = GoldenJSON.parse(text) {
            bodies[record.step] = (recorded, got)
        }
        return statusAndHeaders(record, response) + body(record, response.body)
    }

    // MARK: Performing

    private func perform(_ record: GoldenRecord) throws -> LoopbackHTTP.Response {
        switch record.kind {
        case "request", "watch_open": return try request(record)
        case "watch_event": return watchBody(try watch(record).readChunk() ?? [])
        case "watch_end":
            var rest: [UInt8] = []
            while let chunk = try watch(record).readChunk() { rest += chunk }
            return watchBody(rest)
        case "watch_idle":
            let client = try watch(record)
            client.setTimeout(milliseconds: record.idleMilliseconds)
            let chunk = (try? client.readChunk()) ?? nil
            watches[record.watch] = nil
            return watchBody(chunk ?? [])
        case "watch_close":
            watches[record.watch] = nil
            return watchBody([])
        default: throw LoopbackHTTP.Failed(description: "unknown kind \(record.kind)")
        }
    }

    private func watch(_ record: GoldenRecord) throws -> LoopbackHTTP {
        guard let client = watches[record.watch] else {
            throw LoopbackHTTP.Failed(description: "no open watch \(record.watch)")
        }
        return client
    }

    private func watchBody(_ bytes: [UInt8]) -> LoopbackHTTP.Response {
        LoopbackHTTP.Response(status: 0, headers: [:], body: bytes)
    }

    private func request(_ record: GoldenRecord) throws -> LoopbackHTTP.Response {
        let client = try cluster.client(0)
        let body = record.body(fill)
        var head = "\(record.method) \(fill(record.path)) HTTP/1.1\r\n"
        if !record.headers.keys.contains(where: { $0.lowercased() == "host" }) {
            head += "Host: 127.0.0.1:\(cluster.clientPorts[0])\r\n"
        }
        for (name, value) in record.headers.sorted(by: { $0.key < $1.key }) {
            head += "\(name): \(fill(value))\r\n"
        }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        try client.send(Array((head + "\r\n").utf8) + (body ?? []))
        guard record.kind == "watch_open" else {
            return try client.readResponse(to: record.method)
        }
        watches[record.watch] = client
        return try client.readHead()
    }

    // MARK: Comparing

    private func statusAndHeaders(
        _ record: GoldenRecord, _ response: LoopbackHTTP.Response
    ) -> [String] {
        var problems: [String] = []
        if let status = record.status, status != response.status {
            problems.append("status \(response.status), recorded \(status)")
        }
        guard record.kind == "request" || record.kind == "watch_open" else { return problems }
        let relaxed = record.volatilePaths.filter { $0.hasPrefix("header:") }
            .map { $0.dropFirst(7).lowercased() }
        let recorded = record.responseHeaders.reduce(into: [String: String]()) {
            $0[$1.key.lowercased()] = $1.value
        }
        for name in Self.meaningful {
            switch (recorded[name], response.headers[name]) {
            case (nil, nil): break
            case (nil, let got?): problems.append("header \(name) is unexpected: \(got)")
            case (_?, nil): problems.append("header \(name) is missing")
            case (let wanted?, let got?):
                if let problem = Self.headerProblem(name, unfill(got), wanted, relaxed) {
                    problems.append(problem)
                }
            }
        }
        return problems
    }

    private static func headerProblem(
        _ name: String, _ got: String, _ wanted: String, _ relaxed: [String]
    ) -> String? {
        switch name {
        case "x-raft-index", "x-raft-term":
            return got.allSatisfy(\.isNumber) && !got.isEmpty ? nil : "header \(name): \(got)"
        case "x-etcd-cluster-id":
            let isHex = got.wholeMatch(of: /[0-9a-f]{1,16}/) != nil
            return isHex ? nil : "header \(name): \(got)"
        default:
            if relaxed.contains(name) || got == wanted { return nil }
            return "header \(name): \(got), recorded \(wanted)"
        }
    }

    private func body(_ record: GoldenRecord, _ bytes: [UInt8]) -> [String] {
        if record.volatilePaths.contains("$body") { return [] }
        if record.isResponseBodyBase64 {
            let same = Data(bytes).base64EncodedString() == record.responseBody
            return same ? [] : ["the body's bytes differ"]
        }
        let text = unfill(Self.text(of: bytes))
        if let parts = record.bodyContains {
            return parts.filter { !text.contains($0) }.map { "the body lacks \($0)" }
        }
        if text == record.responseBody { return [] }
        guard var wanted = GoldenJSON.parse(record.responseBody) else {
            return ["body \(text), recorded \(record.responseBody)"]
        }
        guard var got = GoldenJSON.parse(text) else { return ["the body is no JSON: \(text)"] }
        let moved = deltaProblems(record, wanted, got)
        let places = record.volatilePaths.filter { !$0.hasPrefix("header:") }
        let shapes = Self.blank(&got, places)
        _ = Self.blank(&wanted, places)
        Self.sort(&got, record.unorderedPaths)
        Self.sort(&wanted, record.unorderedPaths)
        let difference = wanted.difference(from: got).map { ["body \($0)"] } ?? []
        if places.isEmpty, record.unorderedPaths.isEmpty, record.delta == nil, difference.isEmpty {
            return ["the body is equal as JSON, but not byte for byte: \(text)"]
        }
        return moved + shapes + difference
    }

    private func deltaProblems(
        _ record: GoldenRecord, _ wanted: GoldenJSON, _ got: GoldenJSON
    ) -> [String] {
        guard let delta = record.delta, let base = bodies[delta.baseStep] else { return [] }
        return delta.paths.compactMap { path in
            let recorded = (wanted.number(at: path) ?? 0) - (base.0.number(at: path) ?? 0)
            let moved = (got.number(at: path) ?? 0) - (base.1.number(at: path) ?? 0)
            return recorded == moved ? nil : "\(path) moved by \(moved), recorded \(recorded)"
        }
    }

    /// Blanks what differs from run to run; gives what has not even the right shape.
    private static func blank(_ json: inout GoldenJSON, _ paths: [String]) -> [String] {
        var problems: [String] = []
        let time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z/
        for path in paths {
            json.visit(path) { value, leaf in
                switch (leaf, value) {
                case ("expiration", .text(let text)) where text.wholeMatch(of: time) == nil:
                    problems.append("\(path) is no time: \(text)")
                case ("ttl", .number(let seconds)): value = .ttl(Int(seconds))
                default: value = .volatile(value.kind)
                }
            }
        }
        return problems
    }

    private static func sort(_ json: inout GoldenJSON, _ paths: [String]) {
        for _ in paths.isEmpty ? 0..<0 : 0..<4 {
            for path in paths {
                json.visit(path) { value, _ in
                    guard case .list(let elements) = value else { return }
                    value = .list(elements.sorted { $0.canonical < $1.canonical })
                }
            }
        }
    }

    // MARK: Placeholders

    private func fill(_ text: String) -> String {
        var text = text
        for (name, value) in placeholders { text = text.replacingOccurrences(of: name, with: value) }
        return text
    }

    private func unfill(_ text: String) -> String {
        var text = text
        for (name, value) in placeholders { text = text.replacingOccurrences(of: value, with: name) }
        return text
    }

    private var placeholders: [(String, String)] {
        [
            ("${CLIENT_URL}", "http://127.0.0.1:\(cluster.clientPorts[0])"),
            ("${PEER_URL}", "http://127.0.0.1:\(cluster.peerPorts[0])"),
        ] + captured.sorted { $0.key < $1.key }.map { ("${\($0.key)}", $0.value) }
    }

    private static func text(of bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
