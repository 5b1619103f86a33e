/// A user, as stored.
package struct User: Equatable, Sendable {
    package var name: [UInt8]
    /// What `PasswordHash` made of the password.
    package var passwordHash: [UInt8]
    /// Names of roles, which need not exist. Nil is told apart from none, as in etcd's answers.
    package var roles: [[UInt8]]?

    package init(name: [UInt8], passwordHash: [UInt8], roles: [[UInt8]]? = nil) {
        (self.name, self.passwordHash, self.roles) = (name, passwordHash, roles)
    }

    var isRoot: Bool { roles?.contains(Auth.rootName) ?? false }

    /// The user root has the role whatever its entry says.
    var withRootsRole: User {
        guard name == Auth.rootName, !isRoot else { return self }
        var user = self
        user.roles = (roles ?? []) + [Auth.rootName]
        return user
    }

    /// This user, changed as `request` says.
    ///
    /// - Parameter newHash: of the request's password, if it has one.
    func changed(by request: UserRequest, newHash: [UInt8]?) throws(AuthFault) -> User {
        var names = Set(roles ?? [])
        for role in request.grant ?? [] {
            guard names.insert(role).inserted else {
                throw .conflict("Granting duplicate role ", role, " for user ", name)
            }
        }
        for role in request.revoke ?? [] {
            guard names.remove(role) != nil else {
                throw .conflict("Revoking ungranted role ", role, " for user ", name)
            }
        }
        let new = User(
            name: name, passwordHash: newHash ?? passwordHash,
            roles: names.sorted { $0.lexicographicallyPrecedes($1) })
        // As for a role: sorted, and no longer absent.
        guard new != self else { throw .userUnchanged }
        return new
    }
}

/// What a client sends to make or change a user.
package struct UserRequest: Equatable, Sendable {
    package var name: [UInt8]
    package var password: [UInt8] = []
    package var roles: [[UInt8]]?
    package var grant: [[UInt8]]?
    package var revoke: [[UInt8]]?

    package init(
        name: [UInt8], password: [UInt8] = [], roles: [[UInt8]]? = nil, grant: [[UInt8]]? = nil,
        revoke: [[UInt8]]? = nil
    ) {
        (self.name, self.password, self.roles) = (name, password, roles)
        (self.grant, self.revoke) = (grant, revoke)
    }

    var changesRoles: Bool { !(grant ?? []).isEmpty || !(revoke ?? []).isEmpty }
    var hasRoles: Bool { !(roles ?? []).isEmpty }

    func newUser(hash: [UInt8]) -> User {
        User(name: name, passwordHash: hash, roles: roles).withRootsRole
    }
}
