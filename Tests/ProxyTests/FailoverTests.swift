import ClientAPI
import Cluster
import NIOCore
import Testing

@testable import Proxy

/// Members that are not there, or go.
@Suite(.timeLimit(.minutes(3))) struct FailoverTests {
    private let nobody = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)

    @Test(arguments: ["GET", "PUT"])
    func theNextOneIsTried(_ method: String) async throws {
        let member = try await FakeMember.answering("here")
        let proxy = try await TestProxy.start([nobody, member.url])
        let answer = try await proxy.ask(
            "\(method) / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        #expect(answer.hasSuffix("here"))
        let shown = try await proxy.get("/v2/config/local/proxy")
        #expect(shown.hasSuffix("{\"endpoints\":[\"\(member.url)\"]}\n"), "the other rests")
        try await proxy.stop()
    }

    @Test func aReadIsAskedOfTheNextIfTheFirstDoesNotAnswer() async throws {
        let deaf = try await FakeMember.start { _ in .close }
        let member = try await FakeMember.answering("here")
        let proxy = try await TestProxy.start([deaf.url, member.url])
        #expect(try await proxy.get("/v2/keys/a").hasSuffix("here"))
        #expect(deaf.requests.count == 1)
        try await proxy.stop()
    }

    @Test func aWriteIsNot() async throws {
        let deaf = try await FakeMember.start { _ in .close }
        let member = try await FakeMember.answering("here")
        let proxy = try await TestProxy.start([deaf.url, member.url])
        let answer = try await proxy.ask(
            "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
        #expect(answer.contains("proxy: unable to get response from 1 endpoint(s): \(deaf.url)"))
        #expect(answer.contains("may have been carried out"))
        #expect(member.requests.isEmpty)
        // The next one finds the one that works.
        #expect(try await proxy.get("/").hasSuffix("here"))
        try await proxy.stop()
    }

    @Test func nobodyCanBeReached() async throws {
        let other = EndpointURL(scheme: .http, host: "127.0.0.1", port: 2)
        let proxy = try await TestProxy.start([nobody, other])
        let first = try await proxy.get("/")
        #expect(first.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(first.contains("Retry-After: 1\r\n"))
        #expect(first.contains("{\"message\":\"proxy: unable to get response from 2 endpoint(s)"))
        #expect(first.contains("\(nobody): connection refused"))
        #expect(first.contains("\(other): connection refused"))
        // Now both rest.
        let second = try await proxy.get("/")
        #expect(second.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(second.contains("proxy: "))
        try await proxy.stop()
    }

    @Test func noEndpointIsKnown() async throws {
        let proxy = try await TestProxy.start([]) { $0.seeds = [nobody] }
        var answer = ""
        let deadline = ContinuousClock.now + .seconds(20)
        while !answer.contains("connection refused"), ContinuousClock.now < deadline {
            answer = try await proxy.get("/")
        }
        #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(answer.contains("proxy: zero endpoints currently available"))
        #expect(answer.contains("\(nobody)"), "whom it has asked")
        try await proxy.stop()
    }

    @Test func anIdleConnectionThatEndedIsNoFailure() async throws {
        let member = try await FakeMember.answering("here")
        let proxy = try await TestProxy.start([member.url])
        for round in 1...3 {
            let answer = try await proxy.ask(
                "PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            #expect(answer.hasSuffix("here"))
            #expect(member.connectionsCount == round)
            await member.hangUp()
            try await eventually("the proxy has seen it") { member.openCount == 0 }
            var open = 1
            let deadline = ContinuousClock.now + .seconds(20)
            while open > 0, ContinuousClock.now < deadline {
                open = try await proxy.memberConnections()
            }
        }
        try await proxy.stop()
    }

    @Test func aMemberThatTakesTooLong() async throws {
        let silent = try await FakeMember.start { _ in .nothing }
        let member = try await FakeMember.answering("here")
        let proxy = try await TestProxy.start([silent.url, member.url]) {
            $0.readTimeout = .milliseconds(500)
        }
        // On a busy machine the other one may take too long, too, at first.
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !proxy.get("/").hasSuffix("here") {
            try #require(ContinuousClock.now < deadline)
        }
        #expect(!silent.requests.isEmpty, "it was tried first")
        try await proxy.stop()
    }

    @Test func aMemberThatTakesNothing() async throws {
        let stuck = try await FakeMember.start(reads: false) { _ in nil }
        let proxy = try await TestProxy.start([stuck.url]) {
            $0.writeTimeout = .milliseconds(100)
        }
        let client = try await proxy.client()
        let size = 64 << 20
        try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
        client.channel.writeAndFlush(
            ByteBuffer(repeating: UInt8(ascii: "x"), count: size), promise: nil)
        try await client.waitFor("--proxy-write-timeout")
        #expect(client.text.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
        try await proxy.stop()
    }

    @Test func oneThatIsFullSaysSo() async throws {
        let member = try await FakeMember.start { _ in .nothing }
        let proxy = try await TestProxy.start([member.url]) { $0.port.connectionsMax = 2 }
        let waiting = [try await proxy.client(), try await proxy.client()]
        for client in waiting { try await client.get("/?wait=true") }
        try await eventually("both are there") { member.requests.count == 2 }
        let third = try await proxy.client()
        try await third.waitFor("--max-connections")
        #expect(third.text.hasPrefix("HTTP/1.1 503"))
        await waiting[0].close()
        try await eventually("one is left") { member.openCount == 1 }
        try await proxy.stop()
    }

    @Test func onlyReading() async throws {
        let member = try await FakeMember.answering("here")
        let proxy = try await TestProxy.start([member.url]) { $0.isReadOnly = true }
        #expect(try await proxy.get("/v2/keys/a").hasSuffix("here"))
        for method in ["PUT", "POST", "DELETE", "HEAD", "OPTIONS", "FOO"] {
            let answer = try await proxy.ask(
                "\(method) /v2/keys/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 501 Not Implemented\r\n"), "\(method)")
            #expect(answer.hasSuffix("\r\n\r\n"), "no body")
        }
        #expect(member.requests.count == 1)
        try await proxy.stop()
    }

    @Test func itsOwnPages() async throws {
        let proxy = try await TestProxy.start([nobody]) { $0.port.allowedOrigins = ["http://o"] }
        #expect(
            try await proxy.get("/v2/config/local/proxy").hasSuffix(
                "{\"endpoints\":[\"\(nobody)\"]}\n"))
        let put = try await proxy.ask(
            "PUT /v2/config/local/proxy HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(put.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
        #expect(put.contains("Allow: GET\r\n"))
        let options = try await proxy.ask(
            "OPTIONS /v2/keys HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\nConnection: close\r\n\r\n")
        #expect(options.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(options.contains("Access-Control-Allow-Origin: http://o\r\n"))
        let unknown = try await proxy.ask(
            "FOO /v2/members HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\n\r\n")
        #expect(unknown.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
        #expect(unknown.contains("Allow: GET,POST,DELETE,PUT\r\n"))
        #expect(unknown.contains("Access-Control-Allow-Origin: http://o\r\n"))
        _ = try await proxy.get("/v2/keys")
        let metrics = try await proxy.get("/metrics")
        #expect(metrics.contains("etcd_proxy_requests_total{method=\"GET\"} 3\n"))
        #expect(
            metrics.contains(
                "etcd_proxy_dropped_total{method=\"GET\",proxying_error=\"failed_sending_request\"} 1\n"
            ))
        #expect(try await proxy.ask("GET / HTTP/1.1\r\n\r\n").contains("missing required Host"))
        try await proxy.stop()
    }

    /// Two proxies that take each other for members.
    @Test func aLoopIsFound() async throws {
        let first = try await TestProxy.start([])
        let second = try await TestProxy.start([first.url])
        let third = try await TestProxy.start([second.url])
        await first.learn([third.url])
        let answer = try await third.get("/v2/keys")
        #expect(answer.hasPrefix("HTTP/1.1 508 Loop Detected\r\n"))
        for proxy in [first, second, third] { try await proxy.stop() }
    }

    /// Itself by a name that it does not know as its own; here: another proxy that leads back.
    @Test func whoLeadsBackIsPassedOver() async throws {
        let member = try await FakeMember.answering("here")
        let back = try await TestProxy.start([])
        let proxy = try await TestProxy.start([back.url, member.url])
        await back.learn([proxy.url])
        #expect(try await proxy.get("/v2/keys").hasSuffix("here"))
        let shown = try await proxy.get("/v2/config/local/proxy")
        #expect(shown.hasSuffix("{\"endpoints\":[\"\(member.url)\"]}\n"), "it rests")
        #expect(
            try await proxy.ask(
                "PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            ).hasSuffix("here"))
        for proxy in [back, proxy] { try await proxy.stop() }
    }

    @Test func itNeverKnowsItself() async throws {
        let member = try await FakeMember.answering("here")
        let proxy = try await TestProxy.start([member.url])
        await proxy.learn([proxy.url, member.url])
        let shown = try await proxy.get("/v2/config/local/proxy")
        #expect(shown.hasSuffix("{\"endpoints\":[\"\(member.url)\"]}\n"))
        try await proxy.stop()
    }
}
