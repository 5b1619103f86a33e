import ClientAPI
import GoldenSupport
import KVServer
import KeyStore
import NIOCore
import NIOPosix
import Testing

/// Watches over loopback sockets.
@Suite struct WatchTests {
    private func withNode(
        _ configuration: ClientServerConfiguration = ClientServerConfiguration(),
        _ body: (SingleNode, RawClient) throws -> Void
    ) throws {
        try SingleNode.with(configuration) { try body($0, RawClient(port: $0.port)) }
    }

    private func get(_ target: String, version: String = "1.1") -> String {
        "GET \(target) HTTP/\(version)\r\nHost: h\r\n\r\n"
    }

    /// Waits until the store has so many watchers.
    private func waitForWatchers(_ count: UInt64, _ node: SingleNode) throws {
        for _ in 0..<100_000 {
            let watchers = try node.onLoop { engine, _ in engine.store.statistics.watchers }
            if watchers == count { return }
        }
        Issue.record("the store never has \(count) watchers")
    }

    @Test func headersComeBeforeTheEventAndTheConnectionGoesOn() throws {
        try withNode { node, writer in
            let watcher = try RawClient(port: node.port)
            try watcher.send(get("/v2/keys/w?wait=true") + get("/v2/keys/w"))
            let head = try watcher.head()
            #expect(head.status == 200)
            #expect(head["Transfer-Encoding"] == "chunked")
            #expect(head["Content-Length"] == nil)
            #expect(watcher.isSilent(milliseconds: 50))
            let written = try writer.request("PUT", "/v2/keys/w", form: "value=1")
            #expect(try watcher.chunk() == written.body)
            #expect(try watcher.chunk() == nil)
            // The pipelined read came after the watch.
            #expect(try watcher.response().text.contains(#""action":"get""#))
            try waitForWatchers(0, node)
        }
    }

    /// They are told in portions; each of them still sees everything once and in order.
    @Test func manyWatchersAreToldInTurn() throws {
        try withNode { node, writer in
            let watchers = try (0..<300).map { n in
                let watcher = try RawClient(port: node.port)
                let stream = n % 3 == 0 ? "" : "&stream=true"
                try watcher.send(get("/v2/keys/m?wait=true&recursive=true" + stream))
                _ = try watcher.head()
                return watcher
            }
            let written = try (0..<20).map { round in
                try writer.request("PUT", "/v2/keys/m/\(round)", form: "value=\(round)").body
            }
            for (n, watcher) in watchers.enumerated() {
                if n % 3 == 0 {
                    #expect(try watcher.chunk() == written[0])
                    #expect(try watcher.chunk() == nil)
                } else {
                    for body in written { #expect(try watcher.chunk() == body) }
                }
            }
        }
    }

    /// Who waits for its turn when the member stops is told before the end.
    @Test func theEndWaitsForThoseThatAreToBeTold() throws {
        let node = try SingleNode(on: MultiThreadedEventLoopGroup.singleton.next())
        try Readiness.wait(node.port)
        let watchers = try (0..<300).map { _ in
            let watcher = try RawClient(port: node.port)
            try watcher.send(get("/v2/keys/m?wait=true&stream=true"))
            _ = try watcher.head()
            return watcher
        }
        let written = try RawClient(port: node.port).request("PUT", "/v2/keys/m", form: "value=1")
        try node.stop()
        for watcher in watchers { #expect(try watcher.chunk() == written.body) }
    }

    @Test func streamsGoOn() throws {
        try withNode { node, writer in
            let watcher = try RawClient(port: node.port)
            try watcher.send(get("/v2/keys/s?wait=true&stream=true&recursive=true"))
            _ = try watcher.head()
            for round in 0..<50 {
                let written = try writer.request(
                    "PUT", "/v2/keys/s/\(round % 7)", form: "value=\(round)")
                #expect(try watcher.chunk() == written.body)
            }
        }
    }

    @Test func manyWatchersGetTheSameBytes() throws {
        try withNode { node, writer in
            let kinds = ["wait=true", "wait=true&stream=true", "wait=true&recursive=true"]
            let watchers = try (0..<30).map { _ in try RawClient(port: node.port) }
            for (index, watcher) in watchers.enumerated() {
                try watcher.send(get("/v2/keys/m?\(kinds[index % 3])"))
                _ = try watcher.head()
            }
            let written = try writer.request("PUT", "/v2/keys/m", form: "value=1")
            for watcher in watchers { #expect(try watcher.chunk() == written.body) }
            try waitForWatchers(10, node)
        }
    }

    @Test func historyIsAnsweredAtOnce() throws {
        try withNode { node, client in
            let first = try client.request("PUT", "/v2/keys/h", form: "value=1")
            let second = try client.request("PUT", "/v2/keys/h", form: "value=2")
            let index = try #require(first["X-Etcd-Index"])
            let past = try client.request("GET", "/v2/keys/h?wait=true&waitIndex=\(index)")
            #expect(past.body == first.body)
            #expect(past["X-Etcd-Index"] == second["X-Etcd-Index"])
        }
    }

    @Test func http10WatchersGetThePlainEvent() throws {
        try withNode { node, writer in
            let watcher = try RawClient(port: node.port)
            try watcher.send(get("/v2/keys/o?wait=true", version: "1.0"))
            let head = try watcher.head()
            #expect(head["Transfer-Encoding"] == nil)
            let written = try writer.request("PUT", "/v2/keys/o", form: "value=1")
            #expect(try watcher.rest() == written.body)
        }
    }

    @Test func hangingUpCancels() throws {
        try withNode { node, _ in
            var watchers: [RawClient] = []
            for _ in 0..<10 {
                let watcher = try RawClient(port: node.port)
                try watcher.send(get("/v2/keys/x?wait=true"))
                _ = try watcher.head()
                watchers.append(watcher)
            }
            try waitForWatchers(10, node)
            watchers[0].endInput()
            watchers.removeLast(5)
            try waitForWatchers(4, node)
        }
    }

    @Test func stoppingEndsWatchesAndConnections() throws {
        try withNode { node, _ in
            let poll = try RawClient(port: node.port)
            try poll.send(get("/v2/keys/x?wait=true"))
            _ = try poll.head()
            let stream = try RawClient(port: node.port)
            try stream.send(get("/v2/keys/x?wait=true&stream=true"))
            _ = try stream.head()
            let idle = try RawClient(port: node.port)
            _ = try idle.request("GET", "/version")
            try node.onLoop { _, server in server.stop() }
            #expect(try poll.chunk() == nil)
            #expect(try stream.chunk() == nil)
            for client in [poll, stream, idle] {
                #expect(client.endsWithin(milliseconds: 5000))
            }
            try waitForWatchers(0, node)
        }
    }

    /// What may wait for it is more than what may wait of a pipeline's answers.
    @Test func aStreamMayBeBehind() throws {
        var configuration = ClientServerConfiguration()
        (configuration.pipelinedBytesMax, configuration.unsentBytesMax) = (1024, 64 << 20)
        configuration.unreadAnswerTimeout = .milliseconds(10)
        try withNode(configuration) { node, writer in
            let slow = try RawClient(port: node.port)
            try slow.send(get("/v2/keys/big?wait=true&stream=true"))
            _ = try slow.head()
            // More than the sockets' own buffers take.
            let value = String(repeating: "v", count: 1 << 20)
            for _ in 0..<20 {
                #expect(
                    try writer.request("PUT", "/v2/keys/big", form: "value=\(value)").status < 300)
            }
            for _ in 0..<20 { #expect(try slow.chunk()?.count ?? 0 > 1 << 20) }
        }
    }

    @Test func aStreamThatIsNotReadIsCutOff() throws {
        var configuration = ClientServerConfiguration()
        configuration.unsentBytesMax = 64 << 10
        try withNode(configuration) { node, writer in
            let slow = try RawClient(port: node.port)
            try slow.send(get("/v2/keys/big?wait=true&stream=true"))
            _ = try slow.head()
            // Far more than the sockets' own buffers take.
            let value = String(repeating: "v", count: 1 << 20)
            var rounds = 0
            while try node.onLoop({ engine, _ in engine.store.statistics.watchers }) > 0 {
                _ = try writer.request("PUT", "/v2/keys/big", form: "value=\(value)")
                rounds += 1
                if rounds > 100 { break }
            }
            #expect(rounds <= 100)
        }
    }
}
