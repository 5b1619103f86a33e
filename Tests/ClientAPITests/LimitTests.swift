import FixtureSupport
import GoldenSupport
import KVServer
import KeyStore
import Testing

@testable import ClientAPI

/// What the client port refuses, and that it goes on serving others meanwhile.
@Suite(.timeLimit(.minutes(2))) struct LimitTests {
    private func withNode(
        _ limit: (inout ClientServerConfiguration) -> Void, _ body: (SingleNode) throws -> Void
    ) throws {
        var configuration = ClientServerConfiguration()
        limit(&configuration)
        try SingleNode.with(configuration) { node in
            try body(node)
            // Whatever it was, somebody else is served.
            let other = try RawClient(port: node.port)
            #expect(try other.request("GET", "/version").status == 200)
        }
    }

    private func cause(_ response: RawClient.Response) -> String {
        GoldenJSON(response.text)?["cause"]?.text ?? "no cause in \(response.text)"
    }

    // MARK: - Sizes

    @Test func aFormOverItsLimit() throws {
        try withNode {
            $0.formBytesMax = 2000
        } _: { node in
            let client = try RawClient(port: node.port)
            let value = String(repeating: "x", count: 2000 - 6)
            #expect(try client.request("PUT", "/v2/keys/a", form: "value=" + value).status == 201)
            let over = try client.request("PUT", "/v2/keys/a", form: "value=y" + value)
            #expect(over.statusLine == "HTTP/1.1 413 Request Entity Too Large")
            #expect(
                cause(over)
                    == "the form has 2001 bytes; this member takes 2000 (--max-request-bytes)")
            try client.send(
                "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\n\r\n")
            for _ in 0..<3 { try client.send("3e8\r\n\(String(repeating: "z", count: 1000))\r\n") }
            try client.send("0\r\n\r\n")
            let chunked = try client.response()
            #expect(chunked.status == 413)
            #expect(cause(chunked).contains("more than 2000 bytes"))
            // Nothing of it was written, and the connection goes on.
            let read = try client.request("GET", "/v2/keys/a")
            #expect(read.text.contains("\"value\":\"\(value)\""))
        }
    }

    @Test func keysOverTheirLimits() throws {
        try withNode {
            ($0.keyBytesMax, $0.keyDepthMax) = (40, 5)
        } _: { node in
            let client = try RawClient(port: node.port)
            let long = "/v2/keys/" + String(repeating: "k", count: 39)
            let deep = "/v2/keys/a/b/c/d/e"
            for path in [long, deep] {
                #expect(try client.request("PUT", path, form: "value=1").status == 201)
            }
            for method in ["PUT", "POST", "DELETE"] {
                let response = try client.request(method, long + "k", form: "value=1")
                #expect(response.status == 400)
                #expect(
                    cause(response)
                        == "the key has 41 bytes; this member takes 40 (--max-key-bytes)")
            }
            let deeper = try client.request("PUT", deep + "/f", form: "value=1")
            #expect(deeper.status == 400 && cause(deeper).contains("more than 5 elements"))
            #expect(try client.request("GET", long + "k?wait=true").status == 400)
            #expect(try client.request("GET", long + "k").status == 404)
        }
    }

    @Test func moreWatchersThanThereMayBe() throws {
        try withNode {
            $0.watchersMax = 3
        } _: { node in
            var watchers: [RawClient] = []
            for _ in 0..<3 {
                let client = try RawClient(port: node.port)
                try client.send("GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try client.head().status == 200)
                watchers.append(client)
            }
            let client = try RawClient(port: node.port)
            let refused = try client.request("GET", "/v2/keys/w?wait=true")
            #expect(refused.status == 503)
            #expect(cause(refused).contains("3 watchers are there already"))
            #expect(try client.request("PUT", "/v2/keys/w", form: "value=1").status == 201)
            for watcher in watchers { #expect(try watcher.chunk() != nil) }
        }
    }

    // MARK: - Connections

    @Test func moreConnectionsThanThereMayBe() throws {
        var configuration = ClientServerConfiguration()
        configuration.connectionsMax = 3
        try SingleNode.with(configuration) { node in
            // A watch is not idle, however long it waits.
            var clients: [RawClient] = []
            for _ in 0..<3 {
                let client = try RawClient(port: node.port)
                try client.send("GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try client.head().status == 200)
                clients.append(client)
            }
            let fourth = try RawClient(port: node.port)
            let refused = try fourth.response()
            #expect(refused.statusLine == "HTTP/1.1 503 Service Unavailable")
            #expect(refused.text.contains("3 connections are open"))
            #expect(fourth.endsWithin(milliseconds: 10_000))
            clients.removeLast()
            try eventually("a place is free") {
                let next = try RawClient(port: node.port)
                try next.send("GET /version HTTP/1.1\r\nHost: h\r\n\r\n")
                return try next.response().status == 200
            }
        }
    }

    @Test func anIdleConnectionMakesRoom() throws {
        try withNode {
            ($0.connectionsMax, $0.idleBeforeEviction) = (4, .zero)
        } _: { node in
            var idle: [RawClient] = []
            for _ in 0..<40 {
                let client = try RawClient(port: node.port)
                #expect(try client.request("GET", "/version").status == 200)
                idle.append(client)
            }
            // The oldest went, the newest are there.
            #expect(idle[0].endsWithin(milliseconds: 10_000))
            #expect(try idle[39].request("GET", "/version").status == 200)
        }
    }

    // MARK: - Times

    @Test(arguments: [
        ["GET /v2/keys/a HTTP/1.1\r\n", "Host: h\r\n", "X-A: b\r\n"],
        ["G", "E", "T", " ", "/"],
        ["GET /version HTTP/1.1\r\nHost: h\r\n\r\n", "GET /ver", "sion"],
    ])
    func aHeadThatNeverEnds(_ pieces: [String]) throws {
        try withNode {
            $0.headTimeout = .milliseconds(10)
        } _: { node in
            let client = try RawClient(port: node.port)
            for piece in pieces {
                try client.send(piece)
                _ = client.isSilent(milliseconds: 20)
            }
            if pieces[0].hasSuffix("\r\n\r\n") { #expect(try client.response().status == 200) }
            let response = try client.response()
            #expect(response.statusLine == "HTTP/1.1 408 Request Timeout")
            #expect(response["Connection"] == "close")
            #expect(client.endsWithin(milliseconds: 10_000))
        }
    }

    @Test(arguments: [true, false])
    func aBodyThatNeverEnds(isPause: Bool) throws {
        try withNode {
            if isPause {
                $0.bodyPauseMax = .milliseconds(10)
            } else {
                $0.bodyTimeout = .milliseconds(10)
            }
        } _: { node in
            let client = try RawClient(port: node.port)
            try client.send(
                "PUT /v2/keys/slow HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\n\r\nvalue=1")
            #expect(try client.response().status == 408)
            #expect(client.endsWithin(milliseconds: 10_000))
            #expect(try RawClient(port: node.port).request("GET", "/v2/keys/slow").status == 404)
        }
    }

    /// Neither a watch nor a connection between two requests is in a hurry.
    @Test func whoWaitsIsLeftAlone() throws {
        try withNode {
            ($0.headTimeout, $0.bodyPauseMax) = (.milliseconds(10), .milliseconds(10))
            ($0.bodyTimeout, $0.unreadAnswerTimeout) = (.milliseconds(10), .milliseconds(10))
        } _: { node in
            let (watcher, idle) = (try RawClient(port: node.port), try RawClient(port: node.port))
            #expect(try idle.request("GET", "/version").status == 200)
            try watcher.send("GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try watcher.head().status == 200)
            // Longer than two looks of the patrol: one that was begun later has been ended.
            let slow = try RawClient(port: node.port)
            try slow.send("GET")
            #expect(try slow.response().status == 408)
            let slower = try RawClient(port: node.port)
            try slower.send("GET")
            #expect(try slower.response().status == 408)
            #expect(try idle.request("PUT", "/v2/keys/w", form: "value=1").status == 201)
            #expect(try watcher.chunk() != nil)
        }
    }

    /// What comes after a long silence has not been coming since before it.
    @Test func timeGoesOnWithoutRequests() throws {
        try withNode { _ in
        } _: { node in
            let before = try node.onLoop { _, server in server.loopTime }
            try eventually("a tick") { try node.onLoop { _, server in server.loopTime } > before }
        }
    }

    @Test func anAnswerThatNobodyTakes() throws {
        try withNode {
            ($0.unsentBytesMax, $0.unreadAnswerTimeout) = (64 << 10, .milliseconds(10))
        } _: {
            node in
            let client = try RawClient(port: node.port)
            let value = String(repeating: "v", count: 4 << 20)
            #expect(try client.request("PUT", "/v2/keys/big", form: "value=" + value).status == 201)
            try client.send(
                String(repeating: "GET /v2/keys/big HTTP/1.1\r\nHost: h\r\n\r\n", count: 40))
            try eventually("the connection is cut") {
                let page = try RawClient(port: node.port).request("GET", "/metrics").text
                return page.contains("kvd_client_answers_cut_total 1")
            }
            #expect(client.endsWithin(milliseconds: 10_000))
            // The requests came at once; the answers were not all made for nobody.
            let reads = try node.onLoop { engine, _ in engine.store.statistics.getsSuccess }
            #expect(reads < 20)
        }
    }

    private func eventually(_ what: String, _ condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(30)
        while !((try? condition()) ?? false) {
            guard ContinuousClock.now < end else { throw GoldenFailure("never: \(what)") }
        }
    }

    // MARK: - Requests that two readers could read differently

    @Test(arguments: try HTTPFixture.smuggling())
    func isRefused(_ bytes: String) throws {
        try withNode { _ in
        } _: { node in
            let client = try RawClient(port: node.port)
            try client.send(bytes)
            client.endInput()
            let response = try client.response()
            #expect(response.status == 400, "\(response.statusLine)")
            #expect(response["Connection"] == "close")
            // One answer, and the end: what lies behind it was not read as a request.
            #expect(try client.rest().isEmpty)
            #expect(
                try RawClient(port: node.port).request("GET", "/v2/keys/smuggled").status == 404)
        }
    }
}
