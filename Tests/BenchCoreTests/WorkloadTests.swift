internal import Glibc
import Testing

@testable import BenchCore

private func plan(_ kind: BenchPlan.Kind = .put) throws -> BenchPlan {
    BenchPlan(kind, [try Endpoint(url: "http://127.0.0.1:2379")])
}

@Suite struct WorkloadTests {
    @Test func splitMix64IsThePublishedSequence() {
        // First values for seed 1234567, as in the authors' reference program.
        var random = SplitMix64(seed: 1_234_567)
        let values = (0..<5).map { _ in random.next() }
        #expect(
            values == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test(arguments: [(1, 10), (3, 10), (4, 4), (5, 3), (7, 1000)])
    func sequentialWorkersVisitEachKeyOnce(workerCount: Int, keyCount: Int) throws {
        var plan = try plan()
        plan.keyOrder = .sequential
        plan.keyCount = keyCount
        var seen = Array(repeating: 0, count: keyCount)
        for worker in 0..<workerCount {
            var workload = Workload(plan, worker: worker, workerCount: workerCount)
            // As `Worker` shares out `--requests`.
            let share = keyCount / workerCount + (worker < keyCount % workerCount ? 1 : 0)
            for _ in 0..<share { seen[workload.next().key] += 1 }
        }
        #expect(seen.allSatisfy { $0 == 1 })
    }

    @Test func randomKeysAreSpreadEvenly() throws {
        var plan = try plan()
        plan.keyCount = 100
        var workload = Workload(plan, worker: 0, workerCount: 1)
        var counts = Array(repeating: 0.0, count: 100)
        let drawn = 100_000
        for _ in 0..<drawn { counts[workload.next().key] += 1 }
        let expected = Double(drawn) / 100
        let chiSquared = counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
        // 99 degrees of freedom: 148 is exceeded by chance once in a thousand seeds; ours is fixed.
        #expect(chiSquared < 148)
    }

    @Test(arguments: [0, 0.25, 0.9, 1])
    func mixedKeepsTheReadRatio(ratio: Double) throws {
        var plan = try plan(.mixed)
        plan.readRatio = ratio
        var workload = Workload(plan, worker: 0, workerCount: 1)
        let operations = (0..<50_000).map { _ in workload.next().operation }
        let reads = operations.count { $0 == .get }
        #expect(abs(Double(reads) / 50_000 - ratio) < 0.01)
        #expect(operations.allSatisfy { $0 == .get || $0 == .put })
        if ratio == 0 || ratio == 1 { #expect(reads == Int(ratio) * 50_000) }
    }

    @Test func theSeedFixesEverything() throws {
        func keys(seed: UInt64, worker: Int) throws -> [Int] {
            var plan = try plan()
            plan.seed = seed
            var workload = Workload(plan, worker: worker, workerCount: 2)
            return (0..<50).map { _ in workload.next().key }
        }
        #expect(try keys(seed: 1, worker: 0) == keys(seed: 1, worker: 0))
        #expect(try keys(seed: 1, worker: 0) != keys(seed: 2, worker: 0))
        #expect(try keys(seed: 1, worker: 0) != keys(seed: 1, worker: 1))
    }

    @Test func operationsOfTheKinds() throws {
        for (kind, operation) in [
            (BenchPlan.Kind.put, Operation.put), (.get, .get), (.qget, .quorumGet), (.watch, .put),
        ] {
            var workload = Workload(try plan(kind), worker: 0, workerCount: 1)
            #expect((0..<10).allSatisfy { _ in workload.next().operation == operation })
        }
    }
}

@Suite struct RequestTemplateTests {
    private func rendered(
        _ operation: Operation, key: Int, stamp: UInt64 = 0, _ change: (inout BenchPlan) -> Void
    ) throws -> String {
        var plan = try plan()
        change(&plan)
        let template = RequestTemplate(operation, plan, host: "h:1")
        var bytes = [UInt8](repeating: 0xFF, count: template.sizeBytes + 5)
        let count = bytes.withUnsafeMutableBytes {
            template.render(key: key, stamp: stamp, into: $0)
        }
        #expect(bytes[count...].allSatisfy { $0 == 0xFF }, "nothing behind the request")
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    @Test func reads() throws {
        let get = try rendered(.get, key: 42) { $0.keySizeBytes = 6 }
        #expect(get == "GET /v2/keys/bench/000042 HTTP/1.1\r\nHost: h:1\r\n\r\n")
        let quorum = try rendered(.quorumGet, key: 999_999) {
            $0.keySizeBytes = 6
            $0.prefix = "a/b"
        }
        #expect(quorum == "GET /v2/keys/a/b/999999?quorum=true HTTP/1.1\r\nHost: h:1\r\n\r\n")
    }

    @Test(arguments: [0, 5, 16, 128, 70_000])
    func writes(valueSizeBytes: Int) throws {
        let put = try rendered(.put, key: 7, stamp: 0x0123_4567_89AB_CDEF) {
            $0.valueSizeBytes = valueSizeBytes
        }
        let parts = put.split(separator: "\r\n\r\n", omittingEmptySubsequences: false)
        #expect(
            parts[0] == """
                PUT /v2/keys/bench/0000000000000007 HTTP/1.1\r
                Host: h:1\r
                Content-Type: application/x-www-form-urlencoded\r
                Content-Length: \(valueSizeBytes + 6)
                """)
        #expect(parts[1].hasPrefix("value=" + "0123456789abcdef".prefix(valueSizeBytes)))
        #expect(parts[1].utf8.count == valueSizeBytes + 6)
        let isPlain = parts[1].dropFirst(6).allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber)
        }
        #expect(isPlain, "the form encoding would change nothing")
    }

    @Test func aTemplateIsUsedAgain() throws {
        let template = RequestTemplate(.put, try plan(), host: "h:1")
        var bytes = [UInt8](repeating: 0, count: template.sizeBytes)
        var texts: [String] = []
        for key in [9999, 1, 9999] {
            _ = bytes.withUnsafeMutableBytes { template.render(key: key, stamp: 5, into: $0) }
            texts.append(String(decoding: bytes, as: UTF8.self))
        }
        #expect(texts[0] == texts[2] && texts[0] != texts[1])
        #expect(texts[1].contains("/0000000000000001 "))
    }
}

@Suite struct BenchPlanTests {
    /// An option and a change that puts it out of range.
    static let changes: [(String, @Sendable (inout BenchPlan) -> Void)] = [
        ("--connections", { $0.connectionCount = 0 }), ("--pipeline", { $0.pipelineDepth = 0 }),
        ("--threads", { $0.threadCount = 2 }), ("--keys", { $0.keyCount = 0 }),
        ("--key-size", { $0.keySizeBytes = 3 }), ("--value-size", { $0.valueSizeBytes = -1 }),
        ("--prefix", { $0.prefix = "a b" }), ("--read-ratio", { $0.readRatio = 1.1 }),
        ("--rate", { $0.ratePerSecond = 0 }), ("--duration", { $0.limit = .duration(.zero) }),
        ("--requests", { $0.limit = .requests(0) }), ("--timeout", { $0.answerTimeout = .zero }),
        ("--watchers", { $0.kind = .watch }), ("URL", { $0.endpoints = [] }),
        (
            "--value-size",
            {
                $0.kind = .watch
                $0.watcherCount = 1
                $0.valueSizeBytes = 15
            }
        ),
    ]

    @Test(arguments: changes)
    func refusals(option: String, change: @Sendable (inout BenchPlan) -> Void) throws {
        var plan = try plan()
        try plan.validate()
        change(&plan)
        let error = try #require(throws: BenchError.self) { try plan.validate() }
        #expect("\(error)".contains(option))
        #expect(error.advice.hasSuffix("."))
    }

    @Test func urls() throws {
        #expect(try Endpoint(url: "http://127.0.0.1:2379/").hostAndPort == "127.0.0.1:2379")
        #expect(try Endpoint(url: "127.0.0.1:80").hostAndPort == "127.0.0.1:80")
        #expect(try Endpoint(url: "http://localhost:9").family == AF_INET)
        #expect(try Endpoint(url: "http://[::1]:2379").hostAndPort == "[::1]:2379")
        for bad in ["https://127.0.0.1:1", "http://127.0.0.1", "http://:1", "http://h:99999", ""] {
            #expect(throws: BenchError.self) { try Endpoint(url: bad) }
        }
    }
}
