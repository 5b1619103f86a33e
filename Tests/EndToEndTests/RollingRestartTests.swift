import Foundation
import ProcessSupport
import Synchronization
import Testing

/// Each member of three is stopped with SIGTERM and started again while clients write.
///
/// No write is answered by an error, none that was acknowledged is lost, and leadership is handed over.
/// The times that it prints are worth something with `KVD_BIN_DIR` set to a release build;
/// `KVD_ROLLING_ROUNDS` sets how often.
@Suite(.serialized) struct RollingRestartTests {
    @Test func nobodyWaitsForAnElection() throws {
        let cluster = try KvdCluster(size: 3, extra: [])
        try cluster.startAll()
        try cluster.waitReady()
        let rounds = Int(ProcessInfo.processInfo.environment["KVD_ROLLING_ROUNDS"] ?? "") ?? 2
        for round in 0..<rounds {
            // The leader and two that are not.
            let leader = try cluster.leader()
            for n in [leader, (leader + 1) % 3, (leader + 2) % 3] {
                let isLeader = try cluster.leader() == n
                let writers = FailoverWriters(ports: cluster.clientPorts, round: round * 3 + n)
                try waitUntil("load") { writers.count > 200 }
                let process = try #require(cluster.members[n])
                process.kill(SIGTERM)
                #expect(process.wait() == -SIGTERM)
                let stoppedLog = process.log
                let whenStopped = writers.count
                try waitUntil("load on two") { writers.count > whenStopped + 200 }
                try cluster.start(n)
                try cluster.members[n]?.waitReady()
                let whenBack = writers.count
                try waitUntil("load on three") { writers.count > whenBack + 200 }
                let report = writers.stop()
                print("restart of the \(isLeader ? "leader" : "follower"): \(report)")
                #expect(report.answeredFailures.isEmpty, "\(report)")
                let missing = try writers.missing(on: cluster.clientPorts[n])
                #expect(missing.isEmpty, "\(missing.prefix(3))")
                guard isLeader else { continue }
                // It saw who took over before it ended.
                let log = stoppedLog
                #expect(log.contains("handing leadership to"), "\(log)")
                #expect(log.contains("elected leader"), "\(log)")
                #expect(!log.contains("did not take over"))
            }
        }
    }
}

/// Writers that go to another member when theirs fails them, and try the same write again there.
final class FailoverWriters: Sendable {
    struct Report: CustomStringConvertible {
        var writes = 0
        /// Attempts that came to nothing because the connection was refused or closed.
        var lostConnections = 0
        /// Attempts that were answered by an error.
        var answeredFailures: [String] = []
        /// The longest time in which one writer had no success.
        var longestGap = Duration.zero
        /// The longest time from a failed attempt to the same writer's next success.
        var longestFailure = Duration.zero

        var description: String {
            """
            \(writes) writes, \(lostConnections) lost connections, \(answeredFailures.count) error \
            answers, longest gap of a writer \(longestGap), longest time of failing writes \
            \(longestFailure) \(answeredFailures.prefix(2))
            """
        }
    }

    private let state = Mutex((report: Report(), acknowledged: Set<String>()))
    private let isStopped = Atomic(false)
    private let group = DispatchGroup()
    private let round: Int

    /// Two writers for each port, which is the first that they go to.
    init(ports: [Int], round: Int) {
        self.round = round
        for writer in 0..<2 * ports.count {
            group.enter()
            Thread.detachNewThread {
                self.write(writer, ports)
                self.group.leave()
            }
        }
    }

    var count: Int { state.withLock { $0.report.writes } }

    func stop() -> Report {
        isStopped.store(true, ordering: .relaxed)
        group.wait()
        return state.withLock { $0.report }
    }

    private func write(_ writer: Int, _ ports: [Int]) {
        var place = writer
        var client: LoopbackHTTP?
        var lastSuccess = ContinuousClock.now
        var firstFailure: ContinuousClock.Instant?
        var number = 0
        while !isStopped.load(ordering: .relaxed) {
            let key = "/rolling/\(round)/\(writer)-\(number)"
            let begun = ContinuousClock.now
            var problem: String?
            do {
                if client == nil {
                    client = try LoopbackHTTP(port: ports[place % ports.count])
                }
                let answer = try client?.request("PUT", "/v2/keys\(key)", form: "value=\(number)")
                if let answer, answer.status != 201, answer.status != 200 { problem = answer.text }
            } catch {
                client = nil
            }
            let now = ContinuousClock.now
            guard client != nil, problem == nil else {
                firstFailure = firstFailure ?? begun
                client = nil
                place += 1
                state.withLock { state in
                    if let problem {
                        state.report.answeredFailures.append(problem)
                    } else {
                        state.report.lostConnections += 1
                    }
                }
                continue
            }
            let (gap, failing) = (now - lastSuccess, firstFailure.map { now - $0 } ?? .zero)
            (lastSuccess, firstFailure) = (now, nil)
            number += 1
            state.withLock { state in
                state.report.writes += 1
                state.report.longestGap = max(state.report.longestGap, gap)
                state.report.longestFailure = max(state.report.longestFailure, failing)
                _ = state.acknowledged.insert(key)
            }
        }
    }

    /// Acknowledged keys that the member on `port` does not have.
    func missing(on port: Int) throws -> [String] {
        let answer = try LoopbackHTTP(port: port).request(
            "GET", "/v2/keys/rolling/\(round)?quorum=true")
        let nodes = answer.node["nodes"] as? [[String: Any]] ?? []
        let keys = Set(nodes.compactMap { $0["key"] as? String })
        return state.withLock { $0.acknowledged.filter { !keys.contains($0) }.sorted() }
    }
}
