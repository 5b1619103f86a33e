internal import Foundation

/// What a server answered to a step.
package struct GoldenAnswer {
    package var status: Int?
    package var headers: [String: String] = [:]
    package var body: [UInt8] = []

    package init(status: Int? = nil, headers: [String: String] = [:], body: [UInt8] = []) {
        (self.status, self.headers, self.body) = (status, headers, body)
    }

    /// UTF-8, or else base64.
    var text: (String, isBase64: Bool) {
        if let text = String(validating: body, as: UTF8.self) { return (text, false) }
        return (Data(body).base64EncodedString(), true)
    }
}

/// Compares answers with recorded ones, by the rules of `golden/README.md`.
struct GoldenComparison {
    /// Headers that are compared; others are of no interest.
    static let meaningfulHeaders = [
        "Content-Type", "X-Etcd-Index", "X-Raft-Index", "X-Raft-Term", "X-Etcd-Cluster-Id",
        "Allow", "Location", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin",
        "Access-Control-Allow-Headers", "Www-Authenticate",
    ]

    let step: GoldenStep
    let answer: GoldenAnswer
    /// Puts placeholders in place of this run's URLs and captured values.
    let generalise: (String) -> String
    /// Recorded and answered body of an earlier step.
    let earlier: (Int) -> (recorded: GoldenJSON, answered: GoldenJSON)?
    /// Bodies that are the same JSON in other bytes are different.
    let isByteExact: Bool

    func problems() -> [String] {
        var problems: [String] = []
        if step.status != answer.status {
            let got = answer.status.map(String.init) ?? "none"
            problems.append("status \(got), recorded \(step.status.map(String.init) ?? "none")")
        }
        problems += headerProblems()
        if let problem = bodyProblem() { problems.append("body: \(problem)") }
        return problems
    }

    private func headerProblems() -> [String] {
        let relaxed = Set(
            step.volatilePaths.filter { $0.hasPrefix("header:") }.map { $0.dropFirst(7) })
        var problems: [String] = []
        for name in Self.meaningfulHeaders {
            switch (answer.headers[name], step.responseHeaders[name]) {
            case (nil, nil): continue
            case (nil, let recorded?): problems.append("\(name) is missing (\(recorded))")
            case (let value?, nil): problems.append("\(name) is unexpected (\(value))")
            case (let value?, let recorded?):
                let isRight =
                    Self.hasShape(value, of: name)
                    ?? (relaxed.contains(name[...])
                        || generalise(value) == recorded)
                if !isRight { problems.append("\(name): \(value), recorded \(recorded)") }
            }
        }
        return problems
    }

    /// Nil if the header's value is compared, not its shape.
    private static func hasShape(_ value: String, of name: String) -> Bool? {
        switch name {
        case "X-Raft-Index", "X-Raft-Term":
            !value.isEmpty && value.utf8.allSatisfy { (0x30...0x39).contains($0) }
        case "X-Etcd-Cluster-Id":
            (1...16).contains(value.count)
                && value.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
        default: nil
        }
    }

    private func bodyProblem() -> String? {
        if step.volatilePaths.contains("$body") { return nil }
        let (raw, isBase64) = answer.text
        let body = generalise(raw)
        if !step.bodyContains.isEmpty {
            let missing = step.bodyContains.filter { !body.contains($0) }
            return missing.isEmpty ? nil : "lacks \(missing)"
        }
        if body == step.responseBody { return nil }
        let got = "got \(body.debugDescription), recorded \(step.responseBody.debugDescription)"
        guard isBase64 == step.isResponseBase64, let recorded = GoldenJSON(step.responseBody),
            recorded.elements != nil || recorded.fields != nil
        else { return got }
        guard let answered = GoldenJSON(body) else { return "no JSON: \(body)" }
        if let problem = jsonProblem(answered, recorded) { return problem }
        guard isByteExact, step.unorderedPaths.isEmpty, step.delta == nil else { return nil }
        let paths = step.volatilePaths.filter { !$0.hasPrefix("header:") }
        guard
            paths.isEmpty || paths.allSatisfy({ $0.hasSuffix("expiration") || $0.hasSuffix("ttl") })
        else { return nil }
        return Self.scrubbed(body) == Self.scrubbed(step.responseBody) ? nil : got
    }

    private func jsonProblem(_ answered: GoldenJSON, _ recorded: GoldenJSON) -> String? {
        if let delta = step.delta, let base = earlier(delta.baseStep) {
            for path in delta.paths {
                let want = Self.moved(path, from: base.recorded, to: recorded)
                let got = Self.moved(path, from: base.answered, to: answered)
                if want != got { return "\(path) moved by \(got), recorded \(want)" }
            }
        }
        var (mine, theirs) = (answered, recorded)
        for path in step.volatilePaths where !path.hasPrefix("header:") {
            if path.hasSuffix("expiration"), let text = mine.value(at: path)?.text,
                !Self.isTime(text)
            {
                return "\(path) is no RFC 3339 time: \(text)"
            }
            mine = Self.marked(mine, at: path)
            theirs = Self.marked(theirs, at: path)
        }
        for _ in 0..<4 {
            for path in step.unorderedPaths {
                mine = mine.sorted(at: path)
                theirs = theirs.sorted(at: path)
            }
        }
        return mine.difference(from: theirs)
    }

    private static func moved(_ path: String, from old: GoldenJSON, to new: GoldenJSON) -> Int {
        (new.value(at: path)?.int ?? 0) - (old.value(at: path)?.int ?? 0)
    }

    private static func marked(_ json: GoldenJSON, at path: String) -> GoldenJSON {
        json.changed(at: path) { value in
            if path.hasSuffix("ttl"), let seconds = value.int { return .seconds(seconds) }
            return .mark(path.hasSuffix("expiration") ? "time" : value.kind)
        }
    }

    static func isTime(_ text: String) -> Bool {
        text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z/) != nil
    }

    private static func scrubbed(_ text: String) -> String {
        text.replacing(/"expiration":"[^"]*"/, with: "\"expiration\":\"T\"")
            .replacing(/"ttl":-?\d+/, with: "\"ttl\":N")
    }
}
