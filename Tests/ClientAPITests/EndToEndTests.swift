import ClientAPI
import Glibc
import GoldenSupport
import NIOCore
import Testing

/// The client port as a client sees it, on loopback sockets, byte for byte.
@Suite struct EndToEndTests {
    /// A member for one test.
    private func withNode(
        _ configuration: ClientServerConfiguration = ClientServerConfiguration(),
        _ body: (SingleNode) throws -> Void
    ) throws {
        try SingleNode.with(configuration, body)
    }

    private func put(_ key: String, _ value: String, headers: String = "") -> String {
        "PUT /v2/keys/\(key) HTTP/1.1\r\nHost: h\r\n\(headers)"
            + "Content-Type: application/x-www-form-urlencoded\r\n"
            + "Content-Length: \(value.utf8.count + 6)\r\n\r\nvalue=\(value)"
    }

    private func get(_ target: String, headers: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\n\(headers)\r\n"
    }

    @Test func headersAreSpelledAndOrderedAsEtcds() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            let response = try client.request("PUT", "/v2/keys/a", form: "value=1")
            #expect(response.statusLine == "HTTP/1.1 201 Created")
            #expect(
                response.headers.map(\.name) == [
                    "Content-Type", "X-Etcd-Cluster-Id", "X-Etcd-Index", "X-Raft-Index",
                    "X-Raft-Term", "Date", "Content-Length",
                ])
            #expect(response["Date"]?.hasSuffix(" GMT") == true)
            let index = try #require(response["X-Etcd-Index"])
            #expect(
                response.text
                    == #"{"action":"set","node":{"key":"/a","value":"1","#
                    + "\"modifiedIndex\":\(index),\"createdIndex\":\(index)}}\n")
        }
    }

    @Test func pipelinedReadsSeeTheWritesBefore() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            var text = ""
            for round in 0..<40 {
                text += put("p", "a\(round)") + put("p", "b\(round)") + get("/v2/keys/p")
                text += put("p", "c\(round)") + get("/v2/keys/p?quorum=true")
            }
            try client.send(text)
            for round in 0..<40 {
                for value in ["a", "b", "b", "c", "c"] {
                    let response = try client.response()
                    let expected = "\"node\":{\"key\":\"/p\",\"value\":\"\(value)\(round)\""
                    #expect(response.text.contains(expected), "\(response.text)")
                }
            }
        }
    }

    @Test func faultsInAPipelineAreAnsweredInTheirTurn() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            let bad = put("p?ttl=x", "2")
            try client.send(put("p", "1") + bad + put("p", "3") + "BAD\r\n\r\n")
            #expect(try client.response().text.contains(#""value":"1""#))
            #expect(try client.response().status == 400)
            #expect(try client.response().text.contains(#""value":"3""#))
            let last = try client.response()
            #expect(last.status == 400)
            #expect(last["Connection"] == "close")
            #expect(last.text == "400 Bad Request")
            client.endInput()
            #expect(client.endsWithin(milliseconds: 5000))
        }
    }

    @Test func moreThanMayBeInFlightIsAnsweredAll() throws {
        var configuration = ClientServerConfiguration()
        configuration.inFlightMax = 4
        try withNode(configuration) { node in
            let client = try RawClient(port: node.port)
            var text = ""
            for round in 0..<2000 {
                text += round % 3 == 0 ? get("/v2/keys/n") : put("n", "\(round)")
            }
            try client.send(text)
            for round in 0..<2000 {
                let response = try client.response()
                guard round % 3 == 0 else {
                    #expect(response.text.contains("\"value\":\"\(round)\""))
                    continue
                }
                #expect(response.status == (round == 0 ? 404 : 200))
            }
        }
    }

    @Test func http10ClosesUnlessAskedNotTo() throws {
        try withNode { node in
            let plain = try RawClient(port: node.port)
            try plain.send("GET /version HTTP/1.0\r\n\r\n")
            let closed = try plain.response()
            #expect(closed.statusLine == "HTTP/1.0 200 OK")
            #expect(closed["Connection"] == "close")
            #expect(plain.endsWithin(milliseconds: 5000))

            let kept = try RawClient(port: node.port)
            for _ in 0..<2 {
                try kept.send("GET /version HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(try kept.response()["Connection"] == "keep-alive")
            }
        }
    }

    @Test func connectionCloseIsHonoured() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            try client.send(put("c", "1", headers: "Connection: close\r\n") + get("/version"))
            let response = try client.response()
            #expect(response.status == 201)
            #expect(response["Connection"] == "close")
            #expect(client.endsWithin(milliseconds: 5000))
        }
    }

    @Test func halfClosedClientsGetTheirAnswers() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            try client.send(put("h", "1") + get("/v2/keys/h"))
            client.endInput()
            #expect(try client.response().status == 201)
            #expect(try client.response().text.contains(#""value":"1""#))
            #expect(client.endsWithin(milliseconds: 5000))
        }
    }

    @Test func headHasLengthAndNoBody() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            _ = try client.request("PUT", "/v2/keys/h", form: "value=1")
            let got = try client.request("GET", "/v2/keys/h")
            let head = try client.request("HEAD", "/v2/keys/h")
            #expect(head.status == 200)
            #expect(head["Content-Length"] == String(got.body.count))
            #expect(try client.request("HEAD", "/v2/keys/none").status == 404)
        }
    }

    @Test func expectContinueIsSentBeforeTheBody() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            try client.send(
                "PUT /v2/keys/e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\n"
            )
            #expect(try client.head().statusLine == "HTTP/1.1 100 Continue")
            try client.send("value=1")
            #expect(try client.response().status == 201)
            try client.send(get("/version", headers: "Expect: magic\r\n"))
            #expect(try client.response().status == 417)
        }
    }

    @Test func chunkedBodiesAreForms() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            try client.send(
                "PUT /v2/keys/t HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
                    + "4\r\nvalu\r\n5\r\ne=a%2\r\n1\r\n0\r\n0\r\n\r\n")
            #expect(try client.response().text.contains(#""value":"a ""#))
        }
    }

    @Test(arguments: [
        "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        "GET /v2/keys/a HTTP/3.0\r\nHost: h\r\n\r\n",
        "GET /v2/keys/a HTTP/1.1\r\n\r\n",
        "GET /v2/keys/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /v2/keys/a HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
        "GET v2/keys HTTP/1.1\r\nHost: h\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
    ])
    func malformedRequestsEndTheConnection(text: String) throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            try client.send(text)
            let response = try client.response()
            #expect(response.status == 400)
            #expect(response["Connection"] == "close")
            #expect(response["X-Etcd-Cluster-Id"] == nil)
            client.endInput()
            #expect(client.endsWithin(milliseconds: 5000))
        }
    }

    @Test func headersAreBounded() throws {
        var configuration = ClientServerConfiguration()
        configuration.headerFieldBytesMax = 1000
        try withNode(configuration) { node in
            let client = try RawClient(port: node.port)
            try client.send(
                get("/version", headers: "X: \(String(repeating: "y", count: 2000))\r\n"))
            #expect(try client.response().status == 431)
        }
    }

    @Test func targetsMayHoldAnyBytes() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            let put = try client.request("PUT", "/v2/keys/ключ?value=grün")
            #expect(put.status == 201)
            #expect(put.text.contains(#""key":"/ключ","value":"grün""#))
            #expect(try client.request("GET", "/v2/keys/%D0%BA%D0%BB%D1%8E%D1%87").status == 200)
            #expect(try client.request("GET", "/v2/keys/a").status == 404)
            // A body with such bytes is none of the decoder's concern.
            let form = try client.request("PUT", "/v2/keys/é", form: "value=é&ttl=500")
            #expect(form.text.contains(#""key":"/é","value":"é""#))
            try client.send(
                Array("GET /v2/keys/".utf8) + [0xFF] + Array(" HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
            #expect(try client.response().text.contains(#""cause":"/\ufffd""#))
        }
    }

    /// However a request with such a target is cut into reads.
    @Test func targetsWithAnyBytesMayComeInPieces() throws {
        try withNode { node in
            let bytes = Array(
                "PUT /v2/keys/aé?value=ü HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\néGET /version HTTP/1.1\r\nHost: h\r\n\r\n"
                    .utf8)
            let client = try RawClient(port: node.port)
            for cut in 1..<bytes.count {
                try client.send(Array(bytes[..<cut]))
                // A read of its own: nothing else shows that the server has had it.
                usleep(2_000)
                try client.send(Array(bytes[cut...]))
                let put = try client.response()
                #expect(put.text.contains(#""key":"/aé","value":"ü""#), "cut at \(cut)")
                #expect(try client.response().text.contains("etcdserver"), "cut at \(cut)")
            }
        }
    }

    @Test func longTargets() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            let value = String(repeating: "v", count: 500_000)
            #expect(try client.request("PUT", "/v2/keys/l?value=\(value)").status == 201)
            #expect(
                try client.request("PUT", "/v2/keys/l?value=\(value)\(value)\(value)").status == 431
            )
        }
    }

    /// A HEAD of a path that is not clean says the type of the page that a GET has.
    @Test func redirectionsOfHead() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            let head = try client.request("HEAD", "/v2/keys//a")
            #expect(head.status == 301)
            #expect(head["Content-Type"] == "text/html; charset=utf-8")
            #expect(try client.request("PUT", "/v2/keys//a")["Content-Type"] == nil)
        }
    }

    @Test func metricsTakeAnyMethod() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            let metrics = try client.request("FOO", "/metrics")
            #expect(metrics.status == 200)
            #expect(metrics.text.contains("etcd_http_received_total"))
        }
    }

    @Test func unknownMethodsLearnWhatIsAllowed() throws {
        try withNode { node in
            let client = try RawClient(port: node.port)
            _ = try client.request("GET", "/version")
            try client.send("FOO /v2/keys/m HTTP/1.1\r\nHost: h\r\n\r\n")
            let response = try client.response()
            #expect(response.status == 405)
            #expect(response["Allow"] == "HEAD,GET,PUT,POST,DELETE")
            client.endInput()
            #expect(client.endsWithin(milliseconds: 5000))
        }
    }

    @Test func unknownMethodsOfAllowedOriginsGetTheirHeaders() throws {
        var configuration = ClientServerConfiguration()
        configuration.allowedOrigins = ["http://a", "http://b"]
        try withNode(configuration) { node in
            for (header, origin) in [
                ("Origin: http://b\r\n", "http://b"), ("origin:\thttp://a \r\n", "http://a"),
                ("Origin: http://c\r\n", nil), ("", nil), ("\r\nOrigin: http://a\r\n", nil),
            ] {
                let client = try RawClient(port: node.port)
                try client.send("FOO /v2/keys/m HTTP/1.1\r\nHost: h\r\n\(header)\r\n")
                let response = try client.response()
                #expect(response.status == 405)
                #expect(response["Access-Control-Allow-Origin"] == origin)
            }
        }
    }
}

/// For tests that need no index to begin at.
enum Readiness {
    /// Waits until the member leads and the cluster has its version.
    static func wait(_ port: Int) throws {
        let client = try RawClient(port: port)
        for _ in 0..<100_000 {
            let version = try client.request("GET", "/version")
            let health = try client.request("GET", "/health")
            if health.status == 200, !version.text.contains("decided") { return }
        }
        throw GoldenFailure("the member is not ready")
    }
}
