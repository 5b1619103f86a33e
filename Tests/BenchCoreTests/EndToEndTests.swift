internal import Glibc
internal import Histogram
import Testing

@testable import BenchCore

/// A trivial server on a free port of the loopback, on a thread of its own.
private struct RunningServer: ~Copyable {
    let server: TrivialServer
    private let thread: WorkerThread

    init(listen: String = "127.0.0.1:0") throws {
        let server = try TrivialServer(listen: listen)
        thread = try WorkerThread { try? server.run() }
        self.server = server
    }

    deinit {
        server.stop()
        thread.join()
    }

    func plan(_ kind: BenchPlan.Kind, requests: Int) throws -> BenchPlan {
        var plan = BenchPlan(kind, [try Endpoint(url: server.url)])
        plan.limit = .requests(requests)
        return plan
    }
}

@Suite struct EndToEndTests {
    @Test(arguments: [
        (1, 1, 1), (8, 1, 1), (5, 3, 2), (16, 16, 2), (3, 100, 3),
    ])
    func everyRequestIsAnsweredOnce(connections: Int, depth: Int, threads: Int) throws {
        let running = try RunningServer()
        for kind in [BenchPlan.Kind.put, .get, .qget, .mixed] {
            var plan = try running.plan(kind, requests: 2003)
            plan.connectionCount = connections
            plan.pipelineDepth = depth
            plan.threadCount = threads
            let run = try BenchRun(takesSignals: false)
            let result = try run(plan)
            #expect(result.recorder.successCount == 2003)
            #expect(result.recorder.failures.isEmpty)
            #expect(result.recorder.reconnectCount == 0)
            #expect(result.elapsedSeconds > 0)
            let template = RequestTemplate(
                kind.operation, plan, host: plan.endpoints[0].hostAndPort)
            if kind != .mixed {
                #expect(result.recorder.bytesSent == 2003 * template.sizeBytes)
                #expect(
                    Int(result.recorder.latencies[kind.operation.rawValue].totalCount) == 2003)
            }
        }
    }

    @Test func valuesLargerThanTheKernelsBuffers() throws {
        let running = try RunningServer()
        var plan = try running.plan(.put, requests: 40)
        plan.valueSizeBytes = 4 << 20
        plan.connectionCount = 2
        plan.pipelineDepth = 4
        let run = try BenchRun(takesSignals: false)
        let result = try run(plan)
        #expect(result.recorder.successCount == 40)
        #expect(result.recorder.bytesSent > 40 * 4 << 20)
    }

    @Test func preloadWritesEachKeyOnce() throws {
        let running = try RunningServer()
        var plan = try running.plan(.get, requests: 10)
        plan.keyCount = 1234
        let run = try BenchRun(takesSignals: false)
        let result = try #require(try run.preload(plan))
        #expect(result.recorder.successCount == 1234)
        #expect(result.plan.keyOrder == .sequential)
    }

    @Test func anOpenLoopSendsOnSchedule() throws {
        let running = try RunningServer()
        var plan = try running.plan(.put, requests: 500)
        plan.ratePerSecond = 2500
        plan.connectionCount = 4
        plan.threadCount = 2
        let run = try BenchRun(takesSignals: false)
        let result = try run(plan)
        #expect(result.recorder.successCount == 500)
        // The last request is due 499/2500 s after the first: it cannot be answered before.
        #expect(result.elapsedSeconds >= 0.1996)
    }

    @Test func aDurationEndsARun() throws {
        let running = try RunningServer()
        var plan = try running.plan(.put, requests: 1)
        plan.limit = .duration(.milliseconds(150))
        plan.warmup = .milliseconds(50)
        plan.connectionCount = 3
        let run = try BenchRun(takesSignals: false)
        let result = try run(plan)
        #expect(result.recorder.successCount > 0)
        #expect(result.elapsedSeconds >= 0.15)
        #expect(result.recorder.cpu > 0)
        #expect(!result.wasInterrupted)
    }

    @Test func nobodyListens() throws {
        let port: String
        do {
            let running = try RunningServer()
            port = running.server.url
        }
        let plan = BenchPlan(.put, [try Endpoint(url: port)])
        let run = try BenchRun(takesSignals: false)
        let error = try #require(throws: BenchError.self) { _ = try run(plan) }
        #expect("\(error)".contains("no connection to \(port): Connection refused"))
        #expect(error.advice.contains("--listen-client-urls"))
    }

    @Test func aServerThatGoesAndComesBack() throws {
        let server = try TrivialServer(listen: "127.0.0.1:0")
        let twoLives = try WorkerThread {
            try? server.run()
            try? server.run()
        }
        let killer = try WorkerThread {
            while server.answerCount < 500 { usleep(500) }
            server.stop()
        }
        var plan = BenchPlan(.put, [try Endpoint(url: server.url)])
        plan.limit = .requests(3000)
        plan.connectionCount = 2
        plan.ratePerSecond = 3000
        let run = try BenchRun(takesSignals: false)
        let recorder = try run(plan).recorder
        killer.join()
        server.stop()
        twoLives.join()
        #expect(recorder.successCount + recorder.failureCount == 3000)
        #expect(recorder.successCount >= 500 && recorder.reconnectCount >= 1)
        #expect(recorder.failures.keys.allSatisfy { $0 == .connectionLost })
    }

    @Test func aTrivialServerIsNoMember() throws {
        let running = try RunningServer()
        let endpoints = [try Endpoint(url: running.server.url)]
        let error = try #require(throws: BenchError.self) {
            try LeaderLookup.leader(of: endpoints, patience: .milliseconds(1))
        }
        guard case .noLeader = error.code else {
            Issue.record("not the error meant: \(error)")
            return
        }
    }

    @Test func theLeaderIsOneOfTheGivenURLsIfItCanBe() throws {
        let endpoints = try ["http://127.0.0.1:1", "http://localhost:22"].map {
            try Endpoint(url: $0)
        }
        func leader(_ urls: String) throws -> String? {
            let body = #"{"id":"8","name":"m","peerURLs":[],"clientURLs":["# + urls + "]}\n"
            return try LeaderLookup.endpointOfLeader(Array(body.utf8), among: endpoints)?.url
        }
        #expect(try leader(#""http://127.0.0.1:9","http://127.0.0.1:1""#) == "http://127.0.0.1:1")
        #expect(try leader(#""http://127.0.0.1:9""#) == "http://127.0.0.1:9")
        #expect(try leader("") == nil)
    }
}
