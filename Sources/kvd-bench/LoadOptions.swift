internal import ArgumentParser
internal import BenchCore

extension KeyOrder: ExpressibleByArgument {}
extension BenchPlan.WatchMode: ExpressibleByArgument {}

struct PreloadOptions: ParsableArguments {
    @Flag(inversion: .prefixedNo, help: "Write every key once before the run.")
    var preload = true
}

/// What all loads share.
struct LoadOptions: ParsableArguments {
    @Argument(help: "Client URLs; connections are spread over them.")
    var urls: [String] = ["http://127.0.0.1:2379"]

    @Option(name: [.short, .long], help: "Connections that send requests.")
    var connections = 64
    @Option(help: "Requests in flight on each connection.")
    var pipeline = 1
    @Option(help: "Threads that send; each takes up to one core.")
    var threads = 1
    @Option(help: "Number of keys.")
    var keys = 10_000
    @Option(help: "Bytes of a key's last path element.")
    var keySize = 16
    @Option(help: "Bytes of a value.")
    var valueSize = 128
    @Option(help: "sequential or random.")
    var keyOrder = KeyOrder.random
    @Option(help: "Directory of the keys.")
    var prefix = "bench"
    @Option(name: [.short, .long], help: "Seconds to measure. (default: 10)")
    var duration: Double?
    @Option(name: [.customShort("n"), .long], help: "Stop after so many requests instead.")
    var requests: Int?
    @Option(help: "Seconds of load before measuring begins.")
    var warmup = 0.0
    @Option(help: "Requests a second of all connections together. (default: as fast as answered)")
    var rate: Int?
    @Option(help: "Seconds without an answer before a connection is given up.")
    var timeout = 10.0
    @Option(help: "Of keys, values and mix; the same seed gives the same requests.")
    var seed: UInt64 = 1
    @Flag(help: "Find the leader through the URLs and load it only.")
    var targetLeader = false
    @Flag(help: "Print the result as one JSON object.")
    var json = false
    @Flag(help: "Progress on standard error, even if it is no terminal.")
    var progress = false

    func validate() throws {
        if duration != nil, requests != nil {
            throw ValidationError("Give --duration or --requests, not both.")
        }
    }

    /// Runs and prints; throws `ExitCode` if nothing succeeded or nothing could begin.
    func run(
        _ kind: BenchPlan.Kind, preload: Bool = false,
        adjust: (inout BenchPlan) -> Void = { _ in }
    ) throws {
        let showsProgress = progress || Console.isTerminal
        let result = try explained { () throws(BenchError) -> BenchResult? in
            var plan = try plan(kind)
            adjust(&plan)
            try plan.validate()
            if targetLeader {
                plan.endpoints = [try LeaderLookup.leader(of: plan.endpoints)]
            }
            let run = try BenchRun(takesSignals: true) { progress in
                if showsProgress { Console.show(progress) }
            }
            if preload {
                if showsProgress { Console.note("writing \(plan.keyCount) keys first") }
                guard try run.preload(plan) != nil else { return nil }
            }
            return try run(plan)
        }
        guard let result else {
            Console.note("interrupted before the run began")
            throw ExitCode.failure
        }
        let report = BenchReport(result)
        print(json ? report.json : report.text)
        if report.requests == 0 {
            Console.note("nothing succeeded: \(report.reasonForNothing)")
            throw ExitCode.failure
        }
    }

    private func plan(_ kind: BenchPlan.Kind) throws(BenchError) -> BenchPlan {
        var endpoints: [Endpoint] = []
        for url in urls { endpoints.append(try Endpoint(url: url)) }
        var plan = BenchPlan(kind, endpoints)
        plan.connectionCount = connections
        plan.pipelineDepth = pipeline
        plan.threadCount = threads
        plan.keyCount = keys
        plan.keySizeBytes = keySize
        plan.valueSizeBytes = valueSize
        plan.keyOrder = keyOrder
        plan.prefix = prefix
        plan.limit = requests.map { .requests($0) } ?? .duration(seconds(duration ?? 10))
        plan.warmup = seconds(warmup)
        plan.ratePerSecond = rate
        plan.answerTimeout = seconds(timeout)
        plan.seed = seed
        return plan
    }

    /// Bounded to a day, and no less than nothing, before it becomes an integer.
    private func seconds(_ value: Double) -> Duration {
        .nanoseconds(Int64(min(max(value, 0), 86_400) * 1e9))
    }
}
