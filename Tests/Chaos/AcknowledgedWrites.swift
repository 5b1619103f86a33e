package import Foundation
import ProcessSupport
import Synchronization

/// Writers that put each key once and note which puts were acknowledged: what a crash must not
/// take away.
///
/// Writer `w` of round `r` puts `/crash/r/w-0`, `/crash/r/w-1`, … with the value `v-r-w-n`, each on
/// its own connection, until its server fails it.
package final class AcknowledgedWrites: Sendable {
    package struct Write: Hashable, Sendable {
        package var round: Int
        package var writer: Int
        package var number: Int

        package var key: String { "/crash/\(round)/\(writer)-\(number)" }
        package var value: String { "v-\(round)-\(writer)-\(number)" }
    }

    private let acknowledged = Mutex<Set<Write>>([])
    private let isStopped = Atomic(false)

    package init() {}

    package var count: Int { acknowledged.withLock { $0.count } }
    package var all: Set<Write> { acknowledged.withLock { $0 } }

    package func of(round: Int) -> Set<Write> {
        acknowledged.withLock { $0.filter { $0.round == round } }
    }

    /// Starts one writer for each of `ports`; the group is left when all of them were failed.
    package func start(round: Int, ports: [Int]) -> DispatchGroup {
        let group = DispatchGroup()
        for (writer, port) in ports.enumerated() {
            group.enter()
            Thread.detachNewThread {
                self.write(round: round, writer: writer, port: port)
                group.leave()
            }
        }
        return group
    }

    /// Makes running writers end after the answer they wait for.
    package func stop() { isStopped.store(true, ordering: .relaxed) }
    package func resume() { isStopped.store(false, ordering: .relaxed) }

    private func write(round: Int, writer: Int, port: Int) {
        guard let client = try? LoopbackHTTP(port: port, timeout: .seconds(3)) else { return }
        for number in 0... {
            guard !isStopped.load(ordering: .relaxed) else { return }
            let write = Write(round: round, writer: writer, number: number)
            let answer = try? client.request(
                "PUT", "/v2/keys\(write.key)", form: "value=\(write.value)")
            guard let answer, answer.status == 201 else { return }
            acknowledged.withLock { _ = $0.insert(write) }
        }
    }

    /// The acknowledged writes of `round` that the server on `port` does not have as they were.
    package func missing(round: Int, port: Int) throws -> [Write] {
        let client = try LoopbackHTTP(port: port)
        let answer = try client.request("GET", "/v2/keys/crash/\(round)?quorum=true")
        let nodes = answer.node["nodes"] as? [[String: Any]] ?? []
        var values: [String: String] = [:]
        for node in nodes {
            guard let key = node["key"] as? String, let value = node["value"] as? String else {
                continue
            }
            values[key] = value
        }
        return of(round: round).filter { values[$0.key] != $0.value }
    }
}
