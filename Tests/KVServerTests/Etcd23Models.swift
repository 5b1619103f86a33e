import Cluster
import KVServer
import KeyStore
import ProtoWire
import RaftModel
import State
import Testing

/// Members of an `EngineCluster` that stand for etcd 2.3: engines that are never told that others are
/// kvds, and say and take only what an etcd does. What a real one would misread or die of is an issue.
///
/// Source: `reference/peer-protocol.md` §4 and §7, `reference/disk-format.md` §4.
final class Etcd23Models {
    private(set) var ids: Set<MemberID>
    /// Snapshots that went as JSON.
    private(set) var snapshotCount = 0
    /// For each, whom its store knows, whom it knows as removed, and how far it has applied.
    private var views: [MemberID: View] = [:]

    private struct View {
        var members: Set<MemberID> = []
        var removed: Set<MemberID> = []
        var applied: UInt64 = 0
    }

    init(_ ids: some Sequence<MemberID>) { self.ids = Set(ids) }

    func insert(_ id: MemberID) { ids.insert(id) }
    func remove(_ id: MemberID) { ids.remove(id) }

    // MARK: What kvds find out as they connect

    func tell(_ engine: Engine) {
        let own = engine.memberID
        guard !ids.contains(own) else { return engine.setAllMembersAreKvd(false) }
        let voters = engine.membership.ids
        for id in voters where id != own { engine.setIsKvd(id, !ids.contains(id)) }
        engine.setAllMembersAreKvd(!voters.isEmpty && voters.allSatisfy { !ids.contains($0) })
    }

    // MARK: On the wire

    /// The message as its receiver reads it.
    func passOn(_ message: Message) -> Message {
        guard ids.contains(message.to) || ids.contains(message.from) else { return message }
        let isKnown = (2...9).contains(message.kind.rawValue)
        #expect(isKnown, "\(message.kind) between \(message.from) and \(message.to)")
        if message.kind == .propose { #expect(message.entries.count == 1 && message.term == 0) }
        var read = message
        do { read = try Message.decode(message.encoded()) } catch { Issue.record(error) }
        // An etcd passes over the field.
        read.context = []
        return read
    }

    /// A snapshot, as the JSON of its store where an etcd is at either end.
    func passOn(_ image: StateImage, from: MemberID, to: MemberID) -> StateImage {
        guard ids.contains(from) || ids.contains(to) else { return image }
        let json = EtcdSnapshot.encodeStore(image)
        snapshotCount += 1
        do {
            let read = try json.withUnsafeBytes { try EtcdSnapshot.decodeStore($0, image.metadata) }
            let state = MemberState()
            state.restore(read, monotonic: 1)
            checkMembers(in: state.store)
            return read
        } catch {
            Issue.record(error)
            return image
        }
    }

    /// An etcd dies of a member that has attributes and no addresses.
    private func checkMembers(in store: Store) {
        let path = Array(StorePath.members.utf8)
        path.withUnsafeBytes { path in
            guard let members = try? store.tree.node(at: path) else { return }
            var walk = members.walk(isRecursive: true, skipsHidden: false)
            var names: Set<String> = []
            while let step = walk.next() {
                switch step {
                case .open: names = []
                case .file(let node):
                    names.insert(node.withName { String(decoding: $0, as: UTF8.self) })
                case .close: #expect(names.contains("raftAttributes"), "\(names)")
                }
            }
        }
    }

    // MARK: In the log

    /// Looks at what one of them has applied since the last call.
    func applied(_ engine: Engine, log: [Entry]) {
        let id = engine.memberID
        guard ids.contains(id) else { return }
        var view = views[id] ?? View()
        if let first = log.first?.index, first > view.applied + 1 || log.isEmpty {
            // A snapshot came.
            view.members = Set(engine.membership.ids)
            view.removed = engine.membership.removed
            view.applied = engine.appliedIndex
        }
        for entry in log where entry.index > view.applied && entry.index <= engine.appliedIndex {
            read(entry, &view)
            view.applied = entry.index
        }
        views[id] = view
    }

    private func read(_ entry: Entry, _ view: inout View) {
        guard !entry.data.isEmpty else { return }
        if entry.kind == .confChange {
            guard let change = try? ConfChange.decode(entry.data) else {
                Issue.record("entry \(entry.index) is no conf change")
                return
            }
            let member = try? Membership.context(of: change)
            #expect(member?.id == change.member || change.kind == .remove)
            switch change.kind {
            case .add:
                if !view.removed.contains(change.member) { view.members.insert(change.member) }
            case .remove:
                if view.members.remove(change.member) != nil { view.removed.insert(change.member) }
            case .update: break
            }
            return
        }
        entry.data.withUnsafeBytes { bytes in
            guard let command = try? RequestView.decode(bytes) else {
                Issue.record("entry \(entry.index) is no request")
                return
            }
            let path = String(decoding: command.path, as: UTF8.self)
            if command.method == .put, let id = StorePath.memberPublished(at: path) {
                #expect(
                    view.members.contains(id) || view.removed.contains(id),
                    "an etcd dies of entry \(entry.index): the attributes of \(id), who is unknown")
            }
            if path.hasPrefix("/hash/") {
                #expect(command.method == .sync && command.time == 0)
            }
        }
    }
}
