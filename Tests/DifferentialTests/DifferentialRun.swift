import GoldenSupport
import ProcessSupport

/// Plays sequences on both servers, and compares each answer.
///
///     sequence ─▶ both stores brought to one index
///              ─▶ each request: sent to both, answers compared; watches stay open
///              ─▶ the whole tree, read and compared
///              ─▶ everything deleted, which is compared too
///              ─▶ each watch ended by a write to its key, and what it saw compared
struct DifferentialRun {
    /// The first unexplained difference of a sequence.
    struct Finding {
        let number: Int
        let request: String
        let problems: [String]
        let etcd: String
        let kvd: String
        /// The requests as curl lines, up to this one.
        let curls: [String]
    }

    let etcd: ServerUnderTest
    let kvd: ServerUnderTest
    /// Performed after each sequence, before the keys are looked at.
    private let ending: [TestRequest]
    private let comparison: AnswerComparison
    private(set) var requestCount = 0
    /// How often each known difference was met.
    private(set) var met: [String: Int] = [:]
    /// How often etcd answered with each status: a run in which nothing happens shows.
    private(set) var statuses: [Int: Int] = [:]

    private var indices = SeenIndices()
    private var base = 0
    private var curls: [String] = []
    private var watches: [OpenWatch] = []

    private struct OpenWatch {
        let request: TestRequest
        let watch: TestRequest.Watch
        let etcd: RawClient
        let kvd: RawClient
        /// The store's, when it was opened.
        let index: Int
    }

    /// Ends a sequence.
    private struct Differs: Error { let finding: Finding }

    init(etcd: ServerUnderTest, kvd: ServerUnderTest, ending: [TestRequest] = []) throws {
        (self.etcd, self.kvd, self.ending) = (etcd, kvd, ending)
        comparison = AnswerComparison(etcdNames: try etcd.ownNames(), kvdNames: try kvd.ownNames())
    }

    /// Nil if all answers were the same, or known to differ.
    mutating func play(_ sequence: [TestRequest]) throws -> Finding? {
        base = max(try etcd.index(), try kvd.index())
        try etcd.pad(to: base)
        try kvd.pad(to: base)
        indices = SeenIndices(store: base)
        (curls, watches) = ([], [])
        do {
            for request in sequence + ending { try perform(request) }
            try perform(TestRequest(target: "/v2/keys/?recursive=true&sorted=true"))
            try clear()
            try endWatches()
            return nil
        } catch let difference as Differs {
            watches = []
            try startAgain()
            return difference.finding
        }
    }

    // MARK: - Requests

    private mutating func perform(_ request: TestRequest) throws {
        curls.append(request.curl(indices, base: base))
        requestCount += 1
        let resolved = request.resolved(indices) { "\($0)" }
        if let watch = request.watch { return try open(watch, resolved) }
        let (first, second) = try answers(resolved)
        statuses[first.status, default: 0] += 1
        try compare(resolved, first, second)
        indices.note(
            resolved.key, index: first["X-Etcd-Index"].flatMap { Int($0) }, body: first.body)
        if request.expiresAtOnce, first.status < 300 { try awaitExpiry() }
    }

    /// Sent to both before either is read, so that they work side by side.
    private func answers(
        _ request: TestRequest
    ) throws -> (RawClient.Response, RawClient.Response) {
        let bytes = request.bytes
        try etcd.send(bytes)
        try kvd.send(bytes)
        let first = Result { try etcd.answer(to: request.method) }
        let second = Result { try kvd.answer(to: request.method) }
        return (try told(first, request, second), try told(second, request, first))
    }

    /// An answer that did not come is a difference as well.
    private func told(
        _ answer: Result<RawClient.Response, any Error>, _ request: TestRequest,
        _ other: Result<RawClient.Response, any Error>
    ) throws -> RawClient.Response {
        switch answer {
        case .success(let response): return response
        case .failure(let error):
            throw Differs(
                finding: finding(request, ["no answer: \(error)"], "\(answer)", "\(other)"))
        }
    }

    private mutating func compare(
        _ request: TestRequest, _ first: RawClient.Response, _ second: RawClient.Response
    ) throws {
        let problems = comparison.problems(request, first, second)
        if problems.isEmpty { return }
        if let known = KnownDifference.all.first(where: { $0.explains(request, first, second) }) {
            met[known.name, default: 0] += 1
            return
        }
        throw Differs(
            finding: finding(request, problems, Self.shown(first), Self.shown(second)))
    }

    private func finding(
        _ request: TestRequest, _ problems: [String], _ etcd: String, _ kvd: String
    ) -> Finding {
        Finding(
            number: curls.count, request: "\(request.method) \(request.target)",
            problems: problems, etcd: etcd, kvd: kvd, curls: curls)
    }

    private static func shown(_ answer: RawClient.Response) -> String {
        let headers = answer.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n    ")
        return
            "\(answer.statusLine)\n    \(headers)\n    \(answer.text.prefix(2_000).debugDescription)"
    }

    /// Both stores remove a key that is due within a second; what follows is to find them equal.
    private mutating func awaitExpiry() throws {
        let wanted = indices.store + 1
        for server in [etcd, kvd] {
            try waitUntil("the expiry at index \(wanted)") { try server.index() >= wanted }
        }
        indices.store = wanted
    }

    // MARK: - Watches

    private mutating func open(_ watch: TestRequest.Watch, _ request: TestRequest) throws {
        let (first, second) = (try etcd.connect(), try kvd.connect())
        try first.send(request.bytes)
        try second.send(request.bytes)
        let (etcdHead, kvdHead) = (Result { try first.head() }, Result { try second.head() })
        var etcdAnswer = try told(etcdHead, request, kvdHead)
        var kvdAnswer = try told(kvdHead, request, etcdHead)
        if etcdAnswer.status == 200, kvdAnswer.status == 200 {
            let index = etcdAnswer["X-Etcd-Index"].flatMap { Int($0) } ?? 0
            watches.append(
                OpenWatch(request: request, watch: watch, etcd: first, kvd: second, index: index))
        } else {
            // One that watches all the same has no body yet.
            if etcdAnswer.status != 200 { etcdAnswer.body = try first.body(of: etcdAnswer) }
            if kvdAnswer.status != 200 { kvdAnswer.body = try second.body(of: kvdAnswer) }
        }
        try compare(request, etcdAnswer, kvdAnswer)
    }

    /// A write to the watched key, which nothing stands in the way of any more, is seen by every
    /// watch that has not had its event yet.
    private mutating func endWatches() throws {
        for (number, open) in watches.enumerated() {
            let end = "end-\(number)-\(base)"
            for _ in 0..<open.watch.writesToEnd {
                try perform(
                    TestRequest(
                        method: "PUT", target: "/v2/keys" + open.watch.key,
                        headers: [.init(name: "Content-Type", value: TestRequest.formType)],
                        body: "value=" + end))
            }
            let first = Result { try Self.events(open.etcd, open, end) }
            let second = Result { try Self.events(open.kvd, open, end) }
            try perform(
                TestRequest(method: "DELETE", target: "/v2/keys" + open.watch.key))
            try perform(
                TestRequest(
                    method: "DELETE",
                    target: "/v2/keys" + open.watch.key.topOfKey + "?recursive=true"))
            try compare(
                open.request, try told(first, open.request, second),
                try told(second, open.request, first))
        }
    }

    /// All that a long poll says; of a stream, all up to the event that ends it. A stream that found
    /// its first event in the history is silent from then on.
    private static func events(
        _ client: RawClient, _ open: OpenWatch, _ end: String
    ) throws -> RawClient.Response {
        var answer = RawClient.Response(statusLine: "HTTP/1.1 200 events", headers: [], body: [])
        while let chunk = try client.chunk(timeoutMilliseconds: 5_000) {
            answer.body += chunk
            guard open.watch.isStream else { continue }
            let first = SeenIndices.modifiedIndex(in: answer.body) ?? 0
            if first <= open.index || answer.text.contains(end) { break }
        }
        return answer
    }

    // MARK: - Between sequences

    /// Names that no listing shows, or not as they are.
    private static let unlisted = ["_h", "_i", "%FF", "%C3", "%e9"]

    /// Deletes all keys but the padding, in one order.
    private mutating func clear() throws {
        for name in try etcd.topNames() + Self.unlisted {
            try perform(TestRequest(method: "DELETE", target: "/v2/keys/\(name)?recursive=true"))
        }
    }

    /// The same after a difference, when each store may have keys and a history of its own.
    private func startAgain() throws {
        for server in [etcd, kvd] {
            server.disconnect()
            for request in ending { _ = try server.request(request) }
            for name in try server.topNames() + Self.unlisted {
                _ = try server.request(
                    TestRequest(method: "DELETE", target: "/v2/keys/\(name)?recursive=true"))
            }
        }
        let index = max(try etcd.index(), try kvd.index()) + Self.historyMax
        try etcd.pad(to: index)
        try kvd.pad(to: index)
    }

    /// So many events are kept.
    private static let historyMax = 1_000
}

extension ServerUnderTest {
    /// The names at the root that are listed, as in a URL, sorted.
    fileprivate func topNames() throws -> [String] {
        let text = try request(TestRequest(target: "/v2/keys/?sorted=true")).text
        let nodes = GoldenJSON(text)?["node"]?["nodes"]?.elements ?? []
        return nodes.compactMap { $0["key"]?.text?.dropFirst() }.map { name in
            name.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}

extension TestRequest {
    /// The key in its target, as in a URL.
    fileprivate var key: Substring {
        target.prefix { $0 != "?" }.dropFirst("/v2/keys".count)
    }
}

extension String {
    /// `/a` of `/a/b/c`.
    fileprivate var topOfKey: Substring { prefix(1) + dropFirst().prefix { $0 != "/" } }
}
