/// The load generator behind `kvd-bench`: everything but flags.
///
///     BenchPlan ──▶ BenchRun ──┬─▶ Worker (a thread): Poller + Links ──▶ Recorder ──┐
///     what to do     threads,  ├─▶ Worker …                                        ├─▶ BenchReport
///                    signals,  └─▶ …                                    merged ────┘   text, JSON
///                    progress
///
/// A `Worker` owns its sockets, its share of the keys (`Workload`), of the schedule (`Pacer`) and
/// of the results (`Recorder`); nothing is shared between workers but a few counters. A request is
/// a copy of a `RequestTemplate` with key and value patched; answers go through `MessageParser`,
/// which looks at the status and at the length and at nothing else. `TrivialServer` answers
/// everything with the same bytes: against it the generator measures itself.
///
/// **Why epoll and not swift-nio.** Measured on two cores, one client thread, 64 connections, one
/// request in flight each, answers of 291 bytes counted by length only, the same server, in turns:
/// NIO (one handler, `maxMessagesPerRead` 1, fixed receive buffer, no promises) drove 88, 102 and
/// 90 thousand requests a second, plain `epoll_wait`/`recv`/`send` 113, 124 and 133. With 16 in
/// flight 1.31, 0.97, 0.94 million against 1.66, 1.33, 1.30. A generator that needs a quarter more
/// time per request than it must blurs the server it measures, and kvd itself is built on NIO:
/// what NIO costs must show on one side of the socket only.
///
/// Time is `Nanoseconds` of the monotonic clock, always handed in, so the accounting is tested
/// without waiting. Latency is counted from the moment a request was *meant* to be sent.
package enum BenchCore {
    /// How long no byte may come back on a connection with requests in flight, by default.
    package static let answerTimeoutDefault = Duration.seconds(10)
}
