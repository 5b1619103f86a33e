import Cluster
import RaftModel
import Testing

@testable import Discovery

/// The client's decisions; `reference/discovery.md` §2 and §6.
@Suite struct DiscoveryJoinTests {
    private static let d2: JoinScript.Member = (
        "1e6b564a55c8206b", "d2=http://127.0.0.1:22831", 6
    )
    private static let d3: JoinScript.Member = (
        "2b4776af078f09a9", "d3=http://127.0.0.1:22841", 7
    )

    /// The requests of a real 2.3.8 whose traffic was recorded, and the lines it wrote.
    @Test func asksWhatEtcdAsks() throws {
        var script = try JoinScript()
        #expect(script.action == .send(.size))
        script.answer(size: "3")
        #expect(script.action == .send(.members))
        script.answer(members: [], index: 4)
        let value = "d1=http://127.0.0.1:22821"
        #expect(script.action == .send(.register(script.id, value: value)))
        script.answer(event: "create", script.own(5))
        #expect(script.action == .send(.confirm(script.id, index: 5)))
        script.answer(event: "create", script.own(5))
        #expect(script.action == .send(.size))
        script.answer(size: "3")
        #expect(script.action == .send(.members))
        script.answer(members: [script.own(5)], index: 5)
        #expect(script.action == .send(.next(index: 6)))
        script.answer(event: "create", Self.d2)
        #expect(script.action == .send(.next(index: 7)))
        script.answer(event: "create", Self.d3)
        guard case .complete(let cluster)? = script.outcome else {
            Issue.record("\(script.action)")
            return
        }
        #expect(
            cluster.description == "d1=http://127.0.0.1:22821,d2=http://127.0.0.1:22831,"
                + "d3=http://127.0.0.1:22841")
        #expect(
            script.texts == [
                "found self \(script.id) in the cluster", "found 1 peer(s), waiting for 2 more",
                "found peer 1e6b564a55c8206b in the cluster",
                "found 2 peer(s), waiting for 1 more",
                "found peer 2b4776af078f09a9 in the cluster", "found 3 needed peer(s)",
            ])
        #expect(script.notes.allSatisfy { $0.level == .notice })
    }

    @Test func aFullTokenIsLeftWithoutATrace() throws {
        var script = try JoinScript()
        script.answer(size: "2")
        script.answer(members: [Self.d3, Self.d2], index: 7)
        let cluster = try InitialCluster("d2=http://127.0.0.1:22831,d3=http://127.0.0.1:22841")
        #expect(script.outcome == .full(cluster))
    }

    @Test func whoComesTooLateInTheSecondCheckIsOut() throws {
        var script = try JoinScript()
        script.register(size: 2, at: 8)
        script.answer(members: [Self.d2, Self.d3, script.own(8)], index: 8)
        guard case .full? = script.outcome else {
            Issue.record("\(script.action)")
            return
        }
    }

    @Test func moreThanNeededAreCutOff() throws {
        var script = try JoinScript()
        script.register(size: 2, at: 5)
        script.answer(members: [Self.d3, Self.d2, script.own(5)], index: 8)
        guard case .complete(let cluster)? = script.outcome else {
            Issue.record("\(script.action)")
            return
        }
        #expect(cluster.names == ["d1", "d2"])
    }

    // MARK: - Resuming

    @Test func anUnfinishedStartOfThisDataDirGoesOn() throws {
        var script = try JoinScript(mayResume: true)
        script.answer(size: "3")
        script.answer(members: [script.own(5), Self.d2], index: 6)
        #expect(script.action == .send(.next(index: 7)))
        #expect(script.texts.first?.contains("earlier start") == true)
        script.answer(event: "create", Self.d3)
        #expect(script.outcome != nil && script.fault == nil)
    }

    @Test func anUnfinishedStartGoesOnAlthoughOthersHaveCompletedTheCluster() throws {
        var script = try JoinScript(mayResume: true)
        script.answer(size: "3")
        script.answer(members: [script.own(5), Self.d2, Self.d3], index: 7)
        guard case .complete? = script.outcome else {
            Issue.record("\(script.action)")
            return
        }
    }

    @Test func anIdThatIsTakenIsRefused() throws {
        for size in [1, 3] {
            var script = try JoinScript()
            script.answer(size: "\(size)")
            script.answer(members: [script.own(5)], index: 5)
            #expect(script.fault == .previouslyRegistered)
        }
        var other = try JoinScript(name: "x9", mayResume: true)
        other.answer(size: "3")
        other.answer(members: [other.own(5)], index: 5)
        #expect(other.fault == .registeredOtherwise(value: "d1=http://127.0.0.1:22821"))
    }

    @Test func aRegistrationWhoseAnswerWasLostIsLookedFor() throws {
        var script = try JoinScript()
        script.answer(size: "3")
        script.answer(members: [], index: 4)
        script.fail("connection reset")
        #expect(script.action == .pause(seconds: 2))
        script.resume()
        script.answer(size: "3")
        // It had gone through.
        script.answer(members: [script.own(5)], index: 5)
        #expect(script.action == .send(.next(index: 6)))
    }

    @Test func twoWithOneIdAtTheSameTimeAreNotTakenForOne() throws {
        var script = try JoinScript()
        script.answer(size: "3")
        script.answer(members: [], index: 4)
        script.answer(error: 105, "Key already exists")
        #expect(script.fault == .previouslyRegistered)
    }

    // MARK: - Waiting

    @Test func onlyMembersCountAndEachOnce() throws {
        var script = try JoinScript()
        script.register()
        script.answer(members: [script.own(5)], index: 5)
        script.answer(event: "set", ("_state", "started", 6))
        #expect(script.action == .send(.next(index: 7)))
        script.answer(event: "set", script.own(7))
        #expect(script.action == .send(.next(index: 8)))
        script.answer(
            #"{"action":"update","node":{"key":"/_etcd/registry/tok1","dir":true,"modifiedIndex":8}}"#
        )
        #expect(script.action == .send(.next(index: 9)))
        script.answer("", index: 9)
        #expect(script.action == .send(.next(index: 9)), "an empty answer: asked again")
        #expect(script.texts.filter { $0.hasPrefix("found 1 peer") }.count == 1)
    }

    @Test func aRemovalOrALostHistoryMakesItLookAgain() throws {
        for isRemoval in [true, false] {
            var script = try JoinScript()
            script.register()
            script.answer(members: [script.own(5)], index: 5)
            if isRemoval {
                script.answer(event: "delete", Self.d2)
            } else {
                script.answer(
                    #"{"errorCode":401,"message":"m","cause":"c","index":1}"#, status: 400)
            }
            #expect(script.action == .send(.size))
        }
    }

    @Test func aTokenThatExpiresEndsTheWait() throws {
        var script = try JoinScript()
        script.register()
        script.answer(members: [script.own(5)], index: 5)
        script.answer(
            #"{"action":"expire","node":{"key":"/_etcd/registry/tok1","modifiedIndex":6}}"#)
        script.answer(error: 100, "Key not found")
        #expect(script.fault?.description == "100: Key not found (/c) [7]")
    }

    @Test func anOnlookerRegistersNothing() throws {
        var script = try JoinScript.onlooker()
        script.answer(size: "2")
        script.answer(members: [Self.d2], index: 6)
        #expect(script.action == .send(.next(index: 7)))
        script.answer(event: "create", Self.d3)
        guard case .complete(let cluster)? = script.outcome else {
            Issue.record("\(script.action)")
            return
        }
        #expect(cluster.names == ["d2", "d3"])
    }

    // MARK: - Trouble

    @Test func pausesGrowToAMinuteAndStartAnew() throws {
        var script = try JoinScript()
        var pauses: [Int] = []
        for _ in 0..<8 {
            script.fail()
            guard case .pause(let seconds) = script.action else {
                Issue.record("\(script.action)")
                return
            }
            pauses.append(seconds)
            script.resume()
        }
        #expect(pauses == [2, 4, 8, 16, 32, 64, 64, 64])
        #expect(script.texts[0] == "error #0: connection refused")
        #expect(
            script.texts[1]
                == "cluster status check: error connecting to \"\(JoinScript.url)\", retrying in 2s"
        )
        #expect(script.notes.filter { $0.text.contains("answers nobody") }.count == 1)
        script.answer(size: "3")
        script.answer("{}", status: 503)
        #expect(script.action == .pause(seconds: 2))
        script.resume()
        script.register()
        script.answer(members: [script.own(5)], index: 5)
        script.fail()
        #expect(script.texts.last?.hasPrefix("waiting for other nodes: error connecting") == true)
    }

    @Test func whatIsWrongWithATokenIsSaid() throws {
        var script = try JoinScript()
        script.answer(error: 100, "Key not found", cause: "/_etcd/registry/nosize")
        let lines = try #require(script.fault).notes(
            name: "d1", url: ServiceURL(JoinScript.url), dataDirectory: "d1.etcd")
        #expect(
            lines.first?.text == "failed to join discovery cluster "
                + "(100: Key not found (/_etcd/registry/nosize) [7])")
        for bad in ["", "x", "0", "-1", "3 "] {
            var script = try JoinScript()
            script.answer(size: bad)
            #expect(script.fault == .sizeIsBad(bad))
        }
        for page in ["<html>", "{}", #"{"node":7}"#, "[]"] {
            var script = try JoinScript()
            script.answer(page)
            #expect(script.fault == .badEndpoint("status 200"), "\(page)")
        }
    }

    @Test func whatMembersRegisteredIsChecked() throws {
        let bad: [(String, DiscoveryFault)] = [
            ("d2", .invalidURL("d1=http://127.0.0.1:22821,d2")),
            (
                "d1=http://127.0.0.1:9",
                .duplicateName("d1=http://127.0.0.1:22821,d1=http://127.0.0.1:9")
            ),
            (
                "d2=http://127.0.0.1:22821",
                .duplicateURL("d1=http://127.0.0.1:22821,d2=http://127.0.0.1:22821")
            ),
        ]
        for (value, fault) in bad {
            var script = try JoinScript()
            script.register(size: 2)
            script.answer(members: [script.own(5), ("ff", value, 6)], index: 6)
            #expect(script.fault == fault)
        }
    }

    @Test func everyFaultHasAnAdvice() throws {
        let url = try ServiceURL(JoinScript.url)
        let faults: [DiscoveryFault] = [
            .full, .previouslyRegistered, .registeredOtherwise(value: "v"), .registrationLost,
            .refused(code: 100, message: "m", cause: "c", index: 1),
            .refused(code: 300, message: "m", cause: "c", index: 1), .sizeIsBad("x"),
            .badEndpoint("p"), .invalidURL("t"), .duplicateName("t"), .duplicateURL("c"),
        ]
        for fault in faults {
            let notes = fault.notes(name: "n", url: url, dataDirectory: "n.etcd")
            #expect(notes.count >= 2 && notes.last?.level == .info, "\(fault)")
        }
    }

    /// The ids of the recorded cluster: `reference/disk-format.md` §5.
    @Test func idsAreThoseOfEtcd() throws {
        let url = try ServiceURL("http://127.0.0.1:22803/v2/keys/_etcd/registry/tok1")
        let registrant = DiscoveryJoin.Registrant(
            name: "d1", urls: [try EndpointURL("http://127.0.0.1:22821")], url: url,
            mayResume: false)
        #expect("\(registrant.id)" == "1c51901482a91f63")
    }
}
