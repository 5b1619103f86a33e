import GoldenSupport
import NIOPosix
import Testing

/// Exchanges recorded from etcd 2.3.8, replayed against a member in this process.
@Suite struct GoldenTests {
    /// Scenarios about what this port does not serve yet, with the issue that brings it.
    static let open: [String: String] = [
        "methods-admin": "/debug/vars, auth and /config/local/log",
        "members-errors": "changes of members", "members-update": "changes of members",
        "members-add-last": "changes of members", "members-strict": "changes of members",
        "debug-vars": "/debug/vars", "config-log": "/config/local/log",
        "cors-list": "CORS", "cors-star": "CORS", "auth-users": "auth", "auth-roles": "auth",
        "auth-enable-flow": "auth", "auth-permissions": "auth",
    ]

    static let scenarios = Result {
        try GoldenScenario.load(Fixtures.url("golden/client-v2.jsonl"))
    }

    static var served: [GoldenScenario] {
        ((try? scenarios.get()) ?? []).filter { open[$0.name] == nil }
    }

    @Test func everyScenarioIsKnown() throws {
        let names = Set(try Self.scenarios.get().map(\.name))
        #expect(names.count == 88)
        #expect(names.isSuperset(of: Self.open.keys))
    }

    @Test(arguments: served)
    func replay(scenario: GoldenScenario) throws {
        let differences = try GoldenReplay.run([scenario]) { _ in
            let node = try SingleNode(on: MultiThreadedEventLoopGroup.singleton.next())
            return GoldenServer(port: node.port, peerURL: SingleNode.peerURL) {
                try? node.stop()
            }
        }
        let wanted = try GoldenDifference.load(Fixtures.url("golden/differences.txt"))
        for difference in GoldenDifference.unexpected(differences, of: scenario, wanted) {
            Issue.record("\(difference)")
        }
    }
}
