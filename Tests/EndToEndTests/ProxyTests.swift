import Foundation
import ProcessSupport
import Testing

/// `kvd --proxy` before three members, all of them processes.
@Suite(.timeLimit(.minutes(5 * Patience.factor))) struct ProxyTests {
    private let cluster: KvdCluster
    private let port: Int

    init() throws {
        cluster = try KvdCluster(size: 3)
        port = try FreePorts.take(1)[0]
    }

    private var peers: String {
        cluster.peerPorts.enumerated().map { "m\($0 + 1)=http://127.0.0.1:\($1)" }
            .joined(separator: ",")
    }

    private var dataDirectory: String { cluster.folder.path("proxy.etcd") }

    private func startProxy(
        _ arguments: [String], environment: [String: String] = [:], waits: Bool = true
    ) throws -> KvdProcess {
        let proxy = try KvdProcess(
            arguments: [
                "--data-dir", dataDirectory, "--listen-client-urls", "http://127.0.0.1:\(port)",
            ] + arguments,
            clientPort: port, logPath: cluster.folder.path("proxy-\(UUID().uuidString).log"),
            environment: environment)
        if waits { try waitForEndpoints(proxy) }
        return proxy
    }

    private func waitForEndpoints(_ proxy: KvdProcess) throws {
        try waitUntil("the endpoints; its log:\n\(proxy.log)") {
            guard proxy.isRunning else {
                throw LoopbackHTTP.Failed(description: "the proxy has ended:\n\(proxy.log)")
            }
            return proxy.log.contains("proxy: endpoints found [\"http://127.0.0.1:")
        }
    }

    private func waitForClusterFile() throws {
        let file = dataDirectory + "/proxy/cluster"
        try waitUntil("the cluster file") {
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            return cluster.peerPorts.allSatisfy { text.contains("http://127.0.0.1:\($0)") }
        }
    }

    private func waitForAllEndpoints() throws {
        try waitUntil("all three endpoints") {
            let list = try LoopbackHTTP(port: port).request("GET", "/v2/config/local/proxy")
            return (list.json["endpoints"] as? [String])?.count == 3
        }
    }

    /// Twenty of those that it may ask accept connections and never answer: asked one after the other, they
    /// would take longer than this test waits.
    @Test func addressesThatSwallowConnectionsHoldItUpForMomentsOnly() throws {
        try cluster.startAll()
        try cluster.waitReady()
        var silent: [Int32] = []
        defer { for socket in silent { close(socket) } }
        let ports = try FreePorts.take(20)
        for port in ports { silent.append(try Sockets.listen(port)) }
        let swallowers = ports.enumerated().map { "a\($0)=http://127.0.0.1:\($1)" }
        let proxy = try startProxy(
            ["--proxy", "on", "--initial-cluster", (swallowers + [peers]).joined(separator: ",")])
        let get = try LoopbackHTTP(port: port).request("GET", "/v2/keys/_ready")
        #expect(get.status == 200, "\(proxy.log)")
    }

    @Test func itWritesReadsAndWatchesWhileMembersDie() throws {
        try cluster.startAll()
        try cluster.waitReady()
        let proxy = try startProxy(["--proxy", "on", "--initial-cluster", peers])
        try waitForAllEndpoints()
        let client = try LoopbackHTTP(port: port)
        let put = try client.request("PUT", "/v2/keys/a", form: "value=1")
        #expect(put.status == 201)
        #expect(put.headers["x-etcd-index"] != nil)
        #expect(try client.request("GET", "/v2/keys/a").node["value"] as? String == "1")
        #expect(try cluster.client(2).request("GET", "/v2/keys/a?quorum=true").status == 200)

        // A stream through the proxy is told each event when it happens.
        let watcher = try LoopbackHTTP(port: port)
        try watcher.send("GET", "/v2/keys/w?wait=true&stream=true")
        #expect(try watcher.readHead().status == 200)
        for n in 1...3 {
            _ = try client.request("PUT", "/v2/keys/w", form: "value=\(n)")
            let event = try #require(try watcher.readChunk())
            #expect(String(decoding: event, as: UTF8.self).contains("\"value\":\"\(n)\""))
        }

        // One after the other dies and comes back; reads and writes go on through the proxy.
        for n in 0..<3 {
            cluster.killNine(n)
            for round in 0..<5 {
                try waitUntil("a write without member \(n)") {
                    let again = try LoopbackHTTP(port: port)
                    let answer = try again.request(
                        "PUT", "/v2/keys/k\(n)-\(round)", form: "value=\(n)")
                    return answer.status < 300
                }
                let get = try LoopbackHTTP(port: port).request(
                    "GET", "/v2/keys/k\(n)-\(round)?quorum=true")
                #expect(get.node["value"] as? String == "\(n)")
            }
            try cluster.start(n)
            try cluster.members[n]?.waitReady()
        }
        #expect(proxy.log.contains("proxy: marked endpoint http://127.0.0.1:"))

        // All of them: the body says what was tried.
        for n in 0..<3 { cluster.killNine(n) }
        let down = try LoopbackHTTP(port: port).request("GET", "/v2/keys/a")
        #expect(down.status == 503)
        let message = try #require(down.json["message"] as? String)
        #expect(message.hasPrefix("proxy: "))
        // But for those that have failed a moment ago, and rest.
        let tried = cluster.clientPorts.filter { message.contains("http://127.0.0.1:\($0): ") }
        #expect(!tried.isEmpty, "\(message)")
        // And back again, without a word to the proxy.
        try cluster.startAll()
        try waitUntil("a read after all came back") {
            let answer = try? LoopbackHTTP(port: port).request("GET", "/v2/keys/a?quorum=true")
            return answer?.node["value"] as? String == "1"
        }
        proxy.kill(SIGTERM)
        #expect(proxy.wait() == -SIGTERM)
    }

    @Test func aRestartNeedsItsDataDirOnly() throws {
        try cluster.startAll()
        try cluster.waitReady()
        do {
            let proxy = try startProxy(["--proxy", "on", "--initial-cluster", peers])
            try waitForClusterFile()
            #expect(proxy.log.contains("etcdmain: proxy: using peer urls [http://127.0.0.1:"))
            #expect(
                proxy.log.contains(
                    "etcdmain: proxy: listening for client requests on http://127.0.0.1:\(port)"))
            proxy.kill(SIGKILL)
            proxy.wait()
        }
        // As cloud-config has it: by the environment. And only one of the members is left to ask.
        cluster.killNine(0)
        let proxy = try startProxy([], environment: ["ETCD_PROXY": "on"])
        #expect(proxy.log.contains("the server is already initialized as proxy before"))
        try waitUntil("a write") {
            let answer = try? LoopbackHTTP(port: port).request(
                "PUT", "/v2/keys/a", form: "value=1")
            return answer.map { $0.status < 300 } ?? false
        }
    }

    @Test func readonly() throws {
        try cluster.startAll()
        try cluster.waitReady()
        let proxy = try startProxy(["--proxy", "readonly", "--initial-cluster", peers])
        let client = try LoopbackHTTP(port: port)
        #expect(try client.request("GET", "/v2/keys/_ready").status == 200)
        let put = try client.request("PUT", "/v2/keys/a", form: "value=1")
        #expect(put.status == 501)
        #expect(put.body.isEmpty)
        #expect(try client.request("GET", "/v2/keys/a").status == 404)
        withExtendedLifetime(proxy) {}
    }

    /// What is no request, or could be read as two, is refused as a member refuses it; all else means
    /// the same to both.
    @Test func shapesAreTakenAndRefusedAsByAMember() throws {
        try cluster.startAll()
        try cluster.waitReady()
        let proxy = try startProxy(["--proxy", "on", "--initial-cluster", peers])
        let put = "PUT /v2/keys/shape HTTP/1.1\r\nHost: h\r\n"
        let form = "Content-Type: application/x-www-form-urlencoded\r\n"
        let shapes = [
            put + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            put + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            put + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            put + "Content-Length: +3\r\n\r\nabc", put + "Content-Length: -3\r\n\r\nabc",
            put + "Content-Length: 0x3\r\n\r\nabc", put + "Content-Length: 3 3\r\n\r\nabc",
            put + "Content-Length: 99999999999999999999\r\n\r\nabc",
            put + "Content-Length : 3\r\n\r\nabc",
            put + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            put + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            put + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            put + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            put + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
            put + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
            put + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            put + "X-A: b\r\n folded: c\r\n\r\n", put + "X-A: b\u{0}c\r\n\r\n",
            put + "X A: b\r\n\r\n", put + ": b\r\n\r\n", put + "X-A\r\n\r\n",
            put + "Host: other\r\n\r\n", "PUT /v2/keys/shape HTTP/1.1\r\n\r\n",
            "GET /v2/keys HTTP/1.1\nHost: h\n\n", "GET /v2/keys HTTP/2.0\r\nHost: h\r\n\r\n",
            "GET /v2/keys\r\n\r\n", "get /v2/keys HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET  /v2/keys HTTP/1.1\r\nHost: h\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n",
            "FOO /v2/keys HTTP/1.1\r\nHost: h\r\n\r\n",
            "FOO /v2/stats/self HTTP/1.1\r\nHost: h\r\n\r\n",
            "PATCH /v2/keys HTTP/1.1\r\nHost: h\r\n\r\n",
            "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /v2/keys/ключ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "GET http://x/v2/keys/_ready HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "GET /v2/keys/_ready HTTP/1.0\r\n\r\n",
            put + "Expect: something\r\n\r\n", put + form + "Content-Length: 7\r\n\r\nvalue=1",
            put + form + "Transfer-Encoding: chunked\r\n\r\n7\r\nvalue=1\r\n0\r\n\r\n",
        ]
        for shape in shapes {
            let answers = try [cluster.clientPorts[0], port].map { port in
                let client = try LoopbackHTTP(port: port)
                // Who is refused in the middle may find its connection closed while it still sends.
                try? client.send(Array(shape.utf8))
                return try client.readHead()
            }
            let name = shape.prefix(120)
            // The one creates the key and the other sets it.
            let statuses = answers.map { $0.status == 201 ? 200 : $0.status }
            #expect(statuses[0] == statuses[1], "\(name)")
            #expect(answers[0].headers["allow"] == answers[1].headers["allow"], "\(name)")
        }
        #expect(proxy.log.contains("speaks TLS to a port without it"))
    }

    /// Who lives in the data dir goes before the flags, as with etcd.
    @Test func theDataDirSaysWhoIsStarted() throws {
        // A member that ran is started, or its cluster would miss it.
        try cluster.startAll()
        try cluster.waitReady()
        cluster.killNine(0)
        try cluster.start(0, adding: ["--proxy", "on"])
        let member = try #require(cluster.members[0])
        try member.waitReady()
        #expect(member.log.contains("W | etcdmain: --proxy HAS NO EFFECT: a member of a cluster"))
        #expect(!member.log.contains("THIS PROCESS IS A PROXY"))
        // A proxy stays one.
        let first = try startProxy(["--proxy", "on", "--initial-cluster", peers])
        #expect(!first.log.contains("THIS PROCESS IS A PROXY"))
        try waitForClusterFile()
        first.kill(SIGKILL)
        first.wait()
        let proxy = try startProxy(["--advertise-client-urls", "http://127.0.0.1:\(port)"])
        #expect(proxy.log.contains("C | etcdmain: THIS PROCESS IS A PROXY, NOT A MEMBER: it was"))
        #expect(try LoopbackHTTP(port: port).request("GET", "/v2/keys/_ready").status == 200)
        proxy.kill(SIGKILL)
        proxy.wait()
    }

    @Test func dirsOfNobodyAreRefused() throws {
        let arguments = ["--proxy", "on", "--initial-cluster", "x=http://127.0.0.1:1"]
        try FileManager.default.createDirectory(
            atPath: dataDirectory + "/member", withIntermediateDirectories: true)
        var process = try startProxy(arguments, waits: false)
        #expect(process.wait() == 1)
        #expect(
            process.log.contains("belongs to a member. Start without --proxy"), "\(process.log)")
        try FileManager.default.createDirectory(
            atPath: dataDirectory + "/proxy", withIntermediateDirectories: true)
        process = try startProxy(arguments, waits: false)
        #expect(process.wait() == 1)
        #expect(
            process.log.contains(
                "C | etcdmain: invalid datadir. Both member and proxy directories exist."))
        try FileManager.default.removeItem(atPath: dataDirectory + "/member")
        process = try startProxy(
            ["--listen-client-urls", "https://127.0.0.1:\(port)"] + arguments, waits: false)
        #expect(process.wait() == 1)
        #expect(process.log.contains("KeyFile and CertFile are not presented"), "\(process.log)")
    }
}
