package import KeyStore
package import RaftModel

/// What a client wants to change.
package enum AuthChange: Sendable {
    case putUser(UserRequest)
    case deleteUser([UInt8])
    case putRole(Role)
    case deleteRole([UInt8])
    case enable, disable

    /// The password that has to be hashed before the change can be planned to its end.
    package var password: [UInt8]? {
        guard case .putUser(let request) = self, !request.password.isEmpty else { return nil }
        return request.password
    }
}

/// The commands that bring a change about, from what the store has now.
package struct AuthPlan {
    package struct Step {
        package var command: Request
        /// It only sees to it that something is there: that it is there already is as good.
        package var mayExist = false
    }

    /// What the client is told when the last step is done.
    package struct Answer: Equatable {
        /// 201 instead of 200.
        package var isCreated = false
        /// JSON without a newline; empty: no body.
        package var body: [UInt8] = []

        package init(isCreated: Bool = false, body: [UInt8] = []) {
            (self.isCreated, self.body) = (isCreated, body)
        }
    }

    package var steps: [Step]
    package var answer = Answer()

    /// What came out of planning.
    package enum Outcome {
        case ready(AuthPlan)
        /// The change is allowed so far, and needs this password's hash.
        case needsHash(of: [UInt8])
        /// It is not; but these come first, because etcd has them done first too.
        case refused(AuthFault, after: [Step])
    }

    /// - Parameter hash: of the change's password, if it has been made.
    package static func make(
        _ change: AuthChange, hash: [UInt8]?, _ directory: inout AuthDirectory, _ tree: Tree
    ) -> Outcome {
        // Without the hash the plan is made to see whether there can be one.
        var planner = Planner(tree: tree, hash: hash ?? [])
        do throws(AuthFault) {
            let plan = try planner.plan(change, &directory)
            if hash == nil, let password = change.password { return .needsHash(of: password) }
            return .ready(plan)
        } catch {
            return .refused(error, after: planner.steps)
        }
    }

    /// Whether a step that failed so means that the store has changed since the plan was made.
    package static func isOutdated(by code: ErrorCode) -> Bool {
        switch code {
        case .keyNotFound, .compareFailed, .nodeExists: true
        default: false
        }
    }
}

private struct Planner {
    let tree: Tree
    /// Of the change's password, if it has one.
    let hash: [UInt8]
    var steps: [AuthPlan.Step] = []

    mutating func plan(
        _ change: AuthChange, _ directory: inout AuthDirectory
    ) throws(AuthFault) -> AuthPlan {
        switch change {
        case .putUser(let request): return try put(request, &directory)
        case .deleteUser(let name): return try deleteUser(name, directory)
        case .putRole(let request): return try put(request, &directory)
        case .deleteRole(let name): return try deleteRole(name)
        case .enable: return try enable(&directory)
        case .disable: return try disable(directory)
        }
    }

    // MARK: Users

    private mutating func put(
        _ request: UserRequest, _ directory: inout AuthDirectory
    ) throws(AuthFault) -> AuthPlan {
        if request.changesRoles, request.hasRoles { throw .rolesAndGrant }
        guard !request.password.contains(0) else { throw .zeroInPassword(request.name) }
        let found = try directory.user(request.name, tree)
        guard let found else {
            if request.changesRoles { throw .noUser(request.name) }
            return try create(request)
        }
        // Roles are given to a new user only.
        if request.hasRoles {
            if request.password.isEmpty { throw .noPassword(request.name) }
            throw .userExists(request.name)
        }
        let new = try found.value.changed(
            by: request, newHash: request.password.isEmpty ? nil : hash)
        ensureDirectories()
        write(Auth.usersPath, new.name, new.entry, replacing: found.modifiedIndex)
        return AuthPlan(steps: steps, answer: .init(body: new.answer))
    }

    private mutating func create(_ request: UserRequest) throws(AuthFault) -> AuthPlan {
        if request.password.isEmpty { throw .noPassword(request.name) }
        let user = request.newUser(hash: hash)
        ensureDirectories()
        write(Auth.usersPath, user.name, user.entry, replacing: nil)
        return AuthPlan(
            steps: steps, answer: .init(isCreated: !request.hasRoles, body: user.answer))
    }

    private mutating func deleteUser(
        _ name: [UInt8], _ directory: AuthDirectory
    ) throws(AuthFault) -> AuthPlan {
        if name == Auth.rootName, try directory.isEnabled(tree) { throw .rootUserNeeded }
        ensureDirectories()
        guard delete(Auth.usersPath, name) else { throw .noUserToDelete(name) }
        return AuthPlan(steps: steps)
    }

    // MARK: Roles

    private mutating func put(
        _ request: Role, _ directory: inout AuthDirectory
    ) throws(AuthFault) -> AuthPlan {
        if !request.createsRole, !request.permissions.isEmpty { throw .permissionsAndGrant }
        if request.name == Auth.rootName { throw .roleIsRoot }
        if request.createsRole {
            ensureDirectories()
            guard AuthDirectory.node(path(Auth.rolesPath, request.name), tree) == nil else {
                throw .roleExists(request.name)
            }
            write(Auth.rolesPath, request.name, request.json, replacing: nil)
            return AuthPlan(steps: steps, answer: .init(isCreated: true, body: request.json))
        }
        guard let found = try directory.storedRole(request.name, tree) else {
            throw .noRole(request.name)
        }
        let new = try found.value.changed(by: request)
        ensureDirectories()
        write(Auth.rolesPath, new.name, new.json, replacing: found.modifiedIndex)
        return AuthPlan(steps: steps, answer: .init(body: new.json))
    }

    private mutating func deleteRole(_ name: [UInt8]) throws(AuthFault) -> AuthPlan {
        if name == Auth.rootName { throw .roleIsRoot }
        ensureDirectories()
        guard delete(Auth.rolesPath, name) else { throw .noRoleToDelete(name) }
        return AuthPlan(steps: steps)
    }

    // MARK: The switch

    private mutating func enable(
        _ directory: inout AuthDirectory
    ) throws(AuthFault) -> AuthPlan {
        if try directory.isEnabled(tree) { throw .alreadyEnabled }
        guard try directory.user(Auth.rootName, tree) != nil else { throw .noRootUser }
        ensureDirectories()
        if try directory.role(Auth.guestName, tree) == nil {
            write(Auth.rolesPath, Auth.guestName, Role.guest.json, replacing: nil)
            steps[steps.count - 1].mayExist = true
        }
        flip(to: true)
        return AuthPlan(steps: steps)
    }

    private mutating func disable(_ directory: AuthDirectory) throws(AuthFault) -> AuthPlan {
        guard try directory.isEnabled(tree) else { throw .alreadyDisabled }
        flip(to: false)
        return AuthPlan(steps: steps)
    }

    private mutating func flip(to isEnabled: Bool) {
        var command = Request(
            method: .put, path: Auth.switchPath, value: Array("\(isEnabled)".utf8))
        if let index = AuthDirectory.node(Auth.switchPath, tree)?.modifiedIndex {
            command.previousIndex = index
        } else {
            command.previousExists = true
        }
        steps.append(AuthPlan.Step(command: command))
    }

    // MARK: Commands

    /// etcd makes these with the first change: three directories and the switch.
    private mutating func ensureDirectories() {
        for path in [Auth.root, Auth.usersPath, Auth.rolesPath]
        where AuthDirectory.node(path, tree) == nil {
            var command = Request(method: .put, path: path)
            (command.isDirectory, command.previousExists) = (true, false)
            steps.append(AuthPlan.Step(command: command, mayExist: true))
        }
        guard AuthDirectory.node(Auth.switchPath, tree) == nil else { return }
        var command = Request(method: .put, path: Auth.switchPath, value: Array("false".utf8))
        command.previousExists = false
        steps.append(AuthPlan.Step(command: command, mayExist: true))
    }

    private func path(_ folder: [UInt8], _ name: [UInt8]) -> [UInt8] {
        folder + [UInt8(ascii: "/")] + name
    }

    /// - Parameter index: of the entry that this one takes the place of; nil: there is none.
    private mutating func write(
        _ folder: [UInt8], _ name: [UInt8], _ value: [UInt8], replacing index: UInt64?
    ) {
        precondition(Auth.isComponent(name), "a name comes from one component of an URL")
        var command = Request(method: .put, path: path(folder, name), value: value)
        if let index { command.previousIndex = index } else { command.previousExists = false }
        steps.append(AuthPlan.Step(command: command))
    }

    /// Whether there is something to delete. It need not be readable.
    private mutating func delete(_ folder: [UInt8], _ name: [UInt8]) -> Bool {
        let path = path(folder, name)
        guard AuthDirectory.node(path, tree) != nil else { return false }
        steps.append(AuthPlan.Step(command: Request(method: .delete, path: path)))
        return true
    }
}
