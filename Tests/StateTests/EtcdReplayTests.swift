import FixtureSupport
import Cluster
import Foundation
import KeyStore
import RaftModel
import StorageIO
import Testing

@testable import State
@testable import Storage

/// Data dirs of real etcd, snapshot and log, carried out by a `MemberState` and held against what
/// etcd itself and an independent reader saw in them: `Fixtures/etcd/README.md`.
@Suite struct EtcdReplayTests {
    struct Dir: CustomTestStringConvertible {
        var name: String
        /// In `expected.json`, and below the unpacked dir; `.` is the only one there.
        var member = "."
        var testDescription: String { "\(name) \(member)" }

        func path(_ unpacked: URL) -> String {
            (member == "." ? unpacked : unpacked.appending(path: member)).appending(path: "member")
                .path(percentEncoded: false)
        }
    }

    static let dirs = [
        Dir(name: "v2.0.13-single"), Dir(name: "v2.3.8-segments"), Dir(name: "v2.3.8-killed"),
        Dir(name: "v2.3.8-cluster3", member: "m1"), Dir(name: "v2.3.8-cluster3", member: "m2"),
        Dir(name: "v2.3.8-cluster3", member: "m3"), Dir(name: "v2.3.8-torn-tail"),
        Dir(name: "v3.4.23-v2"),
    ]

    /// What `expected.json` says.
    private struct Expected {
        let all: [String: Any]
        let facts: [String: Any]

        init(_ dir: Dir) throws {
            let file = Fixture.folder.appending(path: "\(dir.name).expected.json")
            let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
            all = try #require(json as? [String: Any])
            let dirs = try #require(all["dirs"] as? [String: [String: Any]])
            facts = try #require(dirs[dir.member])
        }

        func number(_ name: String) throws -> UInt64 {
            try #require(facts[name] as? NSNumber).uint64Value
        }

        /// Every node of the answer by its key, as `EtcdReplayTests.nodes` describes them.
        func nodes() throws -> [String: String] {
            let answer = try #require(all["answer"] as? [String: Any])
            let body = try #require(answer["body"] as? [String: Any])
            var found: [String: String] = [:]
            Self.collect(try #require(body["node"] as? [String: Any]), &found)
            return found
        }

        private static func collect(_ node: [String: Any], _ found: inout [String: String]) {
            if let key = node["key"] as? String {
                let what = node["dir"] as? Bool == true ? "dir" : "=\(node["value"] ?? "nothing")"
                found[key] = [
                    what, "\(node["createdIndex"] ?? "none")", "\(node["modifiedIndex"] ?? "none")",
                    node["expiration"] as? String ?? "permanent",
                ].joined(separator: " ")
            }
            for child in node["nodes"] as? [[String: Any]] ?? [] { collect(child, &found) }
        }
    }

    /// What clients see below `/1`, by key.
    private func nodes(_ state: MemberState) throws -> [String: String] {
        let root = try Array("/1".utf8).withUnsafeBytes { try state.store.tree.node(at: $0) }
        var walk = root.walk(isRecursive: true, skipsHidden: true)
        var (path, found): ([String], [String: String]) = ([], [:])
        while let step = walk.next() {
            switch step {
            case .close: path.removeLast()
            case .file(let node):
                let name = node.withName { String(decoding: $0, as: UTF8.self) }
                let value = node.withValue { String(decoding: $0, as: UTF8.self) }
                found["/" + (path + [name]).joined(separator: "/")] = describe(node, "=\(value)")
            case .open(let node):
                path.append(node.withName { String(decoding: $0, as: UTF8.self) })
                found["/" + path.joined(separator: "/")] = describe(node, "dir")
            }
        }
        return found
    }

    private func describe(_ node: Node, _ what: String) -> String {
        let expiration =
            node.expiration == 0
            ? "permanent" : CivilTime(unixNanoseconds: node.expiration).rfc3339
        return "\(what) \(node.createdIndex) \(node.modifiedIndex) \(expiration)"
    }

    private func snapshots(_ path: String) throws -> [StateImage] {
        let directory = SnapshotDirectory("\(path)/snap", storage: PosixStorage())
        return try directory.list().map { name in
            let file = try PosixStorage().open(directory.path(of: name), for: .reading)
            return try file.readAll().withUnsafeBytes {
                try EtcdSnapshot.decode($0, crc32c: { CRC32C.of($0) })
            }
        }
    }

    private func log(
        _ path: String, from snapshot: WALSnapshotRecord = .none
    ) throws -> RecoveredLog {
        try LogReader.read("\(path)/wal", storage: PosixStorage(), from: snapshot)
    }

    /// Carries out `entries` up to `index`; each must be one that this program knows.
    private func apply(_ entries: [Entry], upTo index: UInt64, _ state: MemberState) {
        for entry in entries where entry.index > state.appliedIndex && entry.index <= index {
            if case .unknown(let problem) = state.apply(entry, monotonic: 0, wall: 0) {
                Issue.record("entry \(entry.index): \(problem)")
                return
            }
        }
    }

    private func newState(_ dir: Dir) -> MemberState {
        let state = MemberState()
        state.acceptsAnyVersion = dir.name.hasPrefix("v3")
        return state
    }

    private func compareCluster(_ state: MemberState, _ expected: Expected) throws {
        #expect(state.appliedIndex == (try expected.number("appliedIndex")))
        #expect(state.appliedTerm == (try expected.number("appliedTerm")))
        #expect(state.store.tree.index == (try expected.number("storeIndex")))
        let members = try #require(expected.facts["members"] as? [[String: Any]])
        let theirs = try members.map { member in
            let peers = try #require(member["peerURLs"] as? [String])
            let clients = try #require(member["clientURLs"] as? [String])
            return "\(member["id"] ?? "") \(member["name"] ?? "") \(peers) \(clients)"
        }
        let ours = state.membership.members.map {
            "\($0.id) \($0.name) \($0.peerURLs) \($0.clientURLs)"
        }
        #expect(ours.sorted() == theirs.sorted())
        let removed = try #require(expected.facts["removedMembers"] as? [String])
        #expect(state.membership.removed.map { "\($0)" }.sorted() == removed.sorted())
        let version = expected.facts["clusterVersion"] as? String
        #expect(state.clusterVersion.map { "\($0)" } == version)
    }

    @Test(arguments: dirs)
    func snapshotAndLogAreTheExpectedState(_ dir: Dir) throws {
        let expected = try Expected(dir)
        try Fixture.unpacked(dir.name) { folder in
            let path = dir.path(folder)
            let state = newState(dir)
            let newest = try snapshots(path).first
            let wanted = expected.facts["snapshotFile"] as? [String: Any]
            #expect(newest?.index == (wanted?["index"] as? NSNumber)?.uint64Value)
            if let newest { state.restore(newest, monotonic: 0) }
            let log = try log(
                path,
                from: newest.map { WALSnapshotRecord(index: $0.index, term: $0.term) } ?? .none)
            apply(log.entries, upTo: log.hardState.commit, state)
            try compareCluster(state, expected)
            if dir.name == "v2.3.8-torn-tail" { expireAsEtcdDid(state) }
            try compareTree(state, expected, dir)
            #expect(state.store.image.recomputedHash() == state.store.image.contentHash)
        }
    }

    /// The answer is of a 2.3.8 that had opened the dir: its first SYNC, which is not in the log,
    /// had removed what had expired long before. Nothing else there ends in the ten years after.
    private func expireAsEtcdDid(_ state: MemberState) {
        let before = state.store.tree.index
        let time: Int64 = 1_795_431_600_000_000_000  // 2026-11-23T11:00:00Z
        var sync = Request(method: .sync)
        sync.time = time
        let entry = Entry(
            term: state.appliedTerm, index: state.appliedIndex + 1, data: sync.encoded())
        apply([entry], upTo: entry.index, state)
        #expect(state.store.tree.index == before + 2)
    }

    private func compareTree(_ state: MemberState, _ expected: Expected, _ dir: Dir) throws {
        var theirs = try expected.nodes()
        if dir.name == "v2.0.13-single" {
            // 2.0 names in-order keys without padding; today's rules, and 2.3's, give 20 digits.
            let inOrder = theirs.filter { $0.key.wholeMatch(of: /\/queue\/\d+/) != nil }
            #expect(inOrder.count == 6)
            for (key, node) in inOrder {
                let digits = key.dropFirst("/queue/".count)
                theirs["/queue/" + String(repeating: "0", count: 20 - digits.count) + digits] = node
                theirs[key] = nil
            }
        }
        let ours = try nodes(state)
        #expect(theirs.count > 10)
        for key in Set(ours.keys).union(theirs.keys).sorted() {
            #expect(ours[key] == theirs[key], "\(key)")
        }
    }

    /// Each snapshot of etcd's, hidden keys and `/0` and all, against the log from its first entry.
    @Test(arguments: dirs.filter { $0.name != "v2.0.13-single" })
    func everySnapshotIsWhatTheLogAddsUpTo(_ dir: Dir) throws {
        try Fixture.unpacked(dir.name) { folder in
            let path = dir.path(folder)
            let images = try snapshots(path)
            let state = newState(dir)
            let log = try log(path)
            for image in images.reversed() {
                apply(log.entries, upTo: image.index, state)
                #expect(state.appliedIndex == image.index && state.appliedTerm == image.term)
                #expect(state.store.tree.index == image.store.currentIndex)
                #expect(state.store.image.nodeCount == image.nodeCount)
                #expect(state.store.image.contentHash == image.contentHash, "at \(image.index)")
                #expect(state.membership.ids.sorted() == image.confState.members.sorted())
                let restored = newState(dir)
                restored.restore(image, monotonic: 0)
                #expect(restored.membership == state.membership, "at \(image.index)")
                #expect(restored.clusterVersion == state.clusterVersion, "at \(image.index)")
            }
            #expect(images.isEmpty == false)
        }
    }

    /// The log is refused, as etcd refuses it; the snapshot, newer than the damage, is intact.
    @Test func aFlippedByteInTheLogLeavesTheSnapshot() throws {
        let dir = Dir(name: "v2.3.8-flipped-byte")
        try Fixture.unpacked(dir.name) { folder in
            let path = dir.path(folder)
            #expect(throws: WALError.self) { try log(path) }
            let image = try #require(try snapshots(path).first)
            let state = newState(dir)
            state.restore(image, monotonic: 0)
            try compareCluster(state, try Expected(dir))
        }
    }
}
