import Foundation
import ProcessSupport
import Testing

/// Every recorded exchange with a real etcd 2.3.8, against `kvd`.
///
/// Scenarios that need what kvd does not have yet are named in `Fixtures/golden/open.txt`, each with
/// why. One that is named there and passes fails this test, so that the list stays true.
@Suite struct GoldenTests {
    private static let folder = ProcessSupport.packageFolder.appendingPathComponent(
        "Fixtures/golden")

    @Test func allScenariosButTheOpenOnes() throws {
        let scenarios = try GoldenRecord.scenarios(
            Self.folder.appendingPathComponent("client-v2.jsonl"))
        #expect(scenarios.reduce(0) { $0 + $1.records.count } == 948)
        let open = try Self.openScenarios()
        #expect(Set(open).isSubset(of: scenarios.map(\.name)))
        for (name, records) in scenarios {
            let replay = try GoldenReplay(records)
            var failures: [String] = []
            for record in records {
                do {
                    let problems = try replay.problems(of: record)
                    failures += problems.map { "\(name) #\(record.step): \($0)" }
                } catch {
                    failures.append("\(name) #\(record.step): \(error)")
                }
                // What is open need not be played to its end.
                if open.contains(name), !failures.isEmpty { break }
            }
            if open.contains(name) {
                #expect(!failures.isEmpty, "\(name) passes: take it off open.txt")
            } else {
                #expect(failures.isEmpty, "\(failures.prefix(5).joined(separator: "\n"))")
            }
        }
    }

    private static func openScenarios() throws -> [String] {
        try String(contentsOf: folder.appendingPathComponent("open.txt"), encoding: .utf8)
            .split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { $0.split(separator: " ").first.map(String.init) }
    }
}
