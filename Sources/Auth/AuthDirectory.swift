internal import Cluster
package import KeyStore

/// What the store's auth entries say, each decoded when it is first asked for and kept until
/// something below `/2` changes: then the owner calls `forget`.
///
/// It keeps nothing of the tree, which is handed in each time and must be the current one.
package struct AuthDirectory {
    /// An entry, and the index that a change of it compares with.
    package struct Found<Value> {
        package var value: Value
        package var modifiedIndex: UInt64
    }

    private var users: [[UInt8]: Found<User>] = [:]
    private var roles: [[UInt8]: Found<Role>] = [:]

    package init() {}

    package mutating func forget() {
        users.removeAll(keepingCapacity: true)
        roles.removeAll(keepingCapacity: true)
    }

    // MARK: - Entries

    /// Whether auth is on. Nobody may do anything while that cannot be read.
    package func isEnabled(_ tree: Tree) throws(AuthFault) -> Bool {
        guard let node = Self.node(Auth.switchPath, tree) else { return false }
        let text = node.withValue { Array($0) }
        switch try? JSONValue(parsing: text) {
        case .bool(let isEnabled): return isEnabled
        default: throw .unreadable(Auth.switchPath, "it is neither true nor false")
        }
    }

    package mutating func user(
        _ name: [UInt8], _ tree: Tree
    ) throws(AuthFault) -> Found<User>? {
        if let user = users[name] { return user }
        let path = Auth.usersPath
        guard var user = try Self.entry(name, below: path, tree, decode: User.init(entry:)) else {
            return nil
        }
        guard user.value.name == name else {
            throw .unreadable(path + Self.slash + name, "it is of a user of another name")
        }
        user.value = user.value.withRootsRole
        users[name] = user
        return user
    }

    /// The role root is always there.
    package mutating func role(_ name: [UInt8], _ tree: Tree) throws(AuthFault) -> Role? {
        name == Auth.rootName ? .root : try storedRole(name, tree)?.value
    }

    mutating func storedRole(
        _ name: [UInt8], _ tree: Tree
    ) throws(AuthFault) -> Found<Role>? {
        if let role = roles[name] { return role }
        let path = Auth.rolesPath
        guard let role = try Self.entry(name, below: path, tree, decode: Role.init(entry:)) else {
            return nil
        }
        guard role.value.name == name else {
            throw .unreadable(path + Self.slash + name, "it is of a role of another name")
        }
        roles[name] = role
        return role
    }

    // MARK: - Permissions

    /// Who sent a request, its password verified.
    package enum Identity: Equatable, Sendable {
        case guest
        /// - Parameter hash: the stored one that the password was verified against.
        case user([UInt8], hash: [UInt8])
    }

    /// What a request wants to do to a key.
    package struct KeyAccess {
        /// What follows `/v2/keys`.
        package var key: UnsafeRawBufferPointer
        package var isWrite: Bool
        package var isRecursive: Bool

        package init(key: UnsafeRawBufferPointer, isWrite: Bool, isRecursive: Bool) {
            (self.key, self.isWrite, self.isRecursive) = (key, isWrite, isRecursive)
        }
    }

    /// Throws if it is denied by all that can be read, and something cannot.
    package mutating func allows(
        _ identity: Identity, _ access: KeyAccess, _ tree: Tree
    ) throws(AuthFault) -> Bool {
        guard case .user(let name, let hash) = identity else {
            // A guest's recursion is not looked at, as in etcd.
            var access = access
            access.isRecursive = false
            guard let role = try role(Auth.guestName, tree) else { return false }
            return Self.permits(role, access)
        }
        guard let user = try user(name, tree)?.value, user.passwordHash == hash else {
            return false
        }
        var fault: AuthFault?
        for name in user.roles ?? [] {
            do throws(AuthFault) {
                if let role = try role(name, tree), Self.permits(role, access) { return true }
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        return false
    }

    /// Whether it may do what only root may: change users, roles and members, take backups.
    package mutating func isRoot(
        _ identity: Identity, _ tree: Tree
    ) throws(AuthFault) -> Bool {
        guard case .user(let name, let hash) = identity, let user = try user(name, tree)?.value
        else { return false }
        return user.passwordHash == hash && user.isRoot
    }

    private static func permits(_ role: Role, _ access: KeyAccess) -> Bool {
        if role.name == Auth.rootName { return true }
        let patterns = access.isWrite ? role.permissions.write : role.permissions.read
        guard let patterns else { return false }
        return patterns.contains {
            KeyPattern.matches($0, access.key, isRecursive: access.isRecursive)
        }
    }

    // MARK: - The tree

    private static let slash = [UInt8(ascii: "/")]

    static func node(_ path: [UInt8], _ tree: Tree) -> Node? {
        path.withUnsafeBytes { path in try? tree.node(at: path) }
    }

    private static func entry<Value>(
        _ name: [UInt8], below folder: [UInt8], _ tree: Tree,
        decode: ([UInt8]) throws(JSONError) -> Value
    ) throws(AuthFault) -> Found<Value>? {
        guard Auth.isComponent(name) else { return nil }
        let path = folder + slash + name
        guard let node = node(path, tree) else { return nil }
        guard !node.isDirectory else { throw .unreadable(path, "it is a directory") }
        do throws(JSONError) {
            let value = try decode(node.withValue { Array($0) })
            return Found(value: value, modifiedIndex: node.modifiedIndex)
        } catch {
            throw .unreadable(path, "\(error)")
        }
    }

    /// In byte order, hidden ones left out, as a listing of etcd's does.
    func names(below folder: [UInt8], _ tree: Tree) -> [[UInt8]] {
        guard let node = Self.node(folder, tree) else { return [] }
        var names: [[UInt8]] = []
        var walk = node.walk(isRecursive: false, skipsHidden: true)
        while let step = walk.next() {
            switch step {
            case .file(let child), .open(let child): names.append(child.withName { Array($0) })
            case .close: break
            }
        }
        return names
    }
}
