/// Lists of key patterns, as stored: absent and empty lists are told apart, as etcd's answers do.
package struct Permissions: Equatable, Sendable {
    package var read: [[UInt8]]?
    package var write: [[UInt8]]?

    package init(read: [[UInt8]]? = nil, write: [[UInt8]]? = nil) {
        (self.read, self.write) = (read, write)
    }

    var isEmpty: Bool { (read ?? []).isEmpty && (write ?? []).isEmpty }

    static let everything = Permissions(read: [Array("/*".utf8)], write: [Array("/*".utf8)])
}

/// A role, as stored and as it is sent by clients.
package struct Role: Equatable, Sendable {
    package var name: [UInt8]
    package var permissions = Permissions()
    /// A request's. One that grants or revokes nothing creates the role, and is stored with it.
    package var grant: Permissions?
    package var revoke: Permissions?

    package init(
        name: [UInt8], permissions: Permissions = Permissions(), grant: Permissions? = nil,
        revoke: Permissions? = nil
    ) {
        (self.name, self.permissions) = (name, permissions)
        (self.grant, self.revoke) = (grant, revoke)
    }

    /// It is nowhere in the store.
    static let root = Role(name: Auth.rootName, permissions: .everything)
    /// What it is made as when auth is switched on and there is none.
    static let guest = Role(name: Auth.guestName, permissions: .everything)

    /// Whether a request means to create a role rather than to change one.
    var createsRole: Bool { (grant?.isEmpty ?? true) && (revoke?.isEmpty ?? true) }

    /// This role, changed as `request` says.
    func changed(by request: Role) throws(AuthFault) -> Role {
        var new = Role(name: name)
        new.permissions.read = try Self.changed(
            permissions.read, grant: request.grant?.read, revoke: request.revoke?.read, "read")
        new.permissions.write = try Self.changed(
            permissions.write, grant: request.grant?.write, revoke: request.revoke?.write, "write")
        // With the lists sorted and without their absence: a role that is stored otherwise has
        // changed by that alone.
        guard new != self else { throw .roleUnchanged }
        return new
    }

    private static func changed(
        _ old: [[UInt8]]?, grant: [[UInt8]]?, revoke: [[UInt8]]?, _ kind: String
    ) throws(AuthFault) -> [[UInt8]] {
        var patterns = Set(old ?? [])
        for pattern in grant ?? [] {
            guard patterns.insert(pattern).inserted else {
                throw .conflict("Granting duplicate \(kind) permission ", pattern)
            }
        }
        for pattern in revoke ?? [] { patterns.remove(pattern) }
        return patterns.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
