import Foundation
import RaftModel
import Testing

@testable import Cluster

@Suite struct MemberJSONTests {
    private let m1 = Member(
        id: MemberID(8_698_145_119_620_381_117), peerURLs: ["http://127.0.0.1:22191"], name: "m1",
        clientURLs: ["http://127.0.0.1:22190"])

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func contextOfAConfChange() throws {
        #expect(
            text(MemberJSON.context(m1))
                == "{\"id\":8698145119620381117,\"peerURLs\":[\"http://127.0.0.1:22191\"],"
                + "\"name\":\"m1\",\"clientURLs\":[\"http://127.0.0.1:22190\"]}")
        let unstarted = Member(id: MemberID(UInt64.max), peerURLs: ["http://a:1", "http://b:1"])
        let bytes = MemberJSON.context(unstarted)
        #expect(
            text(bytes)
                == "{\"id\":18446744073709551615,\"peerURLs\":[\"http://a:1\",\"http://b:1\"]}")
        #expect(try MemberJSON.member(fromContext: bytes) == unstarted)
        #expect(try MemberJSON.member(fromContext: MemberJSON.context(m1)) == m1)
    }

    @Test func attributesAndRaftAttributes() throws {
        let attributes = MemberAttributes(name: "m<1>", clientURLs: ["http://a:1"])
        let bytes = MemberJSON.attributes(attributes)
        #expect(text(bytes) == #"{"name":"m\u003c1\u003e","clientURLs":["http://a:1"]}"#)
        #expect(try MemberJSON.attributes(from: bytes) == attributes)
        let nameless = MemberAttributes(name: "", clientURLs: ["http://a:1"])
        #expect(text(MemberJSON.attributes(nameless)) == #"{"clientURLs":["http://a:1"]}"#)
        let empty = MemberAttributes(name: "", clientURLs: [])
        #expect(text(MemberJSON.attributes(empty)) == "{}")
        #expect(try MemberJSON.attributes(from: Array("{}".utf8)) == empty)
        let raft = MemberJSON.raftAttributes(peerURLs: ["http://a:1", "http://b:1"])
        #expect(text(raft) == #"{"peerURLs":["http://a:1","http://b:1"]}"#)
        #expect(
            try MemberJSON.peerURLs(fromRaftAttributes: raft) == ["http://a:1", "http://b:1"])
    }

    /// The answer of a real 2.3.8, captured: decoded and written again it is the same.
    @Test func peerListOfARealMember() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Fixtures/cli/get-members.resp.http")
        let answer = try String(contentsOf: file, encoding: .utf8)
        let body = try #require(answer.split(separator: "\r\n\r\n", maxSplits: 1).last)
        let members = try MemberJSON.members(fromPeerList: Array(body.utf8))
        #expect(members.map(\.name) == ["m1", "m2", "", "m3"])
        #expect(members.map(\.isStarted) == [true, true, false, true])
        #expect(members[3].id == MemberID(10_433_387_130_173_306_303))
        #expect(text(MemberJSON.peerList(members)) == body)
        #expect(text(MemberJSON.peerList([])) == "[]\n")
    }

    @Test func clientList() {
        let unstarted = Member(id: MemberID(255), peerURLs: ["http://b:1"])
        #expect(
            text(MemberJSON.clientList([m1, unstarted]))
                == #"{"members":[{"id":"ff","name":"","peerURLs":["http://b:1"],"clientURLs":[]},"#
                + #"{"id":"78b604e6cbc539bd","name":"m1","peerURLs":["http://127.0.0.1:22191"],"#
                + #""clientURLs":["http://127.0.0.1:22190"]}]}"# + "\n")
        #expect(
            text(MemberJSON.clientMember(unstarted))
                == #"{"id":"ff","name":"","peerURLs":["http://b:1"],"clientURLs":[]}"# + "\n")
    }

    @Test func bodiesThatAreWrong() {
        for body in ["", "{}x", "[1]", "{\"members\":[]}", "[{\"id\":\"ff\"}]"] {
            #expect(throws: JSONError.self, "\(body)") {
                try MemberJSON.members(fromPeerList: Array(body.utf8))
            }
        }
        #expect(throws: JSONError.self) {
            try MemberJSON.peerURLs(fromRequest: Array("[]".utf8))
        }
    }

    @Test func requestBodies() throws {
        let body = Array(#"{"name":"x","peerURLs":[" http://a:1"]}"#.utf8)
        #expect(try MemberJSON.peerURLs(fromRequest: body) == [" http://a:1"])
        #expect(try MemberJSON.peerURLs(fromRequest: Array("{}".utf8)).isEmpty)
    }

    /// The first three entries of the fixture v2.3.8-cluster3, from its listing.
    @Test func bootstrapEntriesOfARealCluster() throws {
        let cluster = try InitialCluster(
            "m1=http://127.0.0.1:22111,m2=http://127.0.0.1:22121,m3=http://127.0.0.1:22131")
        let members = cluster.makeMembers(token: "fixture")
        let entries = Bootstrap.entries(members)
        #expect(entries.map(\.index) == [1, 2, 3])
        #expect(entries.allSatisfy { $0.term == 1 && $0.kind == .confChange })
        #expect(entries.map(\.data.count) == [92, 94, 94])
        #expect(entries.map(\.encodedSize) == [100, 102, 102])
        let changes = try entries.map { try ConfChange.decode($0.data) }
        #expect(changes.allSatisfy { $0.id == 0 && $0.kind == .add })
        #expect(
            changes.map { text($0.context) } == [
                #"{"id":2464057063727688486,"peerURLs":["http://127.0.0.1:22131"],"name":"m3"}"#,
                #"{"id":15821810578419843142,"peerURLs":["http://127.0.0.1:22121"],"name":"m2"}"#,
                #"{"id":16248943686917192919,"peerURLs":["http://127.0.0.1:22111"],"name":"m1"}"#,
            ])
        let state = Bootstrap.hardState(members)
        #expect(state.term == 1 && state.vote == .none && state.commit == 3)
    }
}
