import Foundation
import ProcessSupport
import StorageIO
import Synchronization

/// How long nobody serves writes after the leader of three was killed with `kill -9`.
package enum LeaderKills {
    /// etcd's default.
    package static let electionTimeout = Duration.milliseconds(1000)
    package static let bar = electionTimeout * 2

    /// - Returns: what there is to say at the end.
    package static func run(
        count: Int, seed: UInt64, say: (String) -> Void
    ) throws -> String {
        var random = SplitMix64(seed: seed, purpose: Chaos.Purpose.kills)
        // Without a proxy, and with etcd's own times.
        let cluster = try KvdCluster(size: 3, extra: [])
        try cluster.startAll()
        var gaps = Distribution()
        var settling = Distribution()
        for number in 1...max(1, count) {
            try cluster.waitReady()
            let leader = try leader(of: cluster)
            let survivors = cluster.members.indices.filter { $0 != leader }
            let writers = WriteProbes(ports: survivors.map { cluster.clientPorts[$0] })
            try waitUntil("writes before the kill") { writers.count > 20 }
            MachineClock.sleep(nanoseconds: random.between(0, 400) * Chaos.millisecond)
            // Its end is waited for afterwards, which takes its time.
            writers.availability.during { cluster.members[leader]?.kill(SIGKILL) }
            cluster.killNine(leader)
            try waitUntil("a new leader", within: Chaos.settlingTime) {
                writers.availability.gap != nil
            }
            guard let gap = writers.availability.gap else { preconditionFailure("waited for it") }
            writers.stop()
            gaps.add(gap)
            if gap > bar { say("kill \(number): \(gap.milliseconds) ms\n\(logs(of: cluster))") }
            if number % 20 == 0 { say("\(number) kills: \(line(gaps))") }
            let restartedAt = ClientLoad.now
            try cluster.start(leader)
            try cluster.waitReady()
            settling.add(.nanoseconds(Int64(ClientLoad.now - restartedAt)))
        }
        return """
            leader killed \(gaps.count) times: until the next acknowledged write \(line(gaps))
            until the killed one serves again: median \(settling.quantile(0.5).milliseconds) ms, max \
            \(settling.max.milliseconds) ms
            """
    }

    private static func line(_ gaps: Distribution) -> String {
        let share = Double(Int(gaps.share(within: bar) * 10_000)) / 100
        return """
            median \(gaps.quantile(0.5).milliseconds) ms, p99 \(gaps.quantile(0.99).milliseconds) ms, \
            max \(gaps.max.milliseconds) ms, within \(bar.milliseconds) ms: \(share) %
            """
    }

    /// What the survivors said around it.
    private static func logs(of cluster: KvdCluster) -> String {
        cluster.members.compactMap { $0?.log.split(separator: "\n").suffix(20) }
            .map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
    }

    private static func leader(of cluster: KvdCluster) throws -> Int {
        var found: Int?
        try waitUntil("a leader that all know", within: Chaos.settlingTime) {
            let names = Set(
                cluster.clientPorts.map {
                    try? LoopbackHTTP(port: $0).request("GET", "/v2/members/leader")
                        .json["name"] as? String
                })
            guard names.count == 1, let name = names.first ?? nil else { return false }
            found = Int(name.dropFirst()).map { $0 - 1 }
            return found != nil
        }
        guard let found else { preconditionFailure("waited for it") }
        return found
    }
}

/// Writers that hang on for a short time only, so that one is always asking anew.
private final class WriteProbes: Sendable {
    let availability = Availability()
    private let writesCount = Atomic(0)
    private let isStopped = Atomic(false)
    private let group = DispatchGroup()

    init(ports: [Int]) {
        for (number, port) in (ports + ports + ports).enumerated() {
            group.enter()
            Thread.detachNewThread { [self] in
                write(number, port)
                group.leave()
            }
        }
    }

    var count: Int { writesCount.load(ordering: .relaxed) }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        group.wait()
    }

    private func write(_ number: Int, _ port: Int) {
        var open: LoopbackHTTP?
        while !isStopped.load(ordering: .relaxed) {
            MachineClock.sleep(nanoseconds: 5 * Chaos.millisecond)
            if open == nil {
                open = try? LoopbackHTTP(port: port)
                open?.setTimeout(milliseconds: 150)
            }
            let askedAt = ClientLoad.now
            guard
                let answer = try? open?.request(
                    "PUT", "/v2/keys/probe/\(number)", form: "value=1"),
                answer.status == 200 || answer.status == 201
            else {
                open = nil
                continue
            }
            availability.acknowledged(askedAt: askedAt, answeredAt: ClientLoad.now)
            writesCount.add(1, ordering: .relaxed)
        }
    }
}
