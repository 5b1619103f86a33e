import Cluster
import NIOCore
import Testing

@testable import Proxy

/// Requests through a proxy, with members that do as a test says.
@Suite(.timeLimit(.minutes(3))) struct ForwardingTests {
    private let nobody = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)

    @Test func aRequestAndItsAnswerGoThrough() async throws {
        let member = try await FakeMember.start { request in
            guard request.hasSuffix("value=1") else { return nil }
            return .text(
                "HTTP/1.1 201 Created\r\nX-Etcd-Index: 9\r\nContent-Length: 2\r\n\r\n{}")
        }
        let proxy = try await TestProxy.start([member.url])
        let answer = try await proxy.ask(
            """
            PUT /v2/keys/a%20b?prevExist=false HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
            X-Forwarded-For: 1.2.3.4\r\nContent-Length: 7\r\n\r\nvalue=1
            """)
        #expect(answer.hasPrefix("HTTP/1.1 201 Created\r\n"))
        #expect(answer.contains("X-Etcd-Index: 9\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n{}"))
        let request = try #require(member.requests.first)
        #expect(request.hasPrefix("PUT /v2/keys/a%20b?prevExist=false HTTP/1.1\r\n"))
        #expect(request.contains("X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n"))
        #expect(!request.lowercased().contains("connection:"))
        try await proxy.stop()
    }

    @Test func aWatchIsToldAtOnce() async throws {
        let member = try await FakeMember.start { _ in
            .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        }
        let proxy = try await TestProxy.start([member.url])
        let client = try await proxy.client()
        try await client.get("/v2/keys/a?wait=true&stream=true&recursive=true")
        // The head alone, then each event: the answer does not end.
        try await client.waitFor("200 OK")
        for event in ["first", "second", "third"] {
            member.push("\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n")
            try await client.waitFor("\r\n\(event)\r\n")
        }
        #expect(!client.isClosed)
        // Whoever goes away ends the request at the member, too.
        await client.close()
        try await eventually("the member is left") { member.openCount == 0 }
        try await proxy.stop()
    }

    @Test func halfAHangUpEndsAWatchButNotAnAnswer() async throws {
        let member = try await FakeMember.start { request in
            request.contains("wait=true")
                ? .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") : .nothing
        }
        let proxy = try await TestProxy.start([member.url])
        let watcher = try await proxy.client()
        try await watcher.get("/v2/keys/a?wait=true")
        try await watcher.waitFor("200 OK")
        try await watcher.endOutput()
        try await watcher.waitForEnd()
        let reader = try await proxy.client()
        try await reader.get("/v2/keys/a")
        try await eventually("the request is there") { member.requests.count == 2 }
        try await reader.endOutput()
        member.push("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
        try await reader.waitForEnd()
        #expect(reader.text.hasSuffix("body"))
        try await proxy.stop()
    }

    @Test func bodiesInChunksGoBothWays() async throws {
        let member = try await FakeMember.start { request in
            guard request.hasSuffix("0\r\n\r\n") else { return nil }
            return .text(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        }
        let proxy = try await TestProxy.start([member.url])
        let client = try await proxy.client()
        try await client.send(
            "POST /v2/keys/q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nvalue\r\n"
        )
        // The first of it is there before the rest was sent.
        try await client.send("2\r\n=1\r\n0\r\n\r\n")
        try await client.waitFor("3\r\nabc\r\n0\r\n\r\n")
        let request = try #require(member.requests.first)
        #expect(request.contains("Transfer-Encoding: chunked\r\n"))
        #expect(request.contains("value"))
        #expect(!request.lowercased().contains("content-length"))
        // The connection goes on.
        #expect(!client.isClosed)
        await client.close()
        try await proxy.stop()
    }

    @Test func aLongBodyIsSentWhileItComes() async throws {
        let member = try await FakeMember.start { request in
            request.hasSuffix("end")
                ? .text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") : nil
        }
        let proxy = try await TestProxy.start([member.url])
        let client = try await proxy.client()
        let piece = String(repeating: "x", count: 1 << 20)
        try await client.send(
            "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: \(4 * piece.utf8.count + 3)\r\n\r\n"
        )
        for _ in 0..<4 { try await client.send(piece) }
        try await client.send("end")
        try await client.waitFor("\r\n\r\nok")
        await client.close()
        try await proxy.stop()
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let member = try await FakeMember.start { request in
            let path = request.split(separator: " ")[1]
            return .text(
                "HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count + 1)\r\n\r\n\(path);")
        }
        let proxy = try await TestProxy.start([member.url])
        let client = try await proxy.client()
        let requests = (0..<50).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }
        try await client.send(requests.joined() + "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        try await client.waitFor("kvd_process_threads")
        let order = (0..<50).map { "/\($0);" }
        var rest = client.text[...]
        for path in order {
            let found = try #require(rest.firstRange(of: path), "\(path) in its place")
            rest = rest[found.upperBound...]
        }
        #expect(member.connectionsCount == 1, "one connection serves them all")
        // What follows them and is no request.
        try await client.send("GET / HTTP/9.9 nonsense\r\n\r\n")
        try await client.waitForEnd()
        #expect(client.text.contains("HTTP/1.1 400 Bad Request"))
        try await proxy.stop()
    }

    @Test func aMemberLostInTheMiddleOfAnAnswerCutsIt() async throws {
        let member = try await FakeMember.start { request in
            request.contains("/chunks")
                ? .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
                : .text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        }
        let proxy = try await TestProxy.start([member.url])
        for path in ["/chunks", "/length"] {
            let client = try await proxy.client()
            try await client.get(path)
            try await client.waitFor("part")
            await member.hangUp()
            try await client.waitForEnd()
            #expect(!client.text.hasSuffix("0\r\n\r\n"), "it must not look whole")
        }
        try await proxy.stop()
    }

    @Test func whoIsOldGetsWhatItUnderstands() async throws {
        let member = try await FakeMember.start { _ in
            .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        }
        let proxy = try await TestProxy.start([member.url])
        let answer = try await proxy.ask("GET /v2/keys HTTP/1.0\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.0 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nabc"))
        #expect(try #require(member.requests.first).contains("Host: \(member.url.hostAndPort)"))
        let head = try await proxy.ask(
            "HEAD /v2/keys HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(head.hasSuffix("\r\n\r\n"))
        try await proxy.stop()
    }

    @Test func aSlowClientDoesNotFillMemory() async throws {
        let size = 64 << 20
        let member = try await FakeMember.start { _ in
            .text("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
        }
        let proxy = try await TestProxy.start([member.url])
        let client = try await proxy.client(reads: false)
        try await client.get("/v2/keys/large")
        try await eventually("the request is there") { member.requests.count == 1 }
        let sent = member.push(String(repeating: "x", count: 1 << 20), times: 64)
        // The sockets' own buffers fill up, and then nothing moves, whatever else the proxy does.
        var last = -1
        try await eventually("the member is held up") {
            defer { last = sent.count }
            return sent.count == last && last > 0
        }
        for _ in 0..<100 { _ = try await proxy.get("/metrics") }
        #expect(sent.count < 40, "of 64 MB \(sent.count) were taken though the client takes none")
        try await client.startReading()
        try await eventually("all of it", within: .seconds(60)) { client.bytesCount > size }
        await client.close()
        try await proxy.stop()
    }
}
