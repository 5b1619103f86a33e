import Foundation
import ProcessSupport

/// One run, from start to verdict. Used by one thread.
package final class SoakRun {
    package struct Options: Sendable {
        package var members = 1
        package var duration = Duration.seconds(3600)
        package var sampleEvery = Duration.seconds(3)
        package var restartEvery = Duration.seconds(45)
        package var seed: UInt64 = 1

        package init() {}
    }

    private let options: Options
    private let say: (String) -> Void
    private let cluster: KvdCluster
    private let begun = ContinuousClock.now
    package private(set) var restartCount = 0
    package private(set) var requestCount = 0
    /// Of each member.
    package private(set) var samples: [[Sample]]

    /// A history that a short run fills too: what grows later grows for another reason.
    package static let flags = [
        "--history-events", "2000", "--heartbeat-interval", "50", "--election-timeout", "500",
    ]

    package init(_ options: Options, say: @escaping (String) -> Void) throws {
        (self.options, self.say) = (options, say)
        cluster = try KvdCluster(size: options.members, extra: Self.flags)
        samples = Array(repeating: [], count: options.members)
    }

    /// Throws `Soak.Failed` if a member did not do what it has to.
    package func run() throws -> Verdict {
        try cluster.startAll()
        try cluster.waitReady()
        let load = SoakLoad(ports: cluster.clientPorts)
        load.start(clients: 3, watchers: 6, seed: options.seed)
        defer { load.stop() }
        try carryOn()
        load.stop()
        requestCount = load.successCount
        say("\(restartCount) restarts; \(load.summary)")
        for n in cluster.members.indices { try lookAtLog(n) }
        let end = options.duration / .seconds(1)
        return Verdict(
            leftAlone: samples[judged], restarted: Array(samples[..<judged]),
            secondHalfFrom: end / 2, to: end)
    }

    /// The member that is left alone in the second half.
    private var judged: Int { cluster.members.count - 1 }

    private func carryOn() throws {
        var (nextSample, nextRestart) = (begun, begun + options.restartEvery)
        var lastSaid = 0
        while case let now = ContinuousClock.now, now - begun < options.duration {
            if now >= nextSample {
                nextSample = now + options.sampleEvery
                try sample(now)
            }
            if now >= nextRestart {
                nextRestart = now + options.restartEvery
                try restart(now)
            }
            let minute = Int((now - begun) / .seconds(60))
            if minute > lastSaid {
                lastSaid = minute
                sayWhere(minute)
            }
            usleep(50_000)
        }
    }

    private func sample(_ now: ContinuousClock.Instant) throws {
        for n in cluster.members.indices {
            guard let process = cluster.members[n], process.isRunning else {
                throw Soak.Failed(description: "member \(n + 1) has ended:\n\(tail(n))")
            }
            let sample = try Sample.take(
                of: process.processID, dataDirectory: cluster.folder.path("m\(n + 1).etcd"),
                seconds: (now - begun) / .seconds(1))
            if let name = sample.brokenSnapshot {
                throw Soak.Failed(
                    description: "member \(n + 1) cannot read its own snapshot \(name):\n\(tail(n))"
                )
            }
            samples[n].append(sample)
        }
    }

    /// SIGTERM and kill -9 in turn, one member after the other.
    private func restart(_ now: ContinuousClock.Instant) throws {
        let isFirstQuarter = now - begun < options.duration / 4
        let candidates = isFirstQuarter ? cluster.members.count : cluster.members.count - 1
        guard candidates > 0 else { return }
        let n = restartCount % candidates
        // Each member gets both, whatever their number.
        let isKill = (restartCount + restartCount / candidates) % 2 == 1
        cluster.members[n]?.kill(isKill ? SIGKILL : SIGTERM)
        let status = cluster.members[n]?.wait() ?? 0
        let expected = isKill ? -SIGKILL : -SIGTERM
        guard status == expected else {
            throw Soak.Failed(description: "member \(n + 1) ended with \(status):\n\(tail(n))")
        }
        try lookAtLog(n)
        try cluster.start(n)
        try cluster.members[n]?.waitReady()
        restartCount += 1
    }

    private func lookAtLog(_ n: Int) throws {
        let log = cluster.members[n]?.log ?? ""
        for word in ["Fatal error", "Precondition failed", "Assertion failed", " C | "]
        where log.contains(word) {
            throw Soak.Failed(description: "\(word) in the log of member \(n + 1):\n\(tail(n))")
        }
    }

    private func tail(_ n: Int) -> String {
        (cluster.members[n]?.log ?? "").split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    private func sayWhere(_ minute: Int) {
        let figures = samples.compactMap(\.last).map {
            "\(Verdict.short(Double($0.footprint.residentBytes) / 1_048_576)) MiB, "
                + "\($0.footprint.descriptorCount) fds, \($0.footprint.threadCount) threads, "
                + "\(Verdict.short($0.diskMegabytes)) MB on disk"
        }
        say("\(minute) min: \(figures.joined(separator: "; "))")
    }
}
