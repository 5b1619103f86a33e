/// kvd beside a real etcd 3.4 with its v2 API (`--enable-v2`): the same random requests to both, over
/// raw sockets, and every answer compared.
///
///     RequestGenerator ─▶ DifferentialRun ─▶ ServerUnderTest ×2
///                               │
///                               ▼
///                        AnswerComparison ─▶ KnownDifference     else: SequenceShrinker
///
/// The reference for kvd is etcd 2.3.8. What 3.4 does otherwise stands in `KnownDifference.all`.
///
/// `KVD_SEED` and `KVD_REQUESTS` choose another beginning and length than CI's; `ETCD_BIN` another etcd
/// than the one on PATH. Without an etcd there is nothing to compare with, and the test is passed over.
import Foundation
import ProcessSupport
import Testing

@Suite(.enabled(if: ExternalPrograms.etcd != nil, "no etcd on PATH")) struct DifferentialTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let firstSeed = environment["KVD_SEED"].flatMap { UInt64($0) } ?? 1
    private static let requestsMin = environment["KVD_REQUESTS"].flatMap { Int($0) } ?? 100_000
    /// So many are shrunk and reported before the test gives up.
    private static let findingsMax = environment["KVD_FINDINGS"].flatMap { Int($0) } ?? 3

    @Test func theSameRequestsHaveTheSameAnswers() throws {
        let program = try #require(ExternalPrograms.etcd)
        // What ids and times to live rest on does not depend on timeouts; short ones start sooner.
        let timing = ["--heartbeat-interval", "50", "--election-timeout", "500"]
        let etcd = try ServerUnderTest(
            KvdCluster(size: 1, extra: timing + ["--enable-v2"], executable: program))
        // 3.4 allows all origins and keeps 1000 events, if not told otherwise.
        let kvd = try ServerUnderTest(
            KvdCluster(size: 1, extra: timing + ["--cors", "*", "--history-events", "1000"]))
        var run = try DifferentialRun(etcd: etcd, kvd: kvd)
        var (seed, findings) = (Self.firstSeed, 0)
        while run.requestCount < Self.requestsMin, findings < Self.findingsMax {
            var generator = RequestGenerator(seed: seed)
            let sequence = generator.sequence()
            if let finding = try run.play(sequence) {
                findings += 1
                Issue.record("\(try Self.report(finding, seed, sequence, &run))")
            }
            seed += 1
        }
        print(
            "differential: \(run.requestCount) requests, seeds \(Self.firstSeed)..<\(seed), known differences:",
            run.met.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
                separator: ", "))
        guard findings == 0, run.requestCount >= 100_000 else { return }
        for known in KnownDifference.all {
            #expect(run.met[known.name] != nil, "never met: \(known.name) (\(known.why))")
        }
    }

    /// The finding in as few requests as show it.
    private static func report(
        _ finding: DifferentialRun.Finding, _ seed: UInt64, _ sequence: [TestRequest],
        _ run: inout DifferentialRun
    ) throws -> String {
        var smallest = finding
        var current = run
        var shrinker = SequenceShrinker { candidate in
            guard let found = try current.play(candidate) else { return false }
            smallest = found
            return true
        }
        _ = try shrinker.shrink(sequence)
        run = current
        return """
            \(smallest.request): \(smallest.problems.joined(separator: ", ")); again with KVD_SEED=\(seed)
            I=$(curl -si "$URL/v2/keys/_pad" -XPUT | sed -n 's/^X-Etcd-Index: \\([0-9]*\\).*/\\1/p')
            \(smallest.curls.joined(separator: "\n"))
            etcd: \(smallest.etcd)
            kvd:  \(smallest.kvd)

            """
    }
}
