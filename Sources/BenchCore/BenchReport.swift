internal import FoundationEssentials
internal import Histogram

/// A run's result as people and programs read it. The JSON is one object; its keys are the
/// properties' names but for `p99.9`.
package struct BenchReport: Codable, Sendable, Equatable {
    package struct Config: Codable, Sendable, Equatable {
        package var urls: [String]
        package var connections: Int
        package var pipeline: Int
        package var threads: Int
        package var keys: Int
        package var keySizeBytes: Int
        package var valueSizeBytes: Int
        package var keyOrder: String
        package var prefix: String
        package var readRatio: Double?
        package var durationSeconds: Double?
        package var requests: Int?
        package var warmupSeconds: Double
        package var ratePerSecond: Int?
        package var watchers: Int?
        package var watchMode: String?
        package var seed: UInt64
    }

    /// In microseconds.
    package struct Latency: Codable, Sendable, Equatable {
        package var min: Double
        package var mean: Double
        package var p50: Double
        package var p90: Double
        package var p99: Double
        package var p999: Double
        package var max: Double

        enum CodingKeys: String, CodingKey {
            case min, mean, p50, p90, p99
            case p999 = "p99.9"
            case max
        }

        /// Nil if there is nothing to tell of.
        package init?(_ latencies: Recorder.Latencies) {
            guard latencies.totalCount > 0 else { return nil }
            func microseconds(_ value: Double) -> Double { (value / 10).rounded() / 100 }
            func percentile(_ percentile: Double) -> Double {
                microseconds(Double(latencies.valueAtPercentile(percentile)))
            }
            min = microseconds(Double(latencies.min))
            mean = microseconds(latencies.mean)
            p50 = percentile(50)
            p90 = percentile(90)
            p99 = percentile(99)
            p999 = percentile(99.9)
            max = microseconds(Double(latencies.max))
        }
    }

    package struct Part: Codable, Sendable, Equatable {
        package var requests: Int
        package var requestsPerSecond: Double
        package var latencyMicroseconds: Latency?
    }

    package struct Watch: Codable, Sendable, Equatable {
        package var events: Int
        package var eventsPerSecond: Double
        /// Events owed (successful writes × watchers) and not seen.
        package var missed: Int
        /// From the moment the write was meant to be sent to the event at the watcher.
        package var latencyMicroseconds: Latency?
    }

    package struct Generator: Codable, Sendable, Equatable {
        /// CPU time of the worker threads, as a share of the time they had.
        package var cpuFraction: Double
        package var requestsPerCPUSecond: Double
    }

    package var benchmark: String
    package var config: Config
    package var elapsedSeconds: Double
    /// Successful ones.
    package var requests: Int
    package var requestsPerSecond: Double
    package var latencyMicroseconds: Latency?
    /// By kind of request, where a run has several.
    package var operations: [String: Part]?
    package var watch: Watch?
    /// By status, or `connection-lost`, `timed-out`, `malformed-answer`, `watch-ended`.
    package var errors: [String: Int]
    package var unsent: Int
    package var bytesSent: Int
    package var bytesReceived: Int
    package var reconnects: Int
    package var generator: Generator
    package var requestsEachSecond: [Double]
    package var interrupted: Bool

    package init(_ result: BenchResult) {
        let recorder = result.recorder
        let seconds = result.elapsedSeconds
        func rate(_ count: Int) -> Double {
            seconds > 0 ? (Double(count) / seconds * 10).rounded() / 10 : 0
        }
        benchmark = result.plan.kind.rawValue
        config = Config(result.plan)
        elapsedSeconds = (seconds * 1000).rounded() / 1000
        requests = recorder.successCount
        requestsPerSecond = rate(requests)
        latencyMicroseconds = Latency(recorder.allLatencies)
        if result.plan.kind == .mixed {
            operations = [:]
            for operation in Operation.allCases {
                let latencies = recorder.latencies[operation.rawValue]
                let count = Int(latencies.totalCount)
                guard count > 0 else { continue }
                operations?[operation.name] = Part(
                    requests: count, requestsPerSecond: rate(count),
                    latencyMicroseconds: Latency(latencies))
            }
        }
        if result.plan.kind == .watch {
            let events = recorder.eventCount
            watch = Watch(
                events: events, eventsPerSecond: rate(events),
                missed: max(0, requests * result.plan.watcherCount - events),
                latencyMicroseconds: Latency(recorder.eventLatencies))
        }
        errors = Dictionary(
            uniqueKeysWithValues: recorder.failures.map { ($0.key.name, $0.value) })
        unsent = recorder.unsentCount
        bytesSent = recorder.bytesSent
        bytesReceived = recorder.bytesReceived
        reconnects = recorder.reconnectCount
        let cpuSeconds = Double(recorder.cpu) / 1e9
        let available = seconds * Double(result.plan.threadCount)
        generator = Generator(
            cpuFraction: available > 0 ? (cpuSeconds / available * 1000).rounded() / 1000 : 0,
            requestsPerCPUSecond: cpuSeconds > 0 ? (Double(requests) / cpuSeconds).rounded() : 0)
        requestsEachSecond = result.ratesEachSecond.map { $0.rounded() }
        interrupted = result.wasInterrupted
    }

    /// One line of JSON, keys sorted.
    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Every number in here is finite and every key a string: this type always encodes.
        guard let data = try? encoder.encode(self) else { preconditionFailure("see above") }
        return String(decoding: data, as: UTF8.self)
    }

    /// `500: 3, connection-lost: 1`, most frequent first.
    package static func describe(failures: [Failure: Int]) -> String {
        describe(failures.map { ($0.key.name, $0.value) })
    }

    static func describe(_ failures: [(String, Int)]) -> String {
        if failures.isEmpty { return "none" }
        return failures.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
            .map { "\($0.0): \($0.1)" }.joined(separator: ", ")
    }
}

extension BenchReport.Config {
    init(_ plan: BenchPlan) {
        urls = plan.endpoints.map(\.url)
        connections = plan.connectionCount
        pipeline = plan.pipelineDepth
        threads = plan.threadCount
        keys = plan.keyCount
        keySizeBytes = plan.keySizeBytes
        valueSizeBytes = plan.valueSizeBytes
        keyOrder = plan.keyOrder.rawValue
        prefix = plan.prefix
        readRatio = plan.kind == .mixed ? plan.readRatio : nil
        switch plan.limit {
        case .duration(let duration): durationSeconds = duration.inSeconds
        case .requests(let count): requests = count
        }
        warmupSeconds = plan.warmup.inSeconds
        ratePerSecond = plan.ratePerSecond
        if plan.kind == .watch {
            watchers = plan.watcherCount
            watchMode = plan.watchMode.rawValue
        }
        seed = plan.seed
    }
}
