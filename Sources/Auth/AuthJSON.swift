package import Cluster
package import KeyStore

/// Entries and requests as JSON, with etcd's field names and order.
///
/// As Go fills a struct: what is absent or null stays as it was, names of fields may be in any case,
/// what is not known is passed over, and so is whatever follows a request's document.
enum AuthJSON {
    static func strings(_ value: JSONValue, _ key: String) throws(JSONError) -> [[UInt8]]? {
        guard let list = value[key] else { return nil }
        let wrong = JSONError(.wrongType(expected: "a list of strings", field: key), at: 0)
        guard case .array(let elements) = list else { throw wrong }
        var texts: [[UInt8]] = []
        for element in elements {
            switch element {
            case .string(let text): texts.append(Array(text.utf8))
            case .null: texts.append([])
            default: throw wrong
            }
        }
        return texts
    }

    static func permissions(_ value: JSONValue, _ key: String) throws(JSONError) -> Permissions? {
        guard let object = try object(value, key) else { return nil }
        guard let keys = try self.object(object, "kv") else { return Permissions() }
        return Permissions(read: try strings(keys, "read"), write: try strings(keys, "write"))
    }

    /// An object's field that is an object too.
    private static func object(
        _ value: JSONValue, _ key: String
    ) throws(JSONError) -> JSONValue? {
        guard let field = value[key] else { return nil }
        guard case .object = field else {
            throw JSONError(.wrongType(expected: "an object", field: key), at: 0)
        }
        return field
    }

    /// A request's document: an object, or null, which is as good as an empty one.
    static func requestObject(_ body: [UInt8]) throws(JSONError) -> JSONValue {
        let value = try JSONValue(parsingFirstOf: body)
        switch value {
        case .object, .null: return value
        default: throw notAnObject
        }
    }

    static func entryObject(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        let value = try JSONValue(parsing: bytes)
        guard case .object = value else { throw notAnObject }
        return value
    }

    private static var notAnObject: JSONError {
        JSONError(.wrongType(expected: "an object", field: ""), at: 0)
    }
}

extension JSONText {
    /// What was decoded from JSON is valid UTF-8, so this loses nothing.
    fileprivate mutating func string(_ bytes: [UInt8]) {
        string(String(decoding: bytes, as: UTF8.self))
    }

    fileprivate mutating func strings(orNull list: [[UInt8]]?) {
        guard let list else { return raw("null") }
        strings(list.map { String(decoding: $0, as: UTF8.self) })
    }

    fileprivate mutating func permissions(_ permissions: Permissions) {
        raw("{\"kv\":{\"read\":")
        strings(orNull: permissions.read)
        raw(",\"write\":")
        strings(orNull: permissions.write)
        raw("}}")
    }

    fileprivate mutating func role(_ role: Role) {
        raw("{\"role\":")
        string(role.name)
        raw(",\"permissions\":")
        permissions(role.permissions)
        if let grant = role.grant {
            raw(",\"grant\":")
            permissions(grant)
        }
        if let revoke = role.revoke {
            raw(",\"revoke\":")
            permissions(revoke)
        }
        raw("}")
    }

    /// - Parameter roles: as a list; left out if there is none.
    fileprivate mutating func user(_ name: [UInt8], _ roles: [Role]) {
        raw("{\"user\":")
        string(name)
        if !roles.isEmpty {
            raw(",\"roles\":[")
            for (place, role) in roles.enumerated() {
                if place > 0 { raw(",") }
                self.role(role)
            }
            raw("]")
        }
        raw("}")
    }
}

// MARK: - Entries

extension User {
    package init(entry bytes: [UInt8]) throws(JSONError) {
        let value = try AuthJSON.entryObject(bytes)
        self.init(
            name: Array(try value.string("user").utf8),
            passwordHash: Array(try value.string("password").utf8),
            roles: try AuthJSON.strings(value, "roles"))
    }

    package var entry: [UInt8] { json(withHash: true) }

    /// As a change is answered: the names of its roles, and nothing of the password.
    var answer: [UInt8] { json(withHash: false) }

    private func json(withHash: Bool) -> [UInt8] {
        var json = JSONText()
        json.raw("{\"user\":")
        json.string(name)
        if withHash, !passwordHash.isEmpty {
            json.raw(",\"password\":")
            json.string(passwordHash)
        }
        json.raw(",\"roles\":")
        json.strings(orNull: roles)
        json.raw("}")
        return json.bytes
    }
}

extension Role {
    package init(entry bytes: [UInt8]) throws(JSONError) {
        try self.init(AuthJSON.entryObject(bytes))
    }

    fileprivate init(_ value: JSONValue) throws(JSONError) {
        self.init(
            name: Array(try value.string("role").utf8),
            permissions: try AuthJSON.permissions(value, "permissions") ?? Permissions(),
            grant: try AuthJSON.permissions(value, "grant"),
            revoke: try AuthJSON.permissions(value, "revoke"))
    }

    package var json: [UInt8] {
        var json = JSONText()
        json.role(self)
        return json.bytes
    }
}

// MARK: - Requests and answers

extension UserRequest {
    package init(body: [UInt8]) throws(AuthFault) {
        do throws(JSONError) {
            let value = try AuthJSON.requestObject(body)
            name = Array(try value.string("user").utf8)
            password = Array(try value.string("password").utf8)
            roles = try AuthJSON.strings(value, "roles")
            grant = try AuthJSON.strings(value, "grant")
            revoke = try AuthJSON.strings(value, "revoke")
        } catch {
            throw .notJSON
        }
    }
}

extension Role {
    package init(body: [UInt8]) throws(AuthFault) {
        do throws(JSONError) { try self.init(AuthJSON.requestObject(body)) } catch {
            throw .notJSON
        }
    }
}

extension AuthDirectory {
    /// `GET` of one user: with its roles whole, all of which must exist.
    package mutating func userPage(
        _ name: [UInt8], _ tree: Tree
    ) throws(AuthFault) -> [UInt8] {
        guard let user = try user(name, tree)?.value else { throw .noUser(name) }
        var roles: [Role] = []
        for role in user.roles ?? [] {
            guard let found = try self.role(role, tree) else { throw .noRole(role) }
            roles.append(found)
        }
        var json = JSONText()
        json.user(user.name, roles)
        return json.bytes
    }

    /// `GET` of all users, in the order of their names. Roles that do not exist are left out.
    package mutating func usersPage(_ tree: Tree) throws(AuthFault) -> [UInt8] {
        let names = names(below: Auth.usersPath, tree)
        var json = JSONText()
        json.raw("{\"users\":")
        json.raw(names.isEmpty ? "null" : "[")
        for (place, name) in names.enumerated() {
            guard let user = try user(name, tree)?.value else { continue }
            var roles: [Role] = []
            for role in user.roles ?? [] {
                if let found = try self.role(role, tree) { roles.append(found) }
            }
            if place > 0 { json.raw(",") }
            json.user(user.name, roles)
        }
        json.raw(names.isEmpty ? "}" : "]}")
        return json.bytes
    }

    package mutating func rolePage(
        _ name: [UInt8], _ tree: Tree
    ) throws(AuthFault) -> [UInt8] {
        guard let role = try role(name, tree) else { throw .noRole(name) }
        return role.json
    }

    /// `GET` of all roles, root among them, in the order of their names.
    package mutating func rolesPage(_ tree: Tree) throws(AuthFault) -> [UInt8] {
        var names = names(below: Auth.rolesPath, tree).filter { $0 != Auth.rootName }
        names.append(Auth.rootName)
        names.sort { $0.lexicographicallyPrecedes($1) }
        var json = JSONText()
        json.raw("{\"roles\":[")
        for (place, name) in names.enumerated() {
            guard let role = try role(name, tree) else { continue }
            if place > 0 { json.raw(",") }
            json.role(role)
        }
        json.raw("]}")
        return json.bytes
    }
}
