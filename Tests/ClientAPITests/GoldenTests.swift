import ClientAPI
import GoldenSupport
import KVServer
import NIOPosix
import Testing

/// Exchanges recorded from etcd 2.3.8, replayed against a member in this process.
@Suite struct GoldenTests {
    static let scenarios = Result {
        try GoldenScenario.load(Fixtures.url("golden/client-v2.jsonl"))
    }

    static var all: [GoldenScenario] { (try? scenarios.get()) ?? [] }

    @Test func everyScenarioIsThere() throws {
        #expect(Set(try Self.scenarios.get().map(\.name)).count == 88)
    }

    /// What the flags of a recorded server come to here.
    private struct Flags {
        var origins: Set<String> = []
        var isStrict = false

        init(_ arguments: [String]) {
            isStrict = arguments.contains("--strict-reconfig-check")
            guard let place = arguments.firstIndex(of: "--cors") else { return }
            origins = Set(arguments[place + 1].split(separator: ",").map(String.init))
        }
    }

    @Test(arguments: all)
    func replay(scenario: GoldenScenario) throws {
        let wanted = try GoldenDifference.load(Fixtures.url("golden/differences.txt"))
        let differences = try GoldenDifference.unexpected(in: scenario, wanted) { arguments in
            let flags = Flags(arguments)
            var configuration = ClientServerConfiguration()
            configuration.allowedOrigins = flags.origins
            let node = try SingleNode(
                on: MultiThreadedEventLoopGroup.singleton.next(), configuration: configuration
            ) { engine in
                engine.refusesUnsafeReconfiguration = flags.isStrict
            }
            return GoldenServer(port: node.port, peerURL: SingleNode.peerURL) {
                try? node.stop()
            }
        }
        for difference in differences { Issue.record("\(difference)") }
    }
}
