import Foundation
import GoldenSupport
import Logging
import Logs
import Testing

@testable import ClientAPI

/// `/config/local/log`, `/debug/vars` and CORS.
@Suite struct ProcessTests {
    private func withClient(
        _ configuration: ClientServerConfiguration = ClientServerConfiguration(),
        _ body: (RawClient) throws -> Void
    ) throws {
        try SingleNode.with(configuration) { try body(RawClient(port: $0.port)) }
    }

    @Test func theLevelOfAllLoggersIsSet() throws {
        var configuration = ClientServerConfiguration()
        configuration.logLevels = LogLevels()
        let levels = configuration.logLevels
        let logger = Logs.logger("raft", levels: levels)
        try withClient(configuration) { client in
            func put(_ body: String) throws -> Int {
                try client.send(
                    "PUT /config/local/log HTTP/1.1\r\nHost: h\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                return Int(try client.response().statusLine.split(separator: " ")[1]) ?? 0
            }
            let withMore = try put(#"{"LEVEL":"debug"} and more"#)
            #expect(withMore == 204)
            #expect(logger.logLevel == .debug)
            let byLetter = try put(#"{"Level":"C"}"#)
            #expect(byLetter == 204)
            #expect(logger.logLevel == .critical)
            for body in [#"{"Level":"all"}"#, "null", "[]", #"{"Level":"#, "7"] {
                let status = try put(body)
                #expect(status == 400)
            }
            #expect(logger.logLevel == .critical)
        }
    }

    @Test func theVariablesAreJSONThatGoClientsKnow() throws {
        try withClient { client in
            let response = try client.request("GET", "/debug/vars")
            #expect(response.text.hasPrefix("{\n\"cmdline\": [\""))
            let json = try #require(
                JSONSerialization.jsonObject(with: Data(response.text.utf8)) as? [String: Any])
            #expect((json["cmdline"] as? [String])?.isEmpty == false)
            #expect((json["file_descriptor_limit"] as? Int).map { $0 > 0 } == true)
            let memory = try #require(json["memstats"] as? [String: Any])
            #expect((memory["Alloc"] as? Int).map { $0 > 100_000 } == true)
            #expect((memory["Sys"] as? Int).map { $0 > 100_000 } == true)
            #expect(memory["NumGC"] as? Int == 0)
            let raft = try #require(json["raft.status"] as? [String: Any])
            #expect(raft["raftState"] as? String == "StateLeader")
            #expect(raft["id"] as? String == raft["lead"] as? String)
            let progress = try #require(raft["progress"] as? [String: [String: Any]])
            let id = try #require(raft["id"] as? String)
            let own = try #require(progress[id])
            #expect((own["match"] as? Int).map { $0 > 0 } == true)
        }
    }

    @Test func originsAreComparedWhole() {
        let origins = CrossOrigins(["http://a", "http://b"])
        #expect(!origins.isEmpty)
        #expect(origins.grant(to: "http://a") != origins.grant(to: "http://b"))
        for origin in ["http://A", "http://a/", "a", "", "*"] {
            #expect(origins.grant(to: origin) == .none)
        }
        #expect(origins.grant(to: nil) == .none)
        let text = String(
            decoding: origins.lines(of: origins.grant(to: "http://b")), as: UTF8.self)
        #expect(text.contains("\r\nAccess-Control-Allow-Origin: http://b\r\n"))
    }

    @Test func aStarIsForAllAndBeatsTheOthers() {
        let origins = CrossOrigins(["http://a", "*"])
        #expect(origins.grant(to: nil) == origins.grant(to: "http://a"))
        let text = String(decoding: origins.lines(of: origins.grant(to: nil)), as: UTF8.self)
        #expect(text.contains("\r\nAccess-Control-Allow-Origin: *\r\n"))
        #expect(CrossOrigins([]).isEmpty)
    }

    @Test func watchesHaveTheHeadersToo() throws {
        var configuration = ClientServerConfiguration()
        configuration.allowedOrigins = ["http://a"]
        try withClient(configuration) { client in
            try client.send(
                "GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\n\r\n")
            #expect(try client.head()["Access-Control-Allow-Origin"] == "http://a")
        }
    }
}
