import GoldenSupport
import Metrics
import RaftModel
import Synchronization
import Testing

@testable import ClientAPI

/// `/v2/status`, and what stands in it.
@Suite(.timeLimit(.minutes(2))) struct StatusTests {
    private func problems(_ port: Int) throws -> [GoldenJSON] {
        let response = try RawClient(port: port).request("GET", "/v2/status")
        #expect(response.status == 200)
        #expect(response["Content-Type"] == "application/json")
        return GoldenJSON(response.text)?["problems"]?.elements ?? []
    }

    private func names(_ port: Int) throws -> [String] {
        try problems(port).compactMap { $0["name"]?.text }
    }

    @Test func aMemberThatIsWell() throws {
        try SingleNode.with { node in
            let response = try RawClient(port: node.port).request("GET", "/v2/status")
            let status = try #require(GoldenJSON(response.text))
            #expect(status["name"]?.text == "n1")
            #expect(status["member"]?.text == status["leader"]?.text)
            #expect((status["term"]?.int ?? 0) > 0 && (status["raftIndex"]?.int ?? 0) > 0)
            #expect(status["problems"]?.elements?.isEmpty == true)
            let other = try RawClient(port: node.port).request("PUT", "/v2/status")
            #expect(other.status == 405)
        }
    }

    @Test func problemsComeAndGo() throws {
        var configuration = ClientServerConfiguration()
        configuration.connectionsMax = 10
        try SingleNode.with(configuration) { node in
            let reporter = Reporter()
            try node.onLoop { _, server in server.reporter = reporter }
            reporter.found.withLock { $0 = [Problem("slow", "it is slow", help: "wait")] }
            let slow = try #require(try problems(node.port).first)
            #expect(slow["problem"]?.text == "it is slow")
            #expect(slow["help"]?.text == "wait")
            #expect((slow["seconds"]?.int ?? -1) >= 0)
            let since = try #require(slow["since"]?.text)
            #expect(since.hasSuffix("Z") || since.contains("+"))
            // The figure changes, the beginning does not.
            reporter.found.withLock { $0 = [Problem("slow", "it is slower", help: "wait")] }
            let slower = try #require(try problems(node.port).first)
            #expect(slower["problem"]?.text == "it is slower" && slower["since"]?.text == since)
            reporter.found.withLock { $0 = [] }
            #expect(try names(node.port).isEmpty)

            var held: [RawClient] = []
            for _ in 0..<8 {
                let client = try RawClient(port: node.port)
                #expect(try client.request("GET", "/version").status == 200)
                held.append(client)
            }
            #expect(try names(node.port) == ["connections"])
            held.removeAll()
            let client = try RawClient(port: node.port)
            let body = #"{"peerURLs":["http://127.0.0.1:1"]}"#
            try client.send(
                "POST /v2/members HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            #expect(try client.response().status == 201)
            let found = try names(node.port).filter { $0 != "connections" }
            #expect(found.contains { $0.hasPrefix("not-started ") })
        }
    }

    @Test func sinceWhen() {
        var board = ProblemBoard()
        func problem(_ name: String) -> Problem { Problem(name, name, help: "") }
        board.look([problem("a")], now: 10, wall: 100)
        board.look([problem("b"), problem("a")], now: 20, wall: 200)
        #expect(board.standing.map(\.problem.name) == ["a", "b"])
        #expect(board.standing.map(\.since) == [100, 200])
        board.look([problem("b")], now: 30, wall: 300)
        board.look([problem("a"), problem("b")], now: 40, wall: 400)
        #expect(board.standing.map(\.problem.name) == ["b", "a"])
        #expect(board.standing.map(\.begun) == [20, 40])
    }
}

private final class Reporter: MemberReporter, Sendable {
    let found = Mutex<[Problem]>([])

    func peerLatencies() -> [PeerLatency] { [] }
    func problems() -> [Problem] { found.withLock { $0 } }
    func write(into page: inout MetricsPage) {}
}
