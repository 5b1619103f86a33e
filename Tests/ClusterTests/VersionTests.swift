import RaftModel
import Testing

@testable import Cluster

@Suite struct VersionTests {
    private func versions(_ server: String, _ cluster: String = "2.3.0") -> MemberVersions {
        MemberVersions(server: SemanticVersion(server)!, cluster: SemanticVersion(cluster))
    }

    @Test func parsing() {
        #expect(SemanticVersion("2.3.8") == SemanticVersion(2, 3, 8))
        #expect(SemanticVersion("3.0.0-beta.0+git") == SemanticVersion(3, 0, 0))
        #expect(SemanticVersion("10.20.30")?.description == "10.20.30")
        for text in [
            "", "2", "2.3", "2.3.8.1", "v2.3.8", "2..8", "a.b.c", "-1.0.0", "2.+3.8",
            "not_decided", "99999999999999999999.0.0", " 2.3.8",
        ] {
            #expect(SemanticVersion(text) == nil, "\(text)")
        }
    }

    @Test func order() {
        let sorted = ["1.9.9", "2.0.0", "2.0.13", "2.3.8", "2.10.0", "3.0.0"]
        #expect(sorted.compactMap { SemanticVersion($0) }.sorted().map(\.description) == sorted)
        #expect(SemanticVersion(2, 3, 8).majorMinor == "2.3")
    }

    /// What a real 2.3.8 accepts and refuses: `reference/peer-protocol.md` §2.
    @Test func peersOfA238() {
        let check = PeerCompatibility()
        #expect(check.check(version: "2.3.8", minimumClusterVersion: "2.2.0") == .compatible)
        #expect(check.check(version: "2.2.0", minimumClusterVersion: "2.1.0") == .compatible)
        #expect(check.check(version: "3.0.0", minimumClusterVersion: "2.3.0") == .compatible)
        #expect(
            check.check(version: "2.1.0", minimumClusterVersion: nil)
                == .peerTooOld(SemanticVersion(2, 1)))
        #expect(
            check.check(version: nil, minimumClusterVersion: nil)
                == .peerTooOld(SemanticVersion(2, 0)))
        #expect(
            check.check(version: "3.1.0", minimumClusterVersion: "3.0.0")
                == .localTooOld(required: SemanticVersion(3, 0)))
        #expect(
            check.check(version: "two", minimumClusterVersion: nil) == .unreadable("two"))
    }

    @Test func firstClusterVersion() {
        let one = [MemberID(1): Optional(versions("2.3.8"))]
        let decision = ClusterVersion.decide(current: nil, members: one)
        #expect(decision == .setInitial(SemanticVersion(2, 3)))
        #expect(decision.version?.description == "2.3.0")
        #expect(decision.logLine == "setting up the initial cluster version to 2.3")
    }

    @Test func aMemberThatCannotBeAskedMeansTheLeastVersion() {
        let members = [MemberID(1): Optional(versions("2.3.8")), MemberID(2): nil]
        #expect(
            ClusterVersion.decide(current: nil, members: members)
                == .setInitial(SemanticVersion(2, 2)))
        #expect(
            ClusterVersion.decide(current: SemanticVersion(2, 2), members: members) == .keep)
    }

    @Test func theLowestMemberDecides() {
        let members = [
            MemberID(1): Optional(versions("2.3.8")), MemberID(2): versions("2.2.5"),
            MemberID(3): versions("3.0.0"),
        ]
        #expect(
            ClusterVersion.decide(current: nil, members: members)
                == .setInitial(SemanticVersion(2, 2)))
        let old = [MemberID(1): Optional(versions("2.3.8")), MemberID(2): .endpointMissing]
        #expect(
            ClusterVersion.decide(current: nil, members: old)
                == .setInitial(SemanticVersion(2, 0)))
    }

    @Test func onlyUpwards() {
        let members = [MemberID(1): Optional(versions("2.3.8"))]
        let up = ClusterVersion.decide(current: SemanticVersion(2, 2), members: members)
        #expect(up == .raise(from: SemanticVersion(2, 2), to: SemanticVersion(2, 3)))
        #expect(up.logLine == "updating the cluster version from 2.2 to 2.3")
        for current in [SemanticVersion(2, 3), SemanticVersion(3, 0)] {
            let decision = ClusterVersion.decide(current: current, members: members)
            #expect(decision == .keep && decision.version == nil && decision.logLine == nil)
        }
    }

    @Test func warningsAndDowngrades() {
        let newer = [MemberID(1): Optional(versions("2.3.8")), MemberID(2): versions("3.0.1")]
        let warning = ClusterVersion.outdatedLeaderWarning(local: .served, members: newer)
        #expect(warning?.hasPrefix("the local etcd version 2.3.8 is not up-to-date") == true)
        let same = [MemberID(1): Optional(versions("2.3.9"))]
        #expect(ClusterVersion.outdatedLeaderWarning(local: .served, members: same) == nil)
        #expect(
            ClusterVersion.downgradeFault(local: .served, cluster: SemanticVersion(3, 0))
                == "cluster cannot be downgraded (current version: 2.3.8 is lower than "
                + "determined cluster version: 3.0).")
        #expect(
            ClusterVersion.downgradeFault(local: .served, cluster: SemanticVersion(2, 3)) == nil)
    }

    @Test func joiningARunningCluster() {
        #expect(ClusterVersion.canJoin([versions("2.3.8", "2.3.0"), nil]))
        #expect(ClusterVersion.canJoin([versions("2.2.0", "2.2.0")]))
        #expect(ClusterVersion.canJoin([versions("2.3.8"), versions("2.3.8", "not_decided")]))
        #expect(!ClusterVersion.canJoin([versions("2.3.8", "not_decided")]))
        #expect(!ClusterVersion.canJoin([nil]))
        #expect(!ClusterVersion.canJoin([versions("2.3.8"), versions("3.0.0", "3.0.0")]))
        #expect(!ClusterVersion.canJoin([versions("2.1.0", "2.1.0")]))
    }

    @Test func versionAnswers() throws {
        let bytes = MemberVersions.json(server: .served, cluster: SemanticVersion(2, 3))
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "{\"etcdserver\":\"2.3.8\",\"etcdcluster\":\"2.3.0\"}")
        #expect(try MemberVersions(json: bytes) == versions("2.3.8"))
        let undecided = MemberVersions.json(server: .served, cluster: nil)
        #expect(
            String(decoding: undecided, as: UTF8.self)
                == "{\"etcdserver\":\"2.3.8\",\"etcdcluster\":\"not_decided\"}")
        #expect(try MemberVersions(json: undecided).cluster == nil)
        #expect(throws: JSONError.self) { try MemberVersions(json: Array("{}".utf8)) }
    }

    @Test func capabilities() {
        #expect(!Capability.auth.isEnabled(clusterVersion: nil))
        #expect(!Capability.auth.isEnabled(clusterVersion: SemanticVersion(2, 0)))
        #expect(Capability.auth.isEnabled(clusterVersion: SemanticVersion(2, 1)))
        #expect(Capability.auth.isEnabled(clusterVersion: SemanticVersion(2, 3)))
    }

    @Test func initialClusterTexts() throws {
        let cluster = try InitialCluster("b=http://b:1,a=http://a:2,,a=http://a:1,")
        #expect(cluster.description == "a=http://a:1,a=http://a:2,b=http://b:1")
        #expect(cluster.names == ["a", "b"])
        #expect(cluster["a"]?.map(\.description) == ["http://a:1", "http://a:2"])
        #expect(cluster["c"] == nil)
        #expect(try InitialCluster("").isEmpty)
        #expect(try InitialCluster("a=http://x:1,b=http://x:1").duplicateURLs.count == 1)
        #expect(throws: EndpointURLError.self) { try InitialCluster("a") }
        #expect(throws: EndpointURLError.self) { try InitialCluster("a=") }
        // Only the first equals sign parts name and URL.
        #expect(throws: EndpointURLError.self) { try InitialCluster("a=b=http://x:1") }
        #expect(try InitialCluster("=http://x:1").names == [""])
    }
}
