package import RaftModel

/// The members of a cluster as of some applied entry, and the ids that are gone for good.
///
/// A value: `KVServer` holds one and changes it as entries are applied, in step with the store's
/// `/0`. The same entries in the same order give the same membership on every member.
package struct Membership: Equatable, Sendable {
    /// Sorted by id.
    package private(set) var members: [Member]
    /// Ids that were removed: no member will ever have one of them again.
    package private(set) var removed: Set<MemberID>
    /// Members that do not vote yet, sorted by id; none of them is one of `members` or `removed`.
    package private(set) var newcomers: [Member] = []

    package init(_ members: [Member] = [], removed: Set<MemberID> = []) {
        precondition(Set(members.map(\.id)).count == members.count, "ids of members are unique")
        precondition(members.allSatisfy { !removed.contains($0.id) }, "a removed id stays removed")
        self.members = members.sorted { $0.id < $1.id }
        self.removed = removed
    }

    package subscript(id: MemberID) -> Member? {
        position(of: id).map { members[$0] }
    }

    package var ids: [MemberID] { members.map(\.id) }

    /// Members and newcomers, as those who ask see them; sorted by id.
    package var listed: [Member] {
        newcomers.isEmpty ? members : (members + newcomers).sorted { $0.id < $1.id }
    }

    package func newcomer(_ id: MemberID) -> Member? { newcomers.first { $0.id == id } }

    /// Takes over what the key of a newcomer says now, if it still says anything; returns what that
    /// meant. Throws if the newcomer cannot become a member as things are.
    package mutating func settle(
        _ id: MemberID, _ newcomer: Newcomer
    ) throws(MembershipError) -> Effect {
        guard self[id] == nil else { throw MembershipError(.idExists, id) }
        guard !removed.contains(id) else { throw MembershipError(.idRemoved, id) }
        let old = self.newcomer(id)
        newcomers.removeAll { $0.id == id }
        switch newcomer {
        case .removed:
            removed.insert(id)
            return .removed(id)
        case .waiting(let member):
            newcomers.append(member)
            newcomers.sort { $0.id < $1.id }
            return old == nil ? .added(member) : .updated(member)
        }
    }

    /// All client URLs, sorted: the body of `/v2/machines`, joined by `, `.
    package var clientURLs: [String] {
        members.flatMap(\.clientURLs).sorted { $0.precedesBytewise($1) }
    }

    package func member(named name: String) -> Member? {
        members.first { $0.name == name }
    }

    /// Whether `change` may be applied now. On every member this must give the same answer.
    ///
    /// Source: `reference/disk-format.md` §4.2. `context` is the member that the change carries;
    /// nil for a removal.
    package func validate(
        _ kind: ConfChange.Kind, _ id: MemberID, context: Member?
    ) throws(MembershipError) {
        guard !removed.contains(id) else { throw MembershipError(.idRemoved, id) }
        switch kind {
        case .add:
            guard self[id] == nil else { throw MembershipError(.idExists, id) }
            try checkURLs(of: context, except: nil)
        case .remove:
            guard self[id] != nil else { throw MembershipError(.idNotFound, id) }
        case .update:
            guard self[id] != nil else { throw MembershipError(.idNotFound, id) }
            try checkURLs(of: context, except: id)
        }
    }

    /// Whether the members that are started would be a quorum after a change, so that the cluster
    /// could go on at once. A member counts as started that has published itself.
    ///
    /// A cluster of one may get a second member all the same: there is no other way to grow it.
    package func keepsQuorum(after kind: ConfChange.Kind, _ id: MemberID) -> Bool {
        var started = members.filter(\.isStarted)
        switch kind {
        case .update: return true
        case .add:
            let count = members.count + 1
            return started.count > count / 2 || (started.count == 1 && count == 2)
        case .remove:
            let count = members.count - (self[id] == nil ? 0 : 1)
            started.removeAll { $0.id == id }
            return started.count > count / 2
        }
    }

    /// How many are started, for people.
    package var standing: String {
        "\(members.filter(\.isStarted).count) of \(members.count) members are started"
    }

    /// Validates and carries out a committed conf change; returns what it meant. Throws, and
    /// changes nothing, if the change is not allowed: the proposer gets that error.
    package mutating func apply(_ change: ConfChange) throws(MembershipError) -> Effect {
        let context = try Self.context(of: change)
        try validate(change.kind, change.member, context: context)
        switch (change.kind, context) {
        case (.add, let member?):
            newcomers.removeAll { $0.id == member.id }
            insert(member)
            return .added(member)
        case (.update, let member?):
            return .updated(update(change.member, peerURLs: member.peerURLs))
        case (.remove, _):
            members.removeAll { $0.id == change.member }
            newcomers.removeAll { $0.id == change.member }
            removed.insert(change.member)
            return .removed(change.member)
        case (.add, nil), (.update, nil):
            throw MembershipError(.unreadableContext, change.member)
        }
    }

    /// Takes over what a member has published about itself; unknown ids are ignored, as their
    /// removal may have been applied just before.
    package mutating func publish(_ attributes: MemberAttributes, of id: MemberID) {
        guard let position = position(of: id) else { return }
        members[position].name = attributes.name
        members[position].clientURLs = attributes.clientURLs
    }

    /// What an applied conf change did.
    package enum Effect: Equatable, Sendable {
        case added(Member)
        /// With its new peer URLs.
        case updated(Member)
        case removed(MemberID)
    }

    /// The member that `change` carries, nil for a removal; its id must be the change's.
    package static func context(of change: ConfChange) throws(MembershipError) -> Member? {
        guard change.kind != .remove else { return nil }
        let member: Member
        do throws(JSONError) { member = try MemberJSON.member(fromContext: change.context) } catch {
            throw MembershipError(.unreadableContext, change.member)
        }
        guard member.id == change.member else {
            throw MembershipError(.unreadableContext, change.member)
        }
        return member
    }

    /// Whether a newcomer may have these URLs: nobody listed but itself has one of them.
    package func validate(newcomer: Member) throws(MembershipError) {
        guard self[newcomer.id] == nil else { throw MembershipError(.idExists, newcomer.id) }
        guard !removed.contains(newcomer.id) else {
            throw MembershipError(.idRemoved, newcomer.id)
        }
        let wanted = Set(newcomer.peerURLs)
        for other in listed where other.id != newcomer.id {
            guard wanted.isDisjoint(with: other.peerURLs) else {
                throw MembershipError(.peerURLExists, newcomer.id)
            }
        }
    }

    private func position(of id: MemberID) -> Int? {
        members.firstIndex { $0.id == id }
    }

    private mutating func insert(_ member: Member) {
        let position = members.firstIndex { $0.id > member.id } ?? members.endIndex
        members.insert(member, at: position)
    }

    private mutating func update(_ id: MemberID, peerURLs: [String]) -> Member {
        guard let position = position(of: id) else {
            preconditionFailure("validated: member \(id) is there")
        }
        members[position].peerURLs = peerURLs
        return members[position]
    }

    private func checkURLs(of context: Member?, except own: MemberID?) throws(MembershipError) {
        guard let context else { return }
        let wanted = Set(context.peerURLs)
        for member in members where member.id != own {
            guard wanted.isDisjoint(with: member.peerURLs) else {
                throw MembershipError(.peerURLExists, context.id)
            }
        }
    }
}

/// Why a conf change was refused; the first words of its description are etcd's text.
package struct MembershipError: Error, Equatable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        case idRemoved
        case idExists
        case idNotFound
        case peerURLExists
        /// The conf change does not carry the member it is about.
        case unreadableContext
    }

    package let code: Code
    package let id: MemberID

    package init(_ code: Code, _ id: MemberID) {
        (self.code, self.id) = (code, id)
    }

    /// etcd's text, as in logs and, with `etcdserver: ` before it, in 409 answers.
    package var etcdText: String {
        switch code {
        case .idRemoved: "ID removed"
        case .idExists: "ID exists"
        case .idNotFound: "ID not found"
        case .peerURLExists: "peerURL exists"
        case .unreadableContext: "unreadable member context"
        }
    }

    package var description: String { "\(etcdText): member \(id). \(advice)" }

    package var advice: String {
        switch code {
        case .idRemoved: "Add the member anew: it gets another id, and needs an empty data dir."
        case .idExists: "Give the member other peer URLs, or wait a second and add it again."
        case .idNotFound: "List the members and use an id from there."
        case .peerURLExists: "Give the member peer URLs that no other member has."
        case .unreadableContext: "Propose the change again through /v2/members."
        }
    }
}
