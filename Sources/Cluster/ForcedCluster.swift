package import RaftModel

/// `--force-new-cluster`: what a member's log goes on with, so that it becomes a cluster of one.
///
/// Entries that remove every other member, committed by decree. They are ordinary conf changes, so
/// the others' ids are never used again, and the store's `/0` follows by itself. Source:
/// `reference/disk-format.md` §6.
package enum ForcedCluster {
    /// The entries to be appended behind `lastIndex`.
    ///
    /// - Parameters:
    ///   - own: if it is not among the members (in a backup) it is added, with the peer URLs that
    ///     etcd gives it then, to be updated by the operator.
    ///   - members: who was a member as of `lastIndex`, as Raft counts them.
    ///   - newcomers: who was on the way to become one then. They go as well.
    package static func entries(
        own: MemberID, members: [MemberID], newcomers: [MemberID] = [], term: UInt64,
        lastIndex: UInt64
    ) -> [Entry] {
        var entries: [Entry] = []
        func append(_ kind: Entry.Kind, _ data: [UInt8]) {
            let index = lastIndex + UInt64(entries.count) + 1
            entries.append(Entry(kind: kind, term: term, index: index, data: data))
        }
        func append(_ change: ConfChange) { append(.confChange, change.encoded()) }
        for id in newcomers.sorted() {
            let removal = Request(
                method: .put, path: Array(StorePath.newcomer(id).utf8),
                value: Newcomer.removedValue)
            append(.normal, removal.encoded())
        }
        for id in members.sorted() where id != own {
            append(ConfChange(kind: .remove, member: id))
        }
        if !members.contains(own) {
            let member = Member(
                id: own, peerURLs: ["http://localhost:2380", "http://localhost:7001"], name: "")
            append(ConfChange(kind: .add, member: own, context: MemberJSON.context(member)))
        }
        return entries
    }

    /// Newcomers after `entries`, or some that are none any more: they may be removed twice.
    package static func newcomers(_ newcomers: [MemberID], after entries: [Entry]) -> [MemberID] {
        var result = Set(newcomers)
        for entry in entries where entry.kind == .normal && !entry.data.isEmpty {
            guard let request = try? Request.decode(entry.data), request.method == .put else {
                continue
            }
            let path = String(decoding: request.path, as: UTF8.self)
            if let id = StorePath.newcomer(at: path) { result.insert(id) }
        }
        return result.sorted()
    }

    /// Members after the conf changes in `entries`, beginning with `members`.
    package static func members(_ members: [MemberID], after entries: [Entry]) -> [MemberID] {
        var result = Set(members)
        for entry in entries where entry.kind == .confChange {
            guard let change = try? ConfChange.decode(entry.data) else { continue }
            switch change.kind {
            case .add: result.insert(change.member)
            case .remove: result.remove(change.member)
            case .update: break
            }
        }
        return result.sorted()
    }
}
