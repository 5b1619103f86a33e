package import RaftModel

/// Where the cluster's own facts are in the store. Source: `reference/disk-format.md` §4.3.
package enum StorePath {
    /// The namespace of the cluster's facts; read-only to clients, as `/` and `keys` are.
    package static let cluster = "/0"
    /// The namespace of clients' keys: client key `/a` is store path `/1/a`.
    package static let keys = "/1"
    package static let members = "/0/members"
    package static let removedMembers = "/0/removed_members"
    package static let version = "/0/version"

    /// What becomes of members that do not vote yet: see `Newcomer`.
    package static let newcomers = "/0/kvd/newcomers"

    package static func newcomer(_ id: MemberID) -> String { "\(newcomers)/\(id)" }
    /// The newcomer that `path` is of; nil for any other path.
    package static func newcomer(at path: some StringProtocol) -> MemberID? {
        guard path.hasPrefix(newcomers + "/") else { return nil }
        return MemberID(hex: path.dropFirst(newcomers.count + 1))
    }

    package static func member(_ id: MemberID) -> String { "\(members)/\(id)" }
    /// Its peer URLs: created when the member is added.
    package static func raftAttributes(_ id: MemberID) -> String { "\(member(id))/raftAttributes" }
    /// Its name and client URLs: PUT by the member itself.
    package static func attributes(_ id: MemberID) -> String { "\(member(id))/attributes" }
    package static func removedMember(_ id: MemberID) -> String { "\(removedMembers)/\(id)" }

    /// The member whose attributes a PUT to `path` sets; nil for any other path.
    package static func memberPublished(at path: some StringProtocol) -> MemberID? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "0", parts[2] == "members",
            parts[4] == "attributes"
        else { return nil }
        return MemberID(hex: parts[3])
    }
}
