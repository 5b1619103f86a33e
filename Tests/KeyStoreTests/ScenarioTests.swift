import KeyStore
import Testing

/// The store against answers recorded from etcd 2.3.8, and against the reference where nothing
/// was recorded. The files are facts: a wrong answer is never cured by changing one.
@Suite struct ScenarioTests {
    @Test(arguments: Scenario.files())
    func answersAsRecorded(_ file: String) throws {
        let mismatches = try Scenario.run(file)
        #expect(mismatches.isEmpty, "\(mismatches.joined(separator: "\n"))")
    }

    @Test func thereAreScenarios() {
        #expect(Scenario.files().count >= 50)
    }
}
