import Foundation
internal import Histogram
import Testing

@testable import BenchCore

/// A real etcd 3.4 with the v2 API, if one is on PATH: one member, its data in a temporary folder.
private final class RunningEtcd {
    let endpoint: Endpoint
    private let process = Process()
    private let folder: URL

    static let path = ProcessInfo.processInfo.environment["PATH"].flatMap { path in
        path.split(separator: ":").map { "\($0)/etcd" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    init() throws {
        // Ports that were free a moment ago.
        let urls = try (0..<2).map { _ in try TrivialServer(listen: "127.0.0.1:0").url }
        endpoint = try Endpoint(url: urls[0])
        folder = FileManager.default.temporaryDirectory.appending(path: "bench-etcd-\(UUID())")
        process.executableURL = URL(filePath: try #require(Self.path))
        process.arguments = [
            "--enable-v2", "--name", "m1", "--data-dir", folder.path, "--listen-client-urls",
            urls[0], "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1],
            "--initial-advertise-peer-urls", urls[1], "--initial-cluster", "m1=\(urls[1])",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}

/// Against the server whose API this is.
@Suite(.enabled(if: RunningEtcd.path != nil)) struct EtcdTests {
    @Test func allLoads() throws {
        let etcd = try RunningEtcd()
        // Waits for the election.
        let leader = try LeaderLookup.leader(of: [etcd.endpoint], patience: .seconds(30))
        #expect(leader == etcd.endpoint)
        for kind in [BenchPlan.Kind.put, .get, .qget, .mixed] {
            var plan = BenchPlan(kind, [leader])
            plan.connectionCount = 4
            plan.pipelineDepth = 2
            plan.keyCount = 50
            plan.limit = .requests(200)
            let run = try BenchRun(takesSignals: false)
            if kind.readsExistingKeys { _ = try run.preload(plan) }
            let recorder = try run(plan).recorder
            #expect(recorder.successCount == 200)
            #expect(recorder.failures.isEmpty)
        }
        try missingKeysAreErrors(leader)
        for mode in BenchPlan.WatchMode.allCases { try everyWatcherSeesEveryWrite(leader, mode) }
    }

    private func missingKeysAreErrors(_ leader: Endpoint) throws {
        var plan = BenchPlan(.get, [leader])
        plan.prefix = "none"
        plan.limit = .requests(20)
        let run = try BenchRun(takesSignals: false)
        let recorder = try run(plan).recorder
        #expect(recorder.failures == [.status(404): 20])
        #expect(recorder.successCount == 0)
    }

    private func everyWatcherSeesEveryWrite(
        _ leader: Endpoint, _ mode: BenchPlan.WatchMode
    ) throws {
        var plan = BenchPlan(.watch, [leader])
        plan.prefix = "watched-\(mode.rawValue)"
        plan.watcherCount = 7
        plan.watchMode = mode
        plan.connectionCount = 2
        plan.threadCount = 2
        plan.limit = .requests(100)
        plan.ratePerSecond = 400
        let run = try BenchRun(takesSignals: false)
        let result = try run(plan)
        #expect(result.recorder.successCount == 100)
        #expect(result.recorder.failures.isEmpty)
        let watch = try #require(BenchReport(result).watch)
        #expect(watch.events == 700 && watch.missed == 0)
        let latency = try #require(watch.latencyMicroseconds)
        #expect(latency.min > 0)
    }
}
