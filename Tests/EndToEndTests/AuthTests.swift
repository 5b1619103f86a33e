import Foundation
import ProcessSupport
import Testing

/// Users and roles on real processes: changed on one member, good on all, kept over a kill.
@Suite(.serialized) struct AuthTests {
    private func header(_ credentials: String) -> [String: String] {
        ["Authorization": "Basic \(Data(credentials.utf8).base64EncodedString())"]
    }

    private func get(
        _ key: String, as credentials: String?, of member: Int, _ cluster: KvdCluster
    ) throws -> Int {
        try cluster.client(member).request(
            "GET", "/v2/keys\(key)", headers: credentials.map(header) ?? [:]
        ).status
    }

    private func change(
        _ method: String, _ path: String, _ body: String = "", as credentials: String? = nil,
        on member: Int, _ cluster: KvdCluster
    ) throws {
        let client = try cluster.client(member)
        var head = "\(method) \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n"
        if let credentials {
            head += "Authorization: \(header(credentials)["Authorization"] ?? "")\r\n"
        }
        try client.send(Array("\(head)\r\n\(body)".utf8))
        let answer = try client.readResponse(to: method)
        try #require(answer.status < 300, "\(method) \(path): \(answer.text)")
    }

    /// Waits until all members see it so.
    private func expect(
        _ status: Int, for key: String, as credentials: String?, _ cluster: KvdCluster
    ) throws {
        for member in cluster.members.indices {
            try waitUntil("\(credentials ?? "guest") gets \(status) for \(key) from \(member)") {
                try get(key, as: credentials, of: member, cluster) == status
            }
        }
    }

    @Test func aClustersUsers() throws {
        let cluster = try KvdCluster(size: 3)
        try cluster.startAll()
        try cluster.waitReady()
        // Each on another member: two of the three are followers.
        try change(
            "PUT", "/v2/auth/users/root", #"{"user":"root","password":"r"}"#, on: 0, cluster)
        try change(
            "PUT", "/v2/auth/roles/app",
            #"{"role":"app","permissions":{"kv":{"read":["/app/*"],"write":["/app/*"]}}}"#, on: 1,
            cluster)
        try change(
            "PUT", "/v2/auth/users/bob", #"{"user":"bob","password":"b","roles":["app"]}"#, on: 2,
            cluster)
        let put = try cluster.client(0).request("PUT", "/v2/keys/app/x", form: "value=1")
        #expect(put.status == 201)
        try change("PUT", "/v2/auth/enable", on: 1, cluster)
        try expect(200, for: "/app/x", as: nil, cluster)
        try change(
            "PUT", "/v2/auth/roles/guest",
            #"{"role":"guest","revoke":{"kv":{"read":["/*"],"write":["/*"]}}}"#, as: "root:r",
            on: 2, cluster)
        try expect(401, for: "/app/x", as: nil, cluster)
        try expect(200, for: "/app/x", as: "bob:b", cluster)
        try expect(401, for: "/app/x", as: "bob:no", cluster)
        try expect(401, for: "/other", as: "bob:b", cluster)
        try expect(404, for: "/other", as: "root:r", cluster)

        // All members know the password by now; one of them hears that it is another.
        try change(
            "PUT", "/v2/auth/users/bob", #"{"user":"bob","password":"new"}"#, as: "root:r", on: 0,
            cluster)
        try expect(401, for: "/app/x", as: "bob:b", cluster)
        try expect(200, for: "/app/x", as: "bob:new", cluster)

        // From the very first answer after a start, nobody gets in who could not before.
        for member in cluster.members.indices { cluster.killNine(member) }
        try cluster.startAll()
        for member in cluster.members.indices {
            try waitUntil("member \(member) answers") {
                guard let client = try? cluster.client(member) else { return false }
                let guest = try client.request("GET", "/v2/keys/app/x")
                #expect(guest.status == 401 || guest.status == 500, "\(guest)")
                let write = try client.request("PUT", "/v2/keys/app/x", form: "value=2")
                #expect(write.status == 401 || write.status == 500, "\(write)")
                return guest.status == 401 && write.status == 401
            }
        }
        try expect(200, for: "/app/x", as: "bob:new", cluster)
        try expect(401, for: "/app/x", as: "bob:b", cluster)

        try change("DELETE", "/v2/auth/users/bob", as: "root:r", on: 2, cluster)
        try expect(401, for: "/app/x", as: "bob:new", cluster)
        try change("DELETE", "/v2/auth/enable", as: "root:r", on: 1, cluster)
        try expect(200, for: "/app/x", as: nil, cluster)
    }

    /// Hashes made by Go's bcrypt, entries written by an etcd (`Fixtures/etcd/v3.4.23-auth`).
    @Test func anEtcdsUsersAreTakenOver() throws {
        let folder = try TemporaryFolder()
        let name = "v3.4.23-auth"
        let tar = Process()
        tar.executableURL = URL(filePath: "/usr/bin/env")
        tar.arguments = [
            "tar", "xzf",
            ProcessSupport.packageFolder.appending(path: "Fixtures/etcd/\(name).tar.gz").path,
            "-C", folder.path(""),
        ]
        try tar.run()
        tar.waitUntilExit()
        try #require(tar.terminationStatus == 0)
        let ports = try FreePorts.take(2)
        let (client, peer) = ("http://127.0.0.1:\(ports[0])", "http://127.0.0.1:\(ports[1])")
        let kvd = try KvdProcess(
            arguments: [
                "--name", "n1", "--data-dir", folder.path(name), "--listen-client-urls", client,
                "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--heartbeat-interval", "20", "--election-timeout", "200",
            ], clientPort: ports[0], logPath: folder.path("kvd.log"))
        try waitUntil("kvd answers; its log:\n\(kvd.log)") {
            guard let client = try? LoopbackHTTP(port: ports[0]) else { return false }
            return try client.request("GET", "/v2/auth/enable").text == "{\"enabled\":true}\n"
        }
        for (credentials, key, status) in [
            ("root:root secret", "/app/x", 200), ("bob:b\u{fc}b:\u{ff}", "/app/x", 200),
            ("bob:bub", "/app/x", 401), ("bob:b\u{fc}b:\u{ff}", "/other", 401),
        ] {
            let answer = try LoopbackHTTP(port: ports[0]).request(
                "GET", "/v2/keys\(key)", headers: header(credentials))
            #expect(answer.status == status, "\(credentials): \(answer.text)")
        }
        let guest = try LoopbackHTTP(port: ports[0]).request("GET", "/v2/keys/app/x")
        #expect(guest.status == 401)
        let users = try LoopbackHTTP(port: ports[0]).request(
            "GET", "/v2/auth/users", headers: header("root:root secret"))
        let role = #"{"role":"app","permissions":{"kv":{"read":["/app/*"],"write":["/app/*"]}}}"#
        let root = #"{"role":"root","permissions":{"kv":{"read":["/*"],"write":["/*"]}}}"#
        #expect(
            users.text
                == #"{"users":[{"user":"bob","roles":[\#(role)]},{"user":"root","roles":[\#(root)]}]}"#
                + "\n")
    }
}
