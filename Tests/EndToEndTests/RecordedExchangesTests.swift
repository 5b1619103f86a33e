import Foundation
import GoldenSupport
import ProcessSupport
import Testing

/// Every recorded exchange with a real etcd 2.3.8, against `kvd`.
///
/// Where kvd answers otherwise on purpose is in `Fixtures/golden/differences.txt`, step by step.
@Suite struct RecordedExchangesTests {
    private static let folder = ProcessSupport.packageFolder.appendingPathComponent(
        "Fixtures/golden")

    @Test func allScenarios() throws {
        let scenarios = try GoldenScenario.load(
            Self.folder.appendingPathComponent("client-v2.jsonl"))
        #expect(scenarios.reduce(0) { $0 + $1.steps.count } == 948)
        let wanted = try GoldenDifference.load(
            Self.folder.appendingPathComponent("differences.txt"))
        for scenario in scenarios {
            let differences = try GoldenDifference.unexpected(
                in: scenario, wanted, start: Self.start)
            #expect(differences.isEmpty, "\(differences)")
        }
    }

    /// The recorded server keeps 1000 events for late watchers; kvd keeps more unless told.
    private static func start(_ arguments: [String]) throws -> GoldenServer {
        let cluster = try KvdCluster(
            size: 1, namePrefix: "n",
            extra: [
                "--heartbeat-interval", "20", "--election-timeout", "200", "--history-events",
                "1000",
            ] + arguments)
        try cluster.start(0)
        let peer = "http://127.0.0.1:\(cluster.peerPorts[0])"
        return GoldenServer(port: cluster.clientPorts[0], peerURL: peer) { cluster.killNine(0) }
    }
}
