internal import Glibc

/// A server that was started for one scenario.
package struct GoldenServer {
    package let port: Int
    package let peerURL: String
    package let stop: () -> Void

    package init(port: Int, peerURL: String, stop: @escaping () -> Void) {
        (self.port, self.peerURL, self.stop) = (port, peerURL, stop)
    }

    var clientURL: String { "http://127.0.0.1:\(port)" }
}

/// Replays recorded exchanges against servers and says where they answer differently, as
/// `golden/replay.py` does.
package enum GoldenReplay {
    /// One step that was not answered as recorded.
    package struct Difference: CustomStringConvertible, Sendable {
        package let scenario: String
        package let step: Int
        package let request: String
        package let problems: [String]

        package var description: String {
            "\(scenario) #\(step) \(request): \(problems.joined(separator: "; "))"
        }
    }

    /// Runs scenarios one after the other, each against a fresh server.
    ///
    /// - Parameters:
    ///   - isByteExact: bodies that are the same JSON in other bytes are differences too.
    ///   - start: starts a server with extra flags; it need not be ready yet.
    /// - Returns: every difference, in order.
    package static func run(
        _ scenarios: [GoldenScenario], isByteExact: Bool = true,
        start: ([String]) throws -> GoldenServer
    ) throws -> [Difference] {
        var differences: [Difference] = []
        for scenario in scenarios {
            let server = try start(scenario.serverArguments)
            defer { server.stop() }
            try GoldenWarmUp(port: server.port).reach(index: scenario.indexBase)
            var run = GoldenRun(server: server, isByteExact: isByteExact)
            for step in scenario.steps {
                let problems = run.problems(step)
                guard !problems.isEmpty else { continue }
                let request = step.method.isEmpty ? step.kind.rawValue : step.method
                differences.append(
                    Difference(
                        scenario: scenario.name, step: step.number,
                        request: "\(request) \(step.path)\(step.watch)", problems: problems))
            }
        }
        return differences
    }
}

/// Waits until a server is ready, and pads its index to where the recording began.
package struct GoldenWarmUp {
    let port: Int

    package init(port: Int) { self.port = port }

    package func reach(index: Int) throws {
        var remaining = 600
        while !isReady() {
            remaining -= 1
            guard remaining > 0 else { throw GoldenFailure("the server is not ready after 30 s") }
            usleep(50_000)
        }
        var reached = try pad()
        guard reached <= index else {
            throw GoldenFailure("the index is at \(reached) already, above the base \(index)")
        }
        while reached < index { reached = try pad() }
    }

    private func isReady() -> Bool {
        guard let version = try? get("/version"), !version.text.contains("decided"),
            let members = try? get("/v2/members"),
            let list = GoldenJSON(members.text)?["members"]?.elements,
            list.allSatisfy({ $0["name"]?.text?.isEmpty == false }),
            let auth = try? get("/v2/auth/enable"), auth.status != 500,
            let keys = try? get("/v2/keys")
        else { return false }
        return keys.status == 200
    }

    private func get(_ path: String) throws -> RawClient.Response {
        try RawClient(port: port).request("GET", path)
    }

    private func pad() throws -> Int {
        let response = try RawClient(port: port).request("PUT", "/v2/keys/_pad", form: "value=0")
        guard response.status == 200 || response.status == 201,
            let index = response["X-Etcd-Index"].flatMap({ Int($0) })
        else { throw GoldenFailure("the server does not take writes: \(response)") }
        return index
    }
}

/// One scenario under way.
private struct GoldenRun {
    let server: GoldenServer
    let isByteExact: Bool
    private var values: [String: String] = [:]
    private var watches: [String: RawClient] = [:]
    private var bodies: [Int: (recorded: GoldenJSON, answered: GoldenJSON)] = [:]

    init(server: GoldenServer, isByteExact: Bool) {
        (self.server, self.isByteExact) = (server, isByteExact)
    }

    mutating func problems(_ step: GoldenStep) -> [String] {
        if step.delayMilliseconds > 0 { usleep(UInt32(step.delayMilliseconds) * 1000) }
        let answer: GoldenAnswer
        do { answer = try perform(step) } catch { return ["no answer: \(error)"] }
        let text = answer.text.0
        if let json = GoldenJSON(text) {
            for (name, path) in step.capture { values[name] = json.value(at: path)?.text }
            if let recorded = GoldenJSON(step.responseBody) {
                bodies[step.number] = (recorded, json)
            }
        }
        let bodies = bodies
        return GoldenComparison(
            step: step, answer: answer, generalise: generalise, earlier: { bodies[$0] },
            isByteExact: isByteExact
        ).problems()
    }

    /// Placeholders become this run's values.
    private func fill(_ text: String) -> String {
        var text = text.replacing("${CLIENT_URL}", with: server.clientURL)
            .replacing("${PEER_URL}", with: server.peerURL)
        for (name, value) in values { text = text.replacing("${\(name)}", with: value) }
        return text
    }

    private func generalise(_ text: String) -> String {
        var text = text.replacing(server.clientURL, with: "${CLIENT_URL}")
            .replacing(server.peerURL, with: "${PEER_URL}")
        for (name, value) in values where !value.isEmpty {
            text = text.replacing(value, with: "${\(name)}")
        }
        return text
    }

    private mutating func perform(_ step: GoldenStep) throws -> GoldenAnswer {
        switch step.kind {
        case .request:
            let response = try send(step).response(
                isHead: step.method == "HEAD", timeoutMilliseconds: step.timeoutMilliseconds)
            return answer(response)
        case .watchOpen:
            let client = try send(step)
            watches[step.watch] = client
            return answer(try client.head(timeoutMilliseconds: step.timeoutMilliseconds))
        case .watchEvent:
            let chunk = try watch(step).chunk(timeoutMilliseconds: step.timeoutMilliseconds)
            return GoldenAnswer(body: chunk ?? [])
        case .watchEnd:
            var body: [UInt8] = []
            let client = try watch(step)
            while let chunk = try client.chunk(timeoutMilliseconds: step.timeoutMilliseconds) {
                body += chunk
            }
            watches[step.watch] = nil
            return GoldenAnswer(body: body)
        case .watchIdle:
            let client = try watch(step)
            let isSilent = client.isSilent(milliseconds: step.idleMilliseconds)
            watches[step.watch] = nil
            return GoldenAnswer(body: isSilent ? [] : try client.chunk() ?? [])
        case .watchClose:
            watches[step.watch] = nil
            return GoldenAnswer()
        }
    }

    private func watch(_ step: GoldenStep) throws -> RawClient {
        guard let client = watches[step.watch] else {
            throw GoldenFailure("no watch \(step.watch) is open")
        }
        return client
    }

    private func send(_ step: GoldenStep) throws -> RawClient {
        let client = try RawClient(port: server.port)
        var text = "\(step.method) \(fill(step.path)) HTTP/1.1\r\n"
        let names = Set(step.headers.keys.map { $0.lowercased() })
        if !names.contains("host") { text += "Host: 127.0.0.1:\(server.port)\r\n" }
        for (name, value) in step.headers.sorted(by: { $0.key < $1.key }) {
            text += "\(name): \(fill(value))\r\n"
        }
        let body = step.bodyText.map { Array(fill($0).utf8) } ?? step.body
        if let body, !names.contains("content-length") {
            text += "Content-Length: \(body.count)\r\n"
        }
        try client.send(Array((text + "\r\n").utf8) + (body ?? []))
        return client
    }

    private func answer(_ response: RawClient.Response) -> GoldenAnswer {
        var headers: [String: String] = [:]
        for name in GoldenComparison.meaningfulHeaders {
            let values = response.headers.filter { $0.name.lowercased() == name.lowercased() }
            if !values.isEmpty {
                headers[name] = values.map(\.value).joined(separator: ", ")
            }
        }
        return GoldenAnswer(status: response.status, headers: headers, body: response.body)
    }
}
