import Foundation
import ProcessSupport
import Testing

/// `kvd discovery` from outside: tokens, their life, and what is not served.
@Suite struct DiscoveryServiceTests {
    @Test func aTokenIsServedAsTheOldServiceDid() throws {
        let service = try DiscoveryHost.service()
        let client = try service.client()
        let token = try service.newToken(size: 2).suffix(32)
        let size = try client.request("GET", "/\(token)/_config/size")
        #expect(size.status == 200 && size.node["value"] as? String == "2")
        #expect(size.node["key"] as? String == "/_etcd/registry/\(token)/_config/size")
        let put = try client.request(
            "PUT", "/\(token)/1c5?prevExist=false", form: "value=a%3Dhttp://10.0.0.1:1")
        #expect(put.status == 201 && put.node["value"] as? String == "a=http://10.0.0.1:1")
        let again = try client.request("PUT", "/\(token)/1c5?prevExist=false", form: "value=x")
        #expect(again.status == 412 && again.json["errorCode"] as? Int == 105)
        // The same keys under the name that they have on any etcd.
        for path in ["/\(token)", "/\(token)/", "/v2/keys/_etcd/registry/\(token)"] {
            let list = try client.request("GET", path)
            #expect((list.node["nodes"] as? [Any])?.count == 1, "\(path)")
            #expect(list.headers["x-etcd-index"] != nil)
        }
        let watcher = try service.client()
        try watcher.send("GET", "/\(token)?recursive=true&wait=true")
        #expect(try watcher.readHead().status == 200)
        _ = try client.request("PUT", "/\(token)/1c6", form: "value=b%3Dhttp://10.0.0.2:1")
        let event = try #require(try watcher.readChunk())
        #expect(String(decoding: event, as: UTF8.self).contains("/1c6"))
        #expect(try client.request("DELETE", "/\(token)/1c6").status == 200)
        #expect(try client.request("POST", "/new", form: "size=7").status == 200)
        #expect(try client.request("GET", "/robots.txt").text.hasPrefix("User-agent"))
        #expect(try client.request("GET", "/").text.contains("/new?size=3"))
    }

    @Test func nothingElseIsServed() throws {
        let service = try DiscoveryHost.service()
        let client = try service.client()
        let token = try service.newToken(size: 2).suffix(32)
        let other = String(repeating: "0", count: 32)
        let closed: [(String, String, Int)] = [
            ("GET", "/v2/keys/", 404), ("GET", "/v2/keys/_etcd?recursive=true", 404),
            ("PUT", "/v2/keys/a", 404), ("DELETE", "/v2/keys/_etcd?recursive=true", 404),
            ("GET", "/v2/keys/_etcd/registry/\(token)/../", 404),
            ("GET", "/\(token)/%2e%2e/x", 404), ("GET", "/\(token)/../", 404),
            ("GET", "/\(token)/_config", 404), ("GET", "/v2/admin/backup", 404),
            ("POST", "/v2/members", 405), ("DELETE", "/v2/members/1", 404),
            ("DELETE", "/\(token)?recursive=true", 405), ("PUT", "/\(token)?dir=true&ttl=1", 405),
            ("PUT", "/\(token)/_config/size", 405), ("GET", "/new?size=0", 400),
            ("GET", "/new?size=many", 400), ("GET", "/\(other)", 404), ("GET", "/\(other)x", 404),
            ("PUT", "/\(other)/1c5?prevExist=false", 404), ("GET", "/?token=\(other)", 404),
        ]
        for (method, path, status) in closed {
            let form = method == "PUT" ? "value=1" : nil
            let answer = try client.request(method, path, form: form)
            #expect(answer.status == status, "\(method) \(path)")
        }
        let size = try client.request("GET", "/\(token)/_config/size")
        #expect(size.node["value"] as? String == "2")
    }

    @Test func tokensAreForgottenUnlessTheirClusterIsComplete() throws {
        let service = try DiscoveryHost.service(["--token-ttl", "2"])
        let client = try service.client()
        let complete = try service.newToken(size: 1).suffix(32)
        let unfinished = try service.newToken(size: 2).suffix(32)
        for token in [complete, unfinished] {
            _ = try client.request("PUT", "/\(token)/1c5", form: "value=a%3Dhttp://10.0.0.1:1")
        }
        #expect(
            try client.request("GET", "/?token=\(unfinished)").text.contains("members: 1 of 2"))
        try waitUntil("the token is forgotten") {
            try client.request("GET", "/\(unfinished)").status == 404
        }
        #expect(try client.request("GET", "/\(complete)").status == 200)
        let late = try DiscoveredCluster(
            "http://127.0.0.1:\(service.process.clientPort)/\(unfinished)")
        let member = try late.process(0)
        #expect(member.wait() == 1)
        #expect(
            member.log.contains(
                "failed to join discovery cluster (100: Key not found (/_etcd/registry/\(unfinished)"
            ))
    }

    @Test func threeServicesAreOne() throws {
        let ports = try FreePorts.take(6)
        let names = (0..<3).map { "s\($0)=http://127.0.0.1:\(ports[3 + $0])" }
        let services = try (0..<3).map { n in
            try DiscoveryHost.service(
                [
                    "--name", "s\(n)", "--initial-cluster", names.joined(separator: ","),
                    "--heartbeat-interval", "20", "--election-timeout", "200",
                ], clientPort: ports[n], peerPort: ports[3 + n])
        }
        let url = try services[0].newToken(size: 3)
        let token = url.suffix(32)
        // Registered at one, seen at another, and still there when the one that made it has gone.
        try waitUntil("the token is everywhere") {
            // One that has not begun to listen is waited for as well.
            services.allSatisfy {
                (try? $0.client().request("GET", "/\(token)/_config/size").status) == 200
            }
        }
        let put = try services[1].client().request(
            "PUT", "/\(token)/1c5", form: "value=a%3Dhttp://10.0.0.1:1")
        #expect(put.status == 201)
        services[0].process.kill(SIGKILL)
        services[0].process.wait()
        try waitUntil("a registration at the third") {
            try services[2].client().request(
                "PUT", "/\(token)/1c6", form: "value=b%3Dhttp://10.0.0.2:1"
            ).status == 201
        }
        let page = try services[2].client().request("GET", "/?token=\(token)")
        #expect(page.text.contains("members: 2 of 3"))
    }
}
