package import RaftModel

/// What a new cluster's log begins with.
///
/// Every initial member writes the same entries, so they are one log from the start although no
/// leader sent them. Source: `reference/disk-format.md` §4.2.
package enum Bootstrap {
    /// Term of the entries, and of the hard state beside them.
    package static let term: UInt64 = 1

    /// One conf change a member, ordered by id: entries 1 ... n.
    package static func entries(_ members: [Member]) -> [Entry] {
        precondition(!members.isEmpty, "a cluster begins with at least one member")
        precondition(Set(members.map(\.id)).count == members.count, "ids of members are unique")
        let sorted = members.sorted { $0.id < $1.id }
        return sorted.enumerated().map { offset, member in
            let change = ConfChange(
                id: 0, kind: .add, member: member.id, context: MemberJSON.context(member))
            return Entry(
                kind: .confChange, term: term, index: UInt64(offset) + 1, data: change.encoded())
        }
    }

    /// The state written after these entries: they are committed, nobody has been voted for.
    package static func hardState(_ members: [Member]) -> HardState {
        HardState(term: term, vote: .none, commit: UInt64(members.count))
    }
}
