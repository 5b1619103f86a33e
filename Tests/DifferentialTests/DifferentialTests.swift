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

@Suite(.serialized, .enabled(if: ExternalPrograms.etcd != nil, "no etcd on PATH"))
struct DifferentialTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let firstSeed = environment["KVD_SEED"].flatMap { UInt64($0) } ?? 1
    private static let requestsMin = environment["KVD_REQUESTS"].flatMap { Int($0) } ?? 100_000
    /// So many are shrunk and reported before the test gives up.
    private static let findingsMax = environment["KVD_FINDINGS"].flatMap { Int($0) } ?? 3

    /// etcd takes long for those with a password.
    private static let authRequestsMin = environment["KVD_AUTH_REQUESTS"].flatMap { Int($0) } ?? 800

    @Test func theSameRequestsHaveTheSameAnswers() throws {
        let run = try Self.compare(
            requestsMin: Self.requestsMin, statuses: [200, 201, 400, 403, 404, 405, 412]
        ) { $0.sequence() }
        guard run.findings == 0, run.requestCount >= 100_000 else { return }
        for known in KnownDifference.all {
            #expect(run.met[known.name] != nil, "never met: \(known.name) (\(known.why))")
        }
    }

    @Test func usersAndRolesMayDoTheSame() throws {
        _ = try Self.compare(
            requestsMin: Self.authRequestsMin, statuses: [200, 201, 400, 401, 403, 404, 409],
            ending: RequestGenerator.clearingAuth
        ) { $0.authSequence() }
    }

    private struct Comparison {
        var findings = 0
        var requestCount = 0
        var met: [String: Int] = [:]
    }

    /// - Parameters:
    ///   - statuses: that must be among the answers.
    ///   - ending: what follows each sequence.
    private static func compare(
        requestsMin: Int, statuses: [Int], ending: [TestRequest] = [],
        _ draw: (inout RequestGenerator) -> [TestRequest]
    ) throws -> Comparison {
        let program = try #require(ExternalPrograms.etcd)
        // What ids and times to live rest on does not depend on timeouts; short ones start sooner.
        let timing = ["--heartbeat-interval", "50", "--election-timeout", "500"]
        let etcd = try ServerUnderTest(
            KvdCluster(size: 1, extra: timing + ["--enable-v2"], executable: program))
        // 3.4 allows all origins and keeps 1000 events, if not told otherwise.
        let kvd = try ServerUnderTest(
            KvdCluster(size: 1, extra: timing + ["--cors", "*", "--history-events", "1000"]))
        var run = try DifferentialRun(etcd: etcd, kvd: kvd, ending: ending)
        var (seed, findings) = (firstSeed, 0)
        while run.requestCount < requestsMin, findings < findingsMax {
            var generator = RequestGenerator(seed: seed)
            let sequence = draw(&generator)
            if let finding = try run.play(sequence) {
                findings += 1
                Issue.record("\(try report(finding, seed, sequence, &run))")
            }
            seed += 1
        }
        print(
            "differential: \(run.requestCount) requests, seeds \(firstSeed)..<\(seed), known differences:",
            run.met.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
                separator: ", "))
        print(
            "  answers:",
            run.statuses.sorted { $0.key < $1.key }.map { "\($0.value) of \($0.key)" }.joined(
                separator: ", "))
        for status in statuses {
            #expect(findings > 0 || run.statuses[status] != nil, "no answer was \(status)")
        }
        return Comparison(findings: findings, requestCount: run.requestCount, met: run.met)
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
