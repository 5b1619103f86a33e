import Cluster
import RaftModel
import Storage
import StorageIO
import Testing

@testable import Proxy

@Suite struct ProxyDirectoryTests {
    private func urls(_ texts: String...) throws -> [EndpointURL] {
        try texts.map { try EndpointURL($0) }
    }

    @Test func itKeepsPeersInEtcdsForm() throws {
        let disk = SimulatedStorage(seed: 1)
        do {
            let directory = try ProxyDirectory.open("/p", storage: disk)
            #expect(try directory.peers() == nil)
            try directory.save(urls("http://a:1", "http://b:2"))
            try directory.save(urls("http://b:2", "http://c:3"))
        }
        let text = String(decoding: disk.contents(of: "/p/proxy/cluster"), as: UTF8.self)
        #expect(text == "{\"PeerURLs\":[\"http://b:2\",\"http://c:3\"]}")
        let again = try ProxyDirectory.open("/p", storage: disk)
        #expect(try again.peers() == urls("http://b:2", "http://c:3"))
    }

    @Test func aFileThatSaysNothingIsNamed() throws {
        let disk = SimulatedStorage(seed: 1)
        for text in ["", "{", "[]", "{\"PeerURLs\":[]}", "{\"PeerURLs\":[\"ftp://x:1\"]}"] {
            disk.replaceContents(of: "/p/proxy/cluster", with: Array(text.utf8))
            let directory = try ProxyDirectory.open("/p", storage: disk)
            let error = #expect(throws: ProxyDirectoryError.self) { try directory.peers() }
            #expect(error?.description.contains("/p/proxy/cluster") == true)
            #expect(error?.description.contains("--initial-cluster") == true)
        }
    }

    @Test func aMembersDirIsRefused() throws {
        let disk = SimulatedStorage(seed: 1)
        disk.replaceContents(of: "/m/member/wal/x", with: [])
        disk.replaceContents(of: "/both/member/wal/x", with: [])
        disk.replaceContents(of: "/both/proxy/cluster", with: [])
        for (path, code) in [
            ("/m", DataDirectoryError.Code.isMember), ("/both", .memberAndProxy),
        ] {
            let error = #expect(throws: DataDirectoryError.self) {
                try ProxyDirectory.open(path, storage: disk)
            }
            #expect(error?.code == code)
        }
    }

    @Test func twoProxiesDoNotShareADir() throws {
        let disk = SimulatedStorage(seed: 1)
        let first = try ProxyDirectory.open("/p", storage: disk)
        let error = #expect(throws: DataDirectoryError.self) {
            try ProxyDirectory.open("/p", storage: disk)
        }
        guard case .inUse? = error?.code else {
            Issue.record("not told who has it: \(error as Any)")
            return
        }
        withExtendedLifetime(first) {}
    }

    @Test func aMemberThatNeverWasMakesRoom() throws {
        let disk = SimulatedStorage(seed: 1)
        do {
            let member = try DataDirectory.open("/d", storage: disk)
            try member.leave(.joining)
        }
        disk.replaceContents(of: "/d/member/discovery", with: [1])
        try UnusedMember.remove(from: "/d", storage: disk)
        #expect(try DataDirectoryKind.inspect("/d", storage: disk) == .empty)
        _ = try ProxyDirectory.open("/d", storage: disk)
    }

    @Test(arguments: ["wal/0-0.wal", "snap/x.ksnap", "vote", "mark", "stray"])
    func aMemberThatLivedStays(_ name: String) throws {
        let disk = SimulatedStorage(seed: 1)
        do { _ = try DataDirectory.open("/d", storage: disk) }
        disk.replaceContents(of: "/d/member/\(name)", with: [1])
        try UnusedMember.remove(from: "/d", storage: disk)
        #expect(try disk.kind(of: "/d/member/\(name)") == .file)
        #expect(throws: DataDirectoryError.self) {
            try ProxyDirectory.open("/d", storage: disk)
        }
    }

    @Test func listsOfMembersAreRead() throws {
        let found = EndpointRefresh.read([
            Member(
                id: .init(1), peerURLs: ["http://b:2", "http://a:2"], name: "x",
                clientURLs: ["http://a:1", "nonsense", "http://:1"]),
            Member(id: .init(2), peerURLs: ["http://c:2"], name: "", clientURLs: ["http://a:1"]),
        ])
        #expect(found.endpoints.map(\.description) == ["http://a:1"])
        #expect(found.peers.map(\.description) == ["http://a:2", "http://b:2", "http://c:2"])
    }
}
