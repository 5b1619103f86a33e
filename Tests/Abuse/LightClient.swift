package import BenchCore

/// Somebody who asks for little, and wants it soon: four connections, as many writes as reads.
package struct LightClient {
    package struct Reading: Sendable {
        package var requestCount = 0
        /// Microseconds.
        package var p99 = 0.0
        package var failures: [String: Int] = [:]
        /// Due, and not sent before the end: all connections waited for answers.
        package var unsentCount = 0
    }

    private let plan: BenchPlan

    package static let rate = 500

    package init(_ endpoint: Endpoint) {
        var plan = BenchPlan(.mixed, [endpoint])
        plan.connectionCount = 4
        plan.keyCount = 1000
        plan.readRatio = 0.5
        plan.ratePerSecond = Self.rate
        plan.prefix = "light"
        self.plan = plan
    }

    /// Writes all keys, then so many requests at full speed: what a server keeps of the past is full.
    package func prepare(requests: Int) throws {
        let run = try BenchRun(takesSignals: false)
        _ = try run.preload(plan)
        var fast = plan
        fast.kind = .put
        fast.ratePerSecond = nil
        fast.limit = .requests(requests)
        _ = try run(fast)
    }

    /// - Parameter eachSecond: called on this thread.
    package func measure(
        _ duration: Duration, eachSecond: @escaping () -> Void = {}
    ) throws -> Reading {
        var plan = plan
        plan.limit = .duration(duration)
        let run = try BenchRun(takesSignals: false) { _ in eachSecond() }
        let report = BenchReport(try run(plan))
        var reading = Reading()
        reading.requestCount = report.requests
        reading.p99 = report.latencyMicroseconds?.p99 ?? .infinity
        reading.failures = report.errors
        reading.unsentCount = report.unsent
        return reading
    }
}
