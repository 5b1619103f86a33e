import ClientAPI
import GoldenSupport
import KVServer
import KeyStore
import NIOCore
import RaftModel
import Testing

/// Who is let through, over loopback sockets. What is answered is in the recorded exchanges
/// (`GoldenTests`); here is what they do not show.
@Suite struct AuthTests {
    /// `Authorization` headers: `name:password`.
    private static let root = "Authorization: Basic cm9vdDpyb290\r\n"  // root:root
    private static let bob = "Authorization: Basic Ym9iOmJvYg==\r\n"  // bob:bob

    private static func header(_ name: String, _ password: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var bytes = Array("\(name):\(password)".utf8)
        let padding = (3 - bytes.count % 3) % 3
        bytes += Array(repeating: 0, count: padding)
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let bits =
                Int(bytes[start]) << 16 | Int(bytes[start + 1]) << 8 | Int(bytes[start + 2])
            for shift in [18, 12, 6, 0] { text.append(alphabet[bits >> shift & 63]) }
        }
        return "Authorization: Basic \(text.dropLast(padding))"
            + String(repeating: "=", count: padding) + "\r\n"
    }

    private static func text(
        _ method: String, _ target: String, _ headers: String = "", body: String? = nil,
        type: String = "application/json"
    ) -> String {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\(headers)"
        if let body {
            text += "Content-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        } else {
            text += "\r\n"
        }
        return text
    }

    private static func put(_ target: String, _ value: String, _ headers: String = "") -> String {
        text(
            "PUT", target, headers, body: "value=\(value)",
            type: "application/x-www-form-urlencoded")
    }

    @discardableResult
    private func change(
        _ client: RawClient, _ method: String, _ target: String, _ headers: String = "",
        body: String? = nil
    ) throws -> RawClient.Response {
        try client.send(Self.text(method, target, headers, body: body))
        let response = try client.response()
        #expect(response.status < 300, "\(method) \(target): \(response)")
        return response
    }

    /// A member where auth is on, guests may do nothing, and bob may use `/b/`.
    private func withAuth(
        _ configuration: ClientServerConfiguration = ClientServerConfiguration(),
        _ body: (SingleNode, RawClient) throws -> Void
    ) throws {
        try SingleNode.with(configuration) { node in
            let client = try RawClient(port: node.port)
            try change(
                client, "PUT", "/v2/auth/users/root",
                body: #"{"user":"root","password":"root"}"#)
            try change(
                client, "PUT", "/v2/auth/roles/b",
                body: #"{"role":"b","permissions":{"kv":{"read":["/b/*"],"write":["/b/*"]}}}"#)
            try change(
                client, "PUT", "/v2/auth/users/bob",
                body: #"{"user":"bob","password":"bob","roles":["b"]}"#)
            try change(client, "PUT", "/v2/auth/roles/guest", body: #"{"role":"guest"}"#)
            try change(client, "PUT", "/v2/auth/enable")
            try body(node, client)
        }
    }

    private static func expectEnd(of watcher: RawClient) throws {
        let last = try #require(try watcher.chunk())
        #expect(
            String(decoding: last, as: UTF8.self)
                == #"{"errorCode":110,"message":"The request requires user authentication","cause":"Insufficient credentials","index":0}"#
                + "\n")
        #expect(try watcher.chunk() == nil)
    }

    /// Nothing of a connection overtakes a request whose password is being hashed.
    @Test func pipelinedRequestsKeepTheirOrder() throws {
        try withAuth { node, client in
            // The second one's credentials are known already: it could go at once.
            try client.send(Self.put("/v2/keys/b/x", "0", Self.root))
            #expect(try client.response().status == 201)
            try client.send(
                Self.put("/v2/keys/b/x", "1", Self.bob)
                    + Self.put("/v2/keys/b/x", "2", Self.root)
                    + Self.put("/v2/keys/b/x", "3", Self.header("bob", "no"))
                    + Self.put("/v2/keys/b/x", "4", Self.bob)
                    + Self.put("/v2/keys/b/x", "5")
                    + Self.text("GET", "/v2/keys/b/x", Self.root))
            for (status, value) in [(200, "1"), (200, "2"), (401, ""), (200, "4"), (401, "")] {
                let response = try client.response()
                #expect(response.status == status)
                #expect(
                    response.text.hasPrefix(
                        #"{"action":"set","node":{"key":"/b/x","value":"\#(value)""#)
                        == (status == 200), "\(response)")
            }
            #expect(try client.response().text.contains(#""value":"4""#))
        }
    }

    /// A change of users between writes of one connection has its place among them.
    @Test func changesOfUsersKeepTheirOrderToo() throws {
        try withAuth { node, client in
            try client.send(
                Self.text(
                    "PUT", "/v2/auth/users/eve", Self.root,
                    body: #"{"user":"eve","password":"eve","roles":["b"]}"#)
                    + Self.put("/v2/keys/b/e", "1", Self.header("eve", "eve"))
                    + Self.text("DELETE", "/v2/auth/users/eve", Self.root)
                    + Self.put("/v2/keys/b/e", "2", Self.header("eve", "eve"))
                    + Self.text("GET", "/v2/auth/users/eve", Self.root))
            let statuses = try (0..<5).map { _ in try client.response().status }
            #expect(statuses == [200, 201, 200, 401, 404])
        }
    }

    @Test func aRevokedPermissionEndsAWatch() throws {
        try withAuth { node, client in
            let watchers = try [
                "/v2/keys/b/?wait=true&recursive=true&stream=true", "/v2/keys/b/w?wait=true",
            ]
            .map { target in
                let watcher = try RawClient(port: node.port)
                try watcher.send(Self.text("GET", target, Self.bob))
                #expect(try watcher.head().status == 200)
                return watcher
            }
            let roots = try RawClient(port: node.port)
            try roots.send(
                Self.text("GET", "/v2/keys/b/?wait=true&recursive=true&stream=true", Self.root))
            #expect(try roots.head().status == 200)

            // A change that takes nothing from bob lets them be.
            try change(
                client, "PUT", "/v2/auth/users/bob", Self.root,
                body: #"{"user":"bob","grant":["another"]}"#)
            try client.send(Self.put("/v2/keys/b/1", "1", Self.root))
            let first = try client.response()
            #expect(try watchers[0].chunk() == first.body)
            #expect(try roots.chunk() == first.body)

            try change(
                client, "PUT", "/v2/auth/users/bob", Self.root,
                body: #"{"user":"bob","revoke":["b"]}"#)
            try client.send(Self.put("/v2/keys/b/w", "2", Self.root))
            let second = try client.response()
            for watcher in watchers { try Self.expectEnd(of: watcher) }
            #expect(try roots.chunk() == second.body)
            let watching = try node.onLoop { engine, _ in engine.store.statistics.watchers }
            #expect(watching == 1)
        }
    }

    @Test func aNewPasswordEndsTheUsersWatches() throws {
        try withAuth { node, client in
            let watcher = try RawClient(port: node.port)
            try watcher.send(Self.text("GET", "/v2/keys/b/w?wait=true", Self.bob))
            #expect(try watcher.head().status == 200)
            try change(
                client, "PUT", "/v2/auth/users/bob", Self.root,
                body: #"{"user":"bob","password":"new"}"#)
            try Self.expectEnd(of: watcher)
            try watcher.send(Self.text("GET", "/v2/keys/b/w", Self.bob))
            #expect(try watcher.response().status == 401)
            try watcher.send(Self.text("GET", "/v2/keys/b/w", Self.header("bob", "new")))
            #expect(try watcher.response().status == 404)
        }
    }

    /// Nobody knows whose they are.
    @Test func watchesOfBeforeEndWhenAuthIsSwitchedOn() throws {
        try withAuth { node, client in
            try change(client, "DELETE", "/v2/auth/enable", Self.root)
            let watcher = try RawClient(port: node.port)
            try watcher.send(Self.text("GET", "/v2/keys/b/w?wait=true", Self.bob))
            #expect(try watcher.head().status == 200)
            try change(
                client, "PUT", "/v2/auth/users/bob", body: #"{"user":"bob","grant":["x"]}"#)
            #expect(watcher.isSilent(milliseconds: 50))
            try change(client, "PUT", "/v2/auth/enable")
            try Self.expectEnd(of: watcher)
        }
    }

    /// Guessing is slowed down; who is known already does not notice.
    @Test func guessesAreLimited() throws {
        try withAuth { node, client in
            try client.send(Self.text("GET", "/v2/keys/b/x", Self.bob))
            #expect(try client.response().status == 404)
            var statuses: [Int] = []
            for name in ["bob", "ghost"] {
                for number in 0..<30 where statuses.last != 429 {
                    try client.send(
                        Self.text("GET", "/v2/keys/b/x", Self.header(name, "guess \(number)")))
                    let response = try client.response()
                    statuses.append(response.status)
                    guard response.status == 429 else { continue }
                    #expect(
                        response.text
                            == #"{"errorCode":110,"message":"The request requires user authentication","cause":"auth: too many wrong passwords for this user; try again in 1 s","index":0}"#
                            + "\n")
                }
                #expect(statuses.last == 429)
                // A few may have been forgotten meanwhile.
                #expect(statuses.count > 10 && statuses.dropLast().allSatisfy { $0 == 401 })
                statuses = []
            }
            try client.send(Self.text("GET", "/v2/keys/b/x", Self.bob))
            #expect(try client.response().status == 404)
        }
    }

    @Test func hashesThatWaitAreBounded() throws {
        var configuration = ClientServerConfiguration()
        configuration.passwordsWaitingMax = 2
        try withAuth(configuration) { node, _ in
            let clients = try (0..<20).map { _ in try RawClient(port: node.port) }
            for (number, client) in clients.enumerated() {
                try client.send(
                    Self.text("GET", "/v2/keys/b/x", Self.header("ghost\(number)", "x")))
            }
            let answers = try clients.map { try $0.response() }
            #expect(Set(answers.map(\.status)) == [401, 503])
            let refused = try #require(answers.first { $0.status == 503 })
            #expect(
                refused.text
                    == #"{"errorCode":300,"message":"Raft Internal Error","cause":"auth: 2 passwords wait to be checked already; try again with a pause","index":0}"#
                    + "\n")
            // The same credentials on many connections are hashed once.
            for client in clients { try client.send(Self.text("GET", "/v2/keys/b/x", Self.bob)) }
            for client in clients { #expect(try client.response().status == 404) }
        }
    }

    private static let roots = [
        ("GET", "/v2/admin/backup"), ("POST", "/v2/members"), ("PUT", "/v2/members/1"),
        ("DELETE", "/v2/members/1"), ("DELETE", "/v2/members"), ("GET", "/v2/auth/users"),
        ("GET", "/v2/auth/users/"), ("GET", "/v2/auth/users/bob"),
        ("PUT", "/v2/auth/users/bob"), ("GET", "/v2/auth/roles"), ("GET", "/v2/auth/roles/b"),
        ("PUT", "/v2/auth/roles/b"), ("PUT", "/v2/auth/enable"), ("DELETE", "/v2/auth/users/bob"),
        ("DELETE", "/v2/auth/roles/b"), ("DELETE", "/v2/auth/enable"),
    ]
    private static let everybodys = [
        "/v2/auth/enable", "/v2/members", "/v2/members/leader", "/v2/machines", "/v2/stats/self",
        "/v2/stats/leader", "/v2/stats/store", "/version", "/health", "/metrics", "/debug/vars",
    ]

    @Test func whatOnlyRootMayDo() throws {
        try withAuth { _, client in
            for (method, target) in Self.roots {
                for headers in ["", Self.bob, Self.header("root", "no")] {
                    try client.send(Self.text(method, target, headers))
                    let response = try client.response()
                    #expect(response.status == 401, "\(method) \(target)")
                    #expect(response.text == #"{"message":"Insufficient credentials"}"#)
                    #expect(response["X-Etcd-Cluster-Id"] == nil)
                    #expect(response["Content-Type"] == "application/json")
                }
            }
            for (method, target) in Self.roots {
                try client.send(Self.text(method, target, Self.root))
                #expect(try client.response().status != 401, "\(method) \(target)")
            }
        }
    }

    @Test func whatEverybodyMayDo() throws {
        try withAuth { _, client in
            for target in Self.everybodys {
                try client.send(Self.text("GET", target, Self.header("root", "no")))
                #expect(try client.response().status != 401, "\(target)")
            }
        }
    }

    @Test(arguments: [
        ("GET", "/v2/auth/users/a/b", 400, #"{"message":"Invalid path"}"#),
        ("POST", "/v2/auth/roles/a/b/", 400, #"{"message":"Invalid path"}"#),
        ("BREW", "/v2/auth/users/a/b", 400, #"{"message":"Invalid path"}"#),
        ("GET", "/v2/auth/users/a%2Fb", 400, #"{"message":"Invalid path"}"#),
        ("POST", "/v2/auth/users/", 405, "Method Not Allowed\n"),
        ("POST", "/v2/auth/users/a/", 405, "Method Not Allowed\n"),
        ("BREW", "/v2/auth/users/a", 405, "Method Not Allowed\n"),
        ("GET", "/v2/auth/enable/", 404, "404 page not found\n"),
        ("GET", "/v2/auth/users/%FF", 404, #"{"message":"auth: User \ufffd does not exist."}"#),
        ("GET", "/v2/auth/users/%3Cx/", 404, #"{"message":"auth: User \u003cx does not exist."}"#),
    ])
    func paths(method: String, target: String, status: Int, answer: String) throws {
        try SingleNode.with { node in
            let client = try RawClient(port: node.port)
            try client.send(Self.text(method, target))
            let response = try client.response()
            #expect(response.status == status)
            #expect(response.text == answer)
        }
    }

    /// What a foreign data dir may have.
    @Test func entriesThatCannotBeReadAreNamed() throws {
        try withAuth { node, client in
            func put(_ path: String, _ value: String) throws {
                try node.onLoop { engine, _ in
                    Request(method: .put, path: Array(path.utf8), value: Array(value.utf8))
                        .withView {
                            engine.propose($0, ticket: Ticket(connection: .max, request: 0))
                        }
                }
                // It is applied before the next write.
                try client.send(Self.put("/v2/keys/x", "1", Self.root))
                _ = try client.response()
            }
            try put("/2/users/x", "?")
            let problem =
                "auth: the entry /2/users/x of the store cannot be read: byte 0 of the JSON, 0x3f, cannot stand there"
            try client.send(Self.text("GET", "/v2/keys/b/x", Self.header("x", "y")))
            let refused = try client.response()
            #expect(refused.status == 500)
            #expect(
                refused.text
                    == #"{"errorCode":300,"message":"Raft Internal Error","cause":"\#(problem)","index":0}"#
                    + "\n")
            try client.send(Self.text("GET", "/v2/auth/users", Self.root))
            let listing = try client.response()
            #expect(listing.status == 500)
            #expect(listing.text == #"{"message":"\#(problem)"}"#)
            try change(client, "DELETE", "/v2/auth/users/x", Self.root)

            try put("/2/enabled", "perhaps")
            try client.send(Self.text("GET", "/v2/keys/b/x", Self.root))
            #expect(try client.response().status == 500)
        }
    }

    /// Two clients that change the same user at the same time: neither change is lost.
    @Test func changesAtTheSameTimeAllCount() throws {
        try withAuth { node, client in
            let clients = try (0..<16).map { _ in try RawClient(port: node.port) }
            for (number, client) in clients.enumerated() {
                try client.send(
                    Self.text(
                        "PUT", "/v2/auth/users/bob", Self.root,
                        body: #"{"user":"bob","grant":["r\#(number + 10)"]}"#))
            }
            for client in clients { #expect(try client.response().status == 200) }
            let names = (10..<26).map { #""r\#($0)""# }.joined(separator: ",")
            let page = try change(
                client, "PUT", "/v2/auth/users/bob", Self.root,
                body: #"{"user":"bob","grant":["z"]}"#)
            #expect(page.text == #"{"user":"bob","roles":["b",\#(names),"z"]}"# + "\n")
        }
    }
}
