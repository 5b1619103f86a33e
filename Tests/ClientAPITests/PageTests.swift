import ClientAPI
import GoldenSupport
import Testing

/// Pages, counts, keys alone, large answers, and reads that wait for an index.
@Suite(.timeLimit(.minutes(2))) struct PageTests {
    private func withNode(_ body: (SingleNode, RawClient) throws -> Void) throws {
        try SingleNode.with { node in try body(node, RawClient(port: node.port)) }
    }

    private func put(_ keys: [String], _ client: RawClient, value: String = "v") throws {
        let form = "value=" + value
        try client.send(
            keys.map { key in
                "PUT /v2/keys\(key) HTTP/1.1\r\nHost: h\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\n"
                    + "Content-Length: \(form.utf8.count)\r\n\r\n\(form)"
            }.joined())
        for _ in keys { #expect(try client.response().status < 300) }
    }

    private func get(_ target: String, _ client: RawClient) throws -> GoldenJSON {
        let response = try client.request("GET", "/v2/keys" + target)
        guard response.status == 200, let json = GoldenJSON(response.text) else {
            throw GoldenFailure("\(target): \(response.statusLine) \(response.text)")
        }
        return json
    }

    /// The keys below a node in the order of the answer, directories with a slash at their end.
    private func keys(_ node: GoldenJSON?) -> [String] {
        (node?["nodes"]?.elements ?? []).flatMap { child in
            let isDirectory = child["dir"] != nil
            return [(child["key"]?.text ?? "?") + (isDirectory ? "/" : "")] + keys(child)
        }
    }

    private let tree = [
        "/p/a", "/p/b/x", "/p/b/y/1", "/p/b/y/2", "/p/b+c%20d", "/p/c", "/p/_hidden/z",
        "/p/d/e/f/g",
        "/p/d/e/f/h", "/p/d/%25/&", "/p/%D1%84", "/p/z",
    ]

    @Test(arguments: [true, false], [1, 2, 3, 5, 100])
    func pagesAreTheListing(isRecursive: Bool, limit: Int) throws {
        try withNode { _, client in
            try put(tree, client)
            let query = "/p?recursive=\(isRecursive)"
            let whole = keys(try get(query, client)["node"])
            #expect(whole.count == (isRecursive ? 17 : 7))
            var paged: [String] = []
            var next: String? = "limit=\(limit)"
            var count = 0
            while let part = next {
                let page = try get("\(query)&limit=\(limit)&\(part)", client)
                // A directory on the way to the page's first node is there again, and not counted.
                let found = keys(page["node"])
                let new = found.filter { !paged.contains($0) }
                #expect(new.count <= limit && !new.isEmpty)
                #expect(found.filter(paged.contains).allSatisfy { $0.hasSuffix("/") })
                paged += new
                next = page["next"]?.text
                #expect((new.count == limit && paged.count < whole.count) == (next != nil))
                count += 1
                // What is written meanwhile changes no later page.
                try put(["/p/new\(count)", "/p/b/y/0\(count)"], client)
                _ = try client.request("DELETE", "/v2/keys/p/c")
            }
            #expect(paged == whole)
            #expect(count == (whole.count + limit - 1) / limit)
        }
    }

    @Test func keysAloneAndCounts() throws {
        try withNode { _, client in
            try put(tree, client)
            let bare = try client.request("GET", "/v2/keys/p?recursive=true&keysOnly=true").text
            #expect(!bare.contains("\"value\""))
            #expect(bare.contains("\"modifiedIndex\""))
            #expect(keys(GoldenJSON(bare)?["node"]).count == 17)
            #expect(try get("/p?count=true&recursive=true", client)["count"]?.int == 17)
            let counted = try get("/p?count=true", client)
            #expect(counted["count"]?.int == 7)
            #expect(counted["node"]?["nodes"] == nil)
            #expect(counted["node"]?["key"]?.text == "/p")
            #expect(try get("/p/a?count=true", client)["count"]?.int == 0)
            #expect(try get("/p/a?keysOnly=true", client)["node"]?["value"] == nil)
        }
    }

    @Test(arguments: [
        ("/p?limit=0", "invalid value for \"limit\""),
        ("/p?limit=x", "invalid value for \"limit\""),
        ("/p?count=maybe", "invalid value for \"count\""),
        ("/p?limit=2&after=/q/a", "\"after\" must be a key in the directory that is read"),
        ("/p?limit=2&after=/p", ""),
        ("/p?limit=2&after=/px", "\"after\" must be a key in the directory that is read"),
        ("/p?limit=2&after=/p/../x", "\"after\" must be a key in the directory that is read"),
        ("/p?limit=2&wait=true", "cannot be used with \"wait\""),
        ("/p?count=true&limit=1", "\"count\" cannot be used with \"limit\" or \"after\""),
        ("/p?limit=2&version=99999", "does not keep version 99999 (any more)"),
    ])
    func faults(target: String, cause: String) throws {
        try withNode { _, client in
            try put(tree, client)
            let response = try client.request("GET", "/v2/keys" + target)
            #expect(response.status == (cause.isEmpty ? 200 : 400))
            let shown = GoldenJSON(response.text)?["cause"]?.text ?? ""
            #expect(shown.contains(cause), "\(response.text)")
        }
    }

    /// What is larger than is written at once comes in chunks, and says the same.
    @Test(arguments: [30, 3000])
    func largeAnswersAreWhole(count: Int) throws {
        try withNode { node, client in
            let names = (0..<count).map { "/big/k\(10_000 + $0)" }
            try put(names, client, value: String(repeating: "x", count: 100))
            let response = try client.request("GET", "/v2/keys/big")
            #expect((response["Transfer-Encoding"] == "chunked") == (count > 1000))
            #expect((response["Content-Length"] != nil) == (count < 1000))
            let json = GoldenJSON(response.text)
            #expect(keys(json?["node"]) == names)
            #expect(response.text.hasSuffix("}}\n"))
            #expect(response["X-Etcd-Index"] != nil && response["X-Raft-Term"] != nil)
            // One more behind it on the same connection, and the size without the content.
            #expect(
                try client.request("GET", names[0].replacing("/big", with: "/v2/keys/big")).status
                    == 200)
            try client.send("HEAD /v2/keys/big HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.head().status == 200)
            #expect(try get("/big?count=true", client)["count"]?.int == count)
            let old = try RawClient(port: node.port)
            try old.send("GET /v2/keys/big HTTP/1.0\r\nHost: h\r\n\r\n")
            #expect(try old.response().body == response.body)
        }
    }

    /// A page that is itself large, and one by one the rest of it.
    @Test func largePages() throws {
        try withNode { _, client in
            let names = (0..<2500).map { "/big/k\(10_000 + $0)" }
            try put(names, client, value: String(repeating: "x", count: 100))
            let first = try get("/big?limit=2000", client)
            #expect(keys(first["node"]) == Array(names[..<2000]))
            let next = try #require(first["next"]?.text)
            try put(["/big/k00"], client)
            let second = try get("/big?limit=2000&\(next)", client)
            #expect(keys(second["node"]) == Array(names[2000...]))
            #expect(second["next"] == nil)
        }
    }

    @Test func aReadWaitsForAnIndex() throws {
        try withNode { node, client in
            try put(["/w"], client, value: "old")
            let response = try client.request("GET", "/v2/keys/w")
            let index = try #require(response["X-Etcd-Index"].flatMap { Int($0) })
            #expect(try get("/w?minIndex=\(index)", client)["node"]?["value"]?.text == "old")
            let waiting = try RawClient(port: node.port)
            try waiting.send("GET /v2/keys/w?minIndex=\(index + 2) HTTP/1.1\r\nHost: h\r\n\r\n")
            try put(["/other"], client)
            #expect(waiting.isSilent(milliseconds: 50))
            try put(["/w"], client, value: "new")
            #expect(try waiting.response().text.contains("\"value\":\"new\""))
            let bad = try client.request("GET", "/v2/keys/w?minIndex=x")
            #expect(bad.status == 400 && bad.text.contains("minIndex"))
        }
    }

    /// Nobody waits for ever: the answer says how far this member is.
    @Test func anIndexThatNeverComes() throws {
        try withNode { _, client in
            let response = try client.request("GET", "/v2/keys/?minIndex=1000000")
            #expect(response.status == 500)
            #expect(response.text.contains("minIndex=1000000, and this member is at "))
        }
    }
}
