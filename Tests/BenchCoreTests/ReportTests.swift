import Foundation
import Testing

@testable import BenchCore

/// A made-up result: 900 gets of 2 ms, 100 puts of 20 ms, a few errors, in 2 s.
private func result(_ kind: BenchPlan.Kind) throws -> BenchResult {
    var plan = BenchPlan(kind, [try Endpoint(url: "http://127.0.0.1:2379")])
    plan.connectionCount = 8
    plan.ratePerSecond = 500
    plan.watcherCount = kind == .watch ? 3 : 0
    var recorder = Recorder(measureFrom: 0)
    for number in 0..<1000 {
        let isPut = number % 10 == 0 || kind == .watch
        let request = InFlightQueue.Request(isPut ? .put : .get, intended: 0)
        _ = recorder.answered(request, status: 200, now: isPut ? 20_000_000 : 2_000_000)
    }
    _ = recorder.answered(InFlightQueue.Request(.put, intended: 0), status: 500, now: 5)
    recorder.failed(.connectionLost, InFlightQueue.Request(.put, intended: 0))
    if kind == .watch {
        for _ in 0..<2990 { _ = recorder.event(written: 0, now: 3_000_000) }
    }
    recorder.bytesSent = 1 << 20
    recorder.unsentCount = 4
    recorder.cpu = 1_000_000_000
    return BenchResult(
        plan: plan, recorder: recorder, elapsedSeconds: 2, ratesEachSecond: [499.6, 500.4],
        wasInterrupted: false)
}

@Suite struct ReportTests {
    private func object(_ report: BenchReport) throws -> [String: Any] {
        let parsed = try JSONSerialization.jsonObject(with: Data(report.json.utf8))
        return try #require(parsed as? [String: Any])
    }

    @Test func jsonShape() throws {
        let report = BenchReport(try result(.mixed))
        #expect(!report.json.contains("\n"), "one line, so that files of runs are lines")
        let json = try object(report)
        #expect(
            Set(json.keys) == [
                "benchmark", "config", "elapsedSeconds", "requests", "requestsPerSecond",
                "latencyMicroseconds", "operations", "errors", "unsent", "bytesSent",
                "bytesReceived", "reconnects", "generator", "requestsEachSecond", "interrupted",
            ])
        #expect(json["benchmark"] as? String == "mixed")
        #expect(json["requests"] as? Int == 1000)
        #expect(json["requestsPerSecond"] as? Double == 500)
        #expect(json["errors"] as? [String: Int] == ["500": 1, "connection-lost": 1])
        #expect(json["unsent"] as? Int == 4)
        let latency = try #require(json["latencyMicroseconds"] as? [String: Double])
        #expect(Set(latency.keys) == ["min", "mean", "p50", "p90", "p99", "p99.9", "max"])
        #expect(abs(try #require(latency["p50"]) - 2000) < 4)
        #expect(abs(try #require(latency["p99.9"]) - 20_000) < 40)
        let config = try #require(json["config"] as? [String: Any])
        #expect(config["urls"] as? [String] == ["http://127.0.0.1:2379"])
        #expect(config["connections"] as? Int == 8)
        #expect(config["ratePerSecond"] as? Int == 500)
        #expect(config["durationSeconds"] as? Double == 10)
        #expect(config["requests"] == nil)
        let generator = try #require(json["generator"] as? [String: Double])
        #expect(generator == ["cpuFraction": 0.5, "requestsPerCPUSecond": 1000])
        let operations = try #require(json["operations"] as? [String: [String: Any]])
        #expect(Set(operations.keys) == ["get", "put"])
        #expect(operations["get"]?["requests"] as? Int == 900)
    }

    @Test func jsonIsReadBack() throws {
        for kind in [BenchPlan.Kind.put, .mixed, .watch] {
            let report = BenchReport(try result(kind))
            let again = try JSONDecoder().decode(BenchReport.self, from: Data(report.json.utf8))
            #expect(again == report)
        }
    }

    @Test func watchersAreOwedEachWrite() throws {
        let report = BenchReport(try result(.watch))
        let watch = try #require(report.watch)
        #expect(watch.events == 2990 && watch.missed == 10)
        #expect(abs(try #require(watch.latencyMicroseconds).p50 - 3000) < 6)
        #expect(report.operations == nil)
        #expect(report.text.contains("2990 seen, 10 missed"))
    }

    @Test func text() throws {
        let text = BenchReport(try result(.mixed)).text
        #expect(text.contains("throughput   500       req/s   1000 requests in 2.00 s"))
        #expect(text.contains("p99.9 20.0"))
        #expect(text.contains("errors       500: 1, connection-lost: 1"))
        #expect(text.contains("4 requests were due and never sent"))
        #expect(text.contains("1.0 MiB sent"))
    }

    @Test func nothingSucceeded() throws {
        var result = try result(.put)
        result.recorder = Recorder(measureFrom: 0)
        result.recorder.failed(.timedOut, now: 0)
        let report = BenchReport(result)
        #expect(report.requests == 0 && report.latencyMicroseconds == nil)
        #expect(report.reasonForNothing.contains("timed-out: 1"))
        #expect(try object(report)["latencyMicroseconds"] == nil)
        result.recorder = Recorder(measureFrom: 0)
        result.recorder.failed(.status(404), now: 0)
        #expect(BenchReport(result).reasonForNothing.contains("--no-preload"))
    }

    @Test(arguments: [
        (0.0, 0, "0"), (12.5, 0, "13"), (3.14159, 2, "3.14"), (0.005, 2, "0.01"), (2.0, 2, "2.00"),
        (1.05, 1, "1.1"), (-1.5, 1, "-1.5"), (-0.01, 1, "0.0"), (99.999, 2, "100.00"),
    ])
    func numbers(value: Double, digits: Int, text: String) {
        #expect(decimals(value, digits) == text)
    }

    @Test(arguments: [(7.0, "7 µs"), (999, "999 µs"), (1500, "1.50 ms"), (2_345_678, "2.35 s")])
    func times(microseconds: Double, text: String) {
        #expect(BenchReport.Latency.time(microseconds) == text)
    }
}

@Suite struct ComparisonTests {
    private func run(
        _ server: String, _ rate: Double, connections: Int = 1, round: Int = 1
    ) throws -> Comparison.Run {
        var report = BenchReport(try result(.put))
        report.requestsPerSecond = rate
        report.config.connections = connections
        report.errors = [:]
        return Comparison.Run(server: server, members: 3, round: round, result: report)
    }

    @Test(
        arguments: [([], 0), ([5], 5), ([3, 1, 2], 2), ([4, 1, 2, 3], 2.5)] as [([Double], Double)])
    func median(values: [Double], expected: Double) {
        #expect(Comparison.median(values) == expected)
    }

    @Test func rowsAreMediansInOrder() throws {
        let comparison = Comparison(runs: [
            try run("kvd", 300), try run("kvd", 90, connections: 64), try run("etcd", 100),
            try run("etcd", 60, connections: 64), try run("etcd", 120, round: 2),
            try run("kvd", 500, round: 2), try run("kvd", 330, round: 3),
        ])
        #expect(comparison.servers == ["kvd", "etcd"])
        #expect(comparison.rows.map(\.connections) == [1, 64])
        #expect(comparison.rows[0].servers["kvd"]?.requestsPerSecond == 330)
        #expect(comparison.rows[0].servers["etcd"]?.requestsPerSecond == 110)
        #expect(comparison.rows.map(\.ratio) == [3, 1.5])
        let lines = comparison.table.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].contains("kvd req/s") && lines[0].contains("etcd req/s"))
        #expect(lines[1].hasSuffix("3.00"))
        #expect(Set(lines.map(\.count)).count == 1, "columns line up")
    }

    @Test func throughFiles() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/kvd-bench-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let lines = try [try run("kvd", 10), try run("etcd", 5)].map {
            String(decoding: try JSONEncoder().encode($0), as: UTF8.self)
        }
        let runs = folder + "/runs.jsonl"
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: runs, atomically: true, encoding: .utf8)
        let comparison = try Comparison(file: runs)
        #expect(comparison.rows.map(\.ratio) == [2])
        let out = folder + "/out.json"
        try comparison.write(to: out, machine: "this one")
        let written = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: out)))
        let object = try #require(written as? [String: Any])
        #expect(Set(object.keys) == ["machine", "servers", "rows", "runs"])
        #expect(throws: BenchError.self) { try Comparison(file: folder + "/none") }
        #expect(throws: BenchError.self) { try Comparison(file: out) }
        #expect(throws: BenchError.self) { try comparison.write(to: folder, machine: "") }
    }
}
