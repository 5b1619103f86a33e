import Auth
import KeyStore
import Testing

/// What entries of the store permit, and what pages are made of them.
@Suite struct DirectoryTests {
    @Test(arguments: [
        // pattern, key, plain, recursive
        ("/app/*", "/app/", true, true), ("/app/*", "/app/x/y", true, true),
        ("/app/*", "/app", false, false), ("/app/*", "/application", false, false),
        ("/app", "/app", true, false), ("/app", "/app/", false, false),
        ("/app", "/ap", false, false), ("/app", "/appx", false, false),
        ("*", "", true, true), ("*", "/x", true, true),
        ("/*", "", false, false), ("/*", "/", true, true), ("/*", "/x", true, true),
        ("", "", false, false), ("", "/x", false, false),
        ("/a*b", "/a*b", true, false), ("/a*b", "/axb", false, false),
        ("/\u{e9}", "/\u{e9}", true, false), ("/\u{e9}", "/e\u{301}", false, false),
        ("/e*", "/\u{e9}", false, false), ("/e*", "/e\u{301}", true, true),
    ])
    func patterns(pattern: String, key: String, plain: Bool, recursive: Bool) {
        Array(key.utf8).withUnsafeBytes { key in
            let pattern = Array(pattern.utf8)
            #expect(KeyPattern.matches(pattern, key, isRecursive: false) == plain)
            #expect(KeyPattern.matches(pattern, key, isRecursive: true) == recursive)
        }
    }

    private static func identity(_ name: String) -> AuthDirectory.Identity {
        .user(Array(name.utf8), hash: Array("hash of p".utf8))
    }

    private func planned() -> PlannedStore {
        let planned = PlannedStore()
        _ = planned.putRole(
            #"{"role":"r","permissions":{"kv":{"read":["/app/*","/one"],"write":["/w"]}}}"#)
        _ = planned.putUser(#"{"user":"bob","password":"p","roles":["gone","r"]}"#)
        _ = planned.putUser(#"{"user":"root","password":"p"}"#)
        _ = planned.make(.enable)
        return planned
    }

    @Test func usersMayWhatTheirRolesMay() throws {
        let planned = planned()
        let bob = Self.identity("bob")
        #expect(try planned.allows(bob, "/app/x"))
        #expect(try planned.allows(bob, "/app/", recursive: true))
        #expect(try planned.allows(bob, "/one"))
        #expect(try !planned.allows(bob, "/one", recursive: true))
        #expect(try !planned.allows(bob, "/app/x", write: true))
        #expect(try planned.allows(bob, "/w", write: true))
        #expect(try !planned.allows(bob, "/w"))
        let root = Self.identity("root")
        #expect(try planned.allows(root, "", write: true, recursive: true))
        #expect(try planned.directory.isRoot(root, planned.store.tree))
        #expect(try !planned.directory.isRoot(bob, planned.store.tree))
        #expect(try !planned.directory.isRoot(.guest, planned.store.tree))
        // The hash that the password was verified against is not the user's any more.
        #expect(try !planned.allows(.user(Array("root".utf8), hash: []), "/x"))
        #expect(
            try !planned.directory.isRoot(.user(Array("root".utf8), hash: []), planned.store.tree))
        #expect(try !planned.allows(Self.identity("nobody"), "/app/x"))
    }

    @Test func guests() throws {
        let planned = planned()
        #expect(try planned.allows(.guest, "/any", write: true, recursive: true))
        #expect(try !planned.allows(.guest, ""))
        _ = planned.putRole(
            #"{"role":"guest","revoke":{"kv":{"read":["/*"],"write":["/*"]}},"grant":{"kv":{"read":["/g"]}}}"#
        )
        #expect(try planned.allows(.guest, "/g", recursive: true))
        #expect(try !planned.allows(.guest, "/any"))
        planned.make(.deleteRole(Array("guest".utf8)))
        #expect(try !planned.allows(.guest, "/g"))
    }

    @Test(arguments: ["..", ".", "", "users/bob", "../users/bob", "bob/", "/bob"])
    func namesThatAreNoComponentAreNobodys(name: String) throws {
        let planned = planned()
        #expect(try planned.directory.user(Array(name.utf8), planned.store.tree) == nil)
    }

    @Test func pages() throws {
        let planned = PlannedStore()
        let tree = { planned.store.tree }
        #expect(text(try planned.directory.usersPage(tree())) == #"{"users":null}"#)
        let root = #"{"role":"root","permissions":{"kv":{"read":["/*"],"write":["/*"]}}}"#
        #expect(text(try planned.directory.rolesPage(tree())) == #"{"roles":[\#(root)]}"#)
        #expect(text(try planned.directory.rolePage(Array("root".utf8), tree())) == root)
        _ = planned.putUser(#"{"user":"u<","password":"p","roles":["root","gone"]}"#)
        _ = planned.putUser(#"{"user":"b","password":"p"}"#)
        _ = planned.putUser(#"{"user":"_hidden","password":"p"}"#)
        #expect(
            text(try planned.directory.usersPage(tree()))
                == #"{"users":[{"user":"b"},{"user":"u\u003c","roles":[\#(root)]}]}"#)
        #expect(text(try planned.directory.userPage(Array("b".utf8), tree())) == #"{"user":"b"}"#)
        #expect(
            text(fault { _ = try planned.directory.userPage(Array("u<".utf8), tree()) })
                == "auth: Role gone does not exist.")
        #expect(
            text(fault { _ = try planned.directory.rolePage(Array("gone".utf8), tree()) })
                == "auth: Role gone does not exist.")
    }

    /// Of a foreign data dir.
    @Test(arguments: [
        ("/2/users/x", "", "the JSON ends in the middle of a value, at byte 0"),
        ("/2/users/x", "[]", #"the JSON field "" is not an object"#),
        ("/2/users/x", #"{"user":1}"#, #"the JSON field "user" is not a string"#),
        ("/2/users/x", #"{"user":"y"}"#, "it is of a user of another name"),
        ("/2/users/x/y", "z", "it is a directory"),
    ])
    func entriesThatCannotBeRead(path: String, value: String, problem: String) throws {
        let planned = planned()
        planned.put(path, value)
        let message = "auth: the entry /2/users/x of the store cannot be read: \(problem)"
        #expect(
            text(fault { try planned.directory.user(Array("x".utf8), planned.store.tree) })
                == message)
        #expect(text(fault { try planned.directory.usersPage(planned.store.tree) }) == message)
        // The way out.
        if value != "z" { #expect(planned.make(.deleteUser(Array("x".utf8))) == "200 ") }
    }

    @Test func aRoleThatCannotBeReadStopsNobodyWhoNeedsItNot() throws {
        let planned = planned()
        planned.put("/2/roles/gone", "?")
        #expect(try planned.allows(Self.identity("bob"), "/one"))
        #expect(throws: AuthFault.self) { try planned.allows(Self.identity("bob"), "/two") }
    }

    @Test func aSwitchThatCannotBeRead() {
        let planned = planned()
        planned.put("/2/enabled", "perhaps")
        #expect(
            text(fault { try planned.directory.isEnabled(planned.store.tree) })
                == "auth: the entry /2/enabled of the store cannot be read: it is neither true nor false"
        )
    }

    private func fault(_ body: () throws -> Any?) -> [UInt8] {
        do {
            _ = try body()
            return Array("no fault".utf8)
        } catch {
            return (error as? AuthFault)?.message ?? Array("\(error)".utf8)
        }
    }
}
