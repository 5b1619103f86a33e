import Foundation
import Histories
import ProcessSupport
import StorageIO

/// Rounds of faults on clusters of three and five, judged after each.
package final class ChaosRun {
    package struct Options: Sendable {
        package var seed: UInt64
        /// Of each cluster in turn.
        package var sizes = [3, 5]
        package var roundsPerCluster = 6
        /// Enough when the time is over or the rounds are done, whichever comes first.
        package var rounds = Int.max
        package var seconds = Int.max
        package var clients = 6
        package var keys = 4

        package init(seed: UInt64) { self.seed = seed }
    }

    package struct Report: Sendable {
        package var rounds = 0
        package var operations = 0
        package var unknown = 0
        package var histories = 0
        /// Until the next write was acknowledged, by the kind of the fault.
        package var gaps: [String: Distribution] = [:]
        /// The longest time of a round without one.
        package var silences: [String: Distribution] = [:]
        /// What was not done, and why.
        package var skipped: Set<String> = []
    }

    let options: Options
    package private(set) var report = Report()
    private var faults: SplitMix64
    private let say: (String) -> Void

    /// - Parameter say: takes a line for each round.
    package init(_ options: Options, say: @escaping (String) -> Void) {
        (self.options, self.say) = (options, say)
        faults = SplitMix64(seed: options.seed, purpose: Chaos.Purpose.faults)
    }

    package func run() throws {
        let started = MachineClock.monotonicNanoseconds
        func isOver() -> Bool {
            let seconds = (MachineClock.monotonicNanoseconds - started) / Chaos.second
            return report.rounds >= options.rounds || seconds >= Int64(options.seconds)
        }
        var clusters = 0
        while !isOver() {
            let size = options.sizes[clusters % options.sizes.count]
            clusters += 1
            let cluster = try ChaosCluster(size: size, hasSmallDisk: true)
            if cluster.smallDisk == nil { skipDisks() }
            do {
                try cluster.startAll()
                for _ in 0..<options.roundsPerCluster where !isOver() { try round(cluster) }
            } catch {
                cluster.folder.isKept = true
                throw ChaosFailure(
                    """
                    \(error)
                    seed \(options.seed), round \(report.rounds + 1); data dirs and logs are kept in \
                    \(cluster.folder.url.path)
                    """)
            }
        }
    }

    /// What has to be undone when the process is ended from outside.
    package static func unmountAll() { SmallDisk.unmountAll() }

    private func skipDisks() {
        guard report.skipped.insert("full disks").inserted else { return }
        say("SKIPPED: full disks, as no tmpfs can be mounted here (that takes root)")
    }

    /// Load, a fault, its end, rest, judgement.
    private func round(_ cluster: ChaosCluster) throws {
        let fault = ChaosFault.draw(&faults, hasSmallDisk: cluster.smallDisk != nil)
        let number = report.rounds + 1
        let size = cluster.members.count
        let folder = "/chaos/\(number)"
        let load = ClientLoad(
            HistoryBook(folder: folder, keys: options.keys), clients: options.clients,
            ports: cluster.members.map(\.clientPort), seed: options.seed &+ UInt64(number) << 20)
        var random = SplitMix64(seed: faults.next())
        let note: String
        do {
            try cluster.wait("load") { load.counts.operations > 50 }
            note = try FaultInjection(cluster: cluster, load: load).run(fault, &random)
            try mend(cluster)
            // What was found out under way is known before the clients stop.
            try cluster.wait("the next acknowledged write") { load.availability.gap != nil }
        } catch {
            _ = try? load.stop()
            throw ChaosFailure("\(fault): \(error)")
        }
        let counts = try load.stop()
        let restedAt = MachineClock.monotonicNanoseconds
        try cluster.waitUntilEqual()
        let rest = MachineClock.monotonicNanoseconds - restedAt
        try Judgement.judge(load.book, cluster)
        let gap = load.availability.gap ?? .zero
        let silence = load.availability.longestSilence
        report.rounds += 1
        report.operations += counts.operations
        report.unknown += counts.unknown
        report.histories += load.book.all.count
        report.gaps[fault.kind, default: Distribution()].add(gap)
        report.silences[fault.kind, default: Distribution()].add(silence)
        say(
            """
            round \(number), \(size) members: \(fault.kind)\(note): next write after \
            \(gap.milliseconds) ms, longest wait \(silence.milliseconds) ms; \
            \(counts.operations) operations, \(counts.unknown) without an \
            answer; equal after \(rest / Chaos.millisecond) ms
            """)
    }

    /// Everything that was done is undone.
    private func mend(_ cluster: ChaosCluster) throws {
        cluster.proxy.set([:])
        for member in cluster.members where member.isPaused { member.resume() }
        cluster.smallDisk?.empty()
        for member in cluster.members where member.process == nil { try cluster.start(member) }
        try cluster.waitUntilAllServe()
    }

    /// What there is to say at the end.
    package var summary: String {
        var lines = [
            """
            \(report.rounds) rounds, \(report.operations) operations (\(report.unknown) without an \
            answer), \(report.histories) keys: all linearizable, none lost, all members equal
            """,
            "acknowledged writes, in ms:                       the next     longest wait",
            "                                          rounds  median     max  median     max",
        ]
        for (kind, gaps) in report.gaps.sorted(by: { $0.key < $1.key }) {
            let silences = report.silences[kind] ?? Distribution()
            let name = kind.padding(toLength: 40, withPad: " ", startingAt: 0)
            let figures =
                [gaps.count]
                + [gaps, silences].flatMap {
                    [$0.quantile(0.5).milliseconds, $0.max.milliseconds]
                }
            lines.append("  \(name)" + figures.map { Self.right("\($0)", 8) }.joined())
        }
        return lines.joined(separator: "\n")
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
