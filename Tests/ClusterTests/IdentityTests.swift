import RaftModel
import Testing

@testable import Cluster

/// The worked examples of `reference/disk-format.md` §5, taken from real clusters.
@Suite struct IdentityTests {
    struct Example: Sendable {
        let cluster: String
        let token: String
        let ids: [String: String]
        let clusterID: String
    }

    static let examples = [
        Example(
            cluster: "m1=http://127.0.0.1:22111,m2=http://127.0.0.1:22121,"
                + "m3=http://127.0.0.1:22131",
            token: "fixture",
            ids: ["m1": "e17fd83152067cd7", "m2": "db925ce4be3b8046", "m3": "223216d825c7eb26"],
            clusterID: "6867554238880106"),
        Example(
            cluster: "d1=http://127.0.0.1:22821,d2=http://127.0.0.1:22831,"
                + "d3=http://127.0.0.1:22841",
            token: "http://127.0.0.1:22803/v2/keys/_etcd/registry/tok1",
            ids: ["d1": "1c51901482a91f63", "d2": "1e6b564a55c8206b", "d3": "2b4776af078f09a9"],
            clusterID: "e908d7c2a72333f5"),
        Example(
            cluster: "default=http://localhost:2380,default=http://localhost:7001",
            token: "etcd-cluster", ids: ["default": "ce2a822cea30bfca"],
            clusterID: "7e27652122e8b2ae"),
    ]

    @Test(arguments: examples)
    func idsAreThoseOfEtcd(_ example: Example) throws {
        let members = try InitialCluster(example.cluster).makeMembers(token: example.token)
        let ids = Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.id.description) })
        #expect(ids == example.ids)
        #expect(members.map(\.id) == members.map(\.id).sorted())
        #expect(ClusterID(members: members.map(\.id)).description == example.clusterID)
    }

    /// Added to a running 2.3.8 by POST /v2/members.
    @Test func idOfAMemberAddedAtRunTime() throws {
        let url = try EndpointURL("http://127.0.0.1:22191")
        let member = Member(added: [url], atUnixSeconds: 1_795_428_142)
        #expect(member.id.description == "78b604e6cbc539bd")
        #expect(member.name.isEmpty && !member.isStarted)
    }

    @Test func orderOfURLsDoesNotMatter() {
        let urls = ["http://localhost:7001", "http://localhost:2380"]
        let id = MemberID(peerURLs: urls, token: "etcd-cluster")
        #expect(id.description == "ce2a822cea30bfca")
    }

    @Test func idsAreReadFromHex() {
        #expect(MemberID(hex: "ff") == MemberID(255))
        #expect(MemberID(hex: "FFFFFFFFFFFFFFFF") == MemberID(UInt64.max))
        #expect(ClusterID(hex: "7e27652122e8b2ae") == ClusterID(0x7e27_6521_22e8_b2ae))
        for text in ["", "10000000000000000", "+1", "-1", "0x1", "g", " 1"] {
            #expect(MemberID(hex: text) == nil, "\(text)")
        }
    }

    /// `reference/disk-format.md` §4.4: low 16 bits of the id, 40 bits of time, counter from 1.
    @Test func requestIDs() {
        var generator = RequestIDGenerator(
            member: MemberID(0xe17f_d831_5206_7cd7), unixMilliseconds: 0x1a2_0b1c_2d3e)
        #expect(generator.next() == 0x7cd7_a20b_1c2d_3e01)
        #expect(generator.next() == 0x7cd7_a20b_1c2d_3e02)
        for _ in 0..<253 { _ = generator.next() }
        #expect(generator.next() == 0x7cd7_a20b_1c2d_3f00)
    }

    @Test func requestIDsAreNeverZero() {
        var generator = RequestIDGenerator(member: .none, unixMilliseconds: UInt64.max)
        for _ in 0..<600 { #expect(generator.next() != 0) }
    }

    @Test func storePaths() {
        let id = MemberID(0xe17f_d831_5206_7cd7)
        #expect(StorePath.member(id) == "/0/members/e17fd83152067cd7")
        #expect(StorePath.attributes(id) == "/0/members/e17fd83152067cd7/attributes")
        #expect(StorePath.raftAttributes(id) == "/0/members/e17fd83152067cd7/raftAttributes")
        #expect(StorePath.removedMember(id) == "/0/removed_members/e17fd83152067cd7")
        #expect(StorePath.memberPublished(at: StorePath.attributes(id)) == id)
        for path in [
            StorePath.raftAttributes(id), StorePath.member(id), "/1/members/a/attributes",
            "/0/members//attributes", "/0/members/xyz/attributes", "/0/members/a/attributes/b", "",
        ] {
            #expect(StorePath.memberPublished(at: path) == nil, "\(path)")
        }
    }
}
