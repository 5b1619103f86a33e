import Cluster
import KeyStore
import RaftModel

/// What `/0` of a store says of the cluster: `reference/disk-format.md` §4.3.
struct ClusterFacts {
    private(set) var membership = Membership()
    private(set) var version: SemanticVersion?

    init(_ tree: Tree) {
        var removed: Set<MemberID> = []
        for id in Self.ids(below: StorePath.removedMembers, tree) { removed.insert(id) }
        var members: [Member] = []
        for id in Self.ids(below: StorePath.members, tree) where !removed.contains(id) {
            members.append(Self.member(id, tree))
        }
        membership = Membership(members, removed: removed)
        for id in Self.ids(below: StorePath.newcomers, tree) {
            let value = Self.value(at: StorePath.newcomer(id), tree)
            guard let newcomer = value.flatMap({ Newcomer(id, value: $0) }) else { continue }
            // One that has become a member, or was one, is as the above say.
            _ = try? membership.settle(id, newcomer)
        }
        version = Self.value(at: StorePath.version, tree).flatMap {
            SemanticVersion(String(decoding: $0, as: UTF8.self))
        }
    }

    private static func member(_ id: MemberID, _ tree: Tree) -> Member {
        let raft = value(at: StorePath.raftAttributes(id), tree)
        let urls = raft.flatMap { try? MemberJSON.peerURLs(fromRaftAttributes: $0) } ?? []
        let published = value(at: StorePath.attributes(id), tree)
        let attributes = published.flatMap { try? MemberJSON.attributes(from: $0) }
        return Member(
            id: id, peerURLs: urls, name: attributes?.name ?? "",
            clientURLs: attributes?.clientURLs ?? [])
    }

    private static func ids(below path: String, _ tree: Tree) -> [MemberID] {
        guard let node = node(at: path, tree) else { return [] }
        var ids: [MemberID] = []
        var walk = node.walk(isRecursive: false, skipsHidden: false)
        while let step = walk.next() {
            switch step {
            case .file(let child), .open(let child):
                let name = child.withName { String(decoding: $0, as: UTF8.self) }
                // As members are called; in other ways one could be there twice.
                if let id = MemberID(hex: name), "\(id)" == name { ids.append(id) }
            case .close: break
            }
        }
        return ids
    }

    private static func value(at path: String, _ tree: Tree) -> [UInt8]? {
        node(at: path, tree)?.withValue { Array($0) }
    }

    private static func node(at path: String, _ tree: Tree) -> Node? {
        Array(path.utf8).withUnsafeBytes { path in try? tree.node(at: path) }
    }
}
