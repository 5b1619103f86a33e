internal import Metrics

/// Counts requests and their times, by etcd's names for a proxy's.
struct ProxyMeter {
    private struct Outcome: Hashable {
        let method: String
        /// A status, or why there was no answer.
        let label: String
    }

    private var received: [String: UInt64] = [:]
    private var handled: [Outcome: UInt64] = [:]
    private var dropped: [Outcome: UInt64] = [:]
    private var durations: [String: DurationHistogram] = [:]
    private(set) var cutAnswers: UInt64 = 0
    var failedEndpoints: UInt64 = 0
    var cutReaders: UInt64 = 0

    mutating func began(_ method: String) { received[method, default: 0] += 1 }

    /// A member's answer is with the client. Times of watches say nothing, and are left out.
    mutating func ended(_ method: String, status: UInt, nanoseconds: Int64?) {
        handled[Outcome(method: method, label: "\(status)"), default: 0] += 1
        guard let nanoseconds else { return }
        let empty = DurationHistogram(firstNanoseconds: 500_000, boundsCount: 13)
        durations[method, default: empty].record(nanoseconds: nanoseconds)
    }

    mutating func refused(_ method: String, _ label: String) {
        dropped[Outcome(method: method, label: label), default: 0] += 1
    }

    mutating func cut() { cutAnswers += 1 }

    func write(into page: inout MetricsPage) {
        page.family("etcd_proxy_requests_total", .counter, "Requests by method.")
        for (method, count) in received.sorted(by: { $0.key < $1.key }) {
            page.sample([("method", method)], count)
        }
        page.family(
            "etcd_proxy_handled_total", .counter, "Requests that a member answered.")
        write(handled, "code", into: &page)
        page.family(
            "etcd_proxy_dropped_total", .counter, "Requests that no member answered.")
        write(dropped, "proxying_error", into: &page)
        page.family(
            "etcd_proxy_handling_duration_seconds", .histogram,
            "Time of requests that a member answered, without watches, in seconds.")
        for (method, histogram) in durations.sorted(by: { $0.key < $1.key }) {
            page.sample([("method", method)], of: histogram)
        }
        page.counter(
            "kvd_proxy_answers_cut_total", "Answers whose member was lost in their middle.",
            cutAnswers)
        page.counter(
            "kvd_proxy_readers_cut_total", "Clients that did not take their answer.", cutReaders)
        page.counter(
            "kvd_proxy_endpoint_failures_total", "Failures of endpoints.", failedEndpoints)
    }

    private func write(
        _ counts: [Outcome: UInt64], _ name: StaticString, into page: inout MetricsPage
    ) {
        let sorted = counts.sorted { ($0.key.method, $0.key.label) < ($1.key.method, $1.key.label) }
        for (outcome, count) in sorted {
            page.sample([("method", outcome.method), (name, outcome.label)], count)
        }
    }
}
