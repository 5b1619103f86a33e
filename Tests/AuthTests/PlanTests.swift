import Auth
import KeyStore
import RaftModel
import Testing

/// What requests lead to in the store, and what is answered. The texts are a real etcd's.
@Suite struct PlanTests {
    @Test func theFirstChangeMakesWhatEtcdMakes() {
        let planned = PlannedStore()
        #expect(
            planned.putUser(#"{"user":"u","password":"p"}"#) == #"201 {"user":"u","roles":null}"#)
        #expect(planned.store.currentIndex == 5)
        #expect(planned.value(at: "/2/enabled") == "false")
        #expect(
            planned.value(at: "/2/users/u")
                == #"{"user":"u","password":"hash of p","roles":null}"#)
    }

    /// Refusals use up indexes where etcd's do, and none where they do not.
    @Test(arguments: [
        (AuthChange.disable, UInt64(0)), (.enable, 0), (.deleteUser(Array("u".utf8)), 4),
        (.deleteRole(Array("r".utf8)), 4), (.deleteRole(Array("root".utf8)), 0),
    ])
    func refusalsMakeTheDirectoriesWhereEtcdDoes(change: AuthChange, index: UInt64) {
        let planned = PlannedStore()
        planned.make(change)
        #expect(planned.store.currentIndex == index)
    }

    private static let userRequests: [(String, String)] = [
        (#"{"user":"q"}"#, "badRequest auth: Cannot create user q with an empty password"),
        (#"{"user":"q","grant":["x"]}"#, "notFound auth: User q does not exist."),
        (#"{"user":"u","password":"p"}"#, #"201 {"user":"u","roles":null}"#),
        (#"{"user":"u"}"#, #"200 {"user":"u","roles":[]}"#),
        (
            #"{"user":"u"}"#,
            "badRequest auth: User not updated. Use grant/revoke/password to update the user."
        ),
        (#"{"user":"v","password":"p","roles":[]}"#, #"201 {"user":"v","roles":[]}"#),
        (
            #"{"user":"v","roles":["x"]}"#,
            "badRequest auth: Cannot create user v with an empty password"
        ),
        (
            #"{"user":"w","password":"x","roles":["z","a","z"],"grant":[],"revoke":[]}"#,
            #"200 {"user":"w","roles":["z","a","z"]}"#
        ),
        (
            #"{"user":"w","password":"x","roles":["z"]}"#,
            "conflict auth: User w already exists."
        ),
        (#"{"user":"w","grant":["y"]}"#, #"200 {"user":"w","roles":["a","y","z"]}"#),
        (
            #"{"user":"w","grant":["b","b"]}"#,
            "conflict auth: Granting duplicate role b for user w"
        ),
        (
            #"{"user":"w","grant":["b"],"revoke":["b"]}"#,
            "badRequest auth: User not updated. Use grant/revoke/password to update the user."
        ),
        (
            #"{"user":"w","password":"n","grant":["b"],"revoke":["z","z"]}"#,
            "conflict auth: Revoking ungranted role z for user w"
        ),
        (
            #"{"user":"w","roles":["q"],"grant":["b"]}"#,
            "badRequest User JSON contains both roles and grant/revoke"
        ),
        (
            #"{"USER":"w","GRANT":["d"]} trailing"#,
            #"200 {"user":"w","roles":["a","d","y","z"]}"#
        ),
        (#"{"user":"w","grant":[null]}"#, #"200 {"user":"w","roles":["","a","d","y","z"]}"#),
        ("", "badRequest Invalid JSON in request body."),
        ("[]", "badRequest Invalid JSON in request body."),
        (#"{"user":1}"#, "badRequest Invalid JSON in request body."),
        (#"{"user":"w","grant":"x"}"#, "badRequest Invalid JSON in request body."),
        (#"{"user":"w","grant":[1]}"#, "badRequest Invalid JSON in request body."),
        (#"{"user":"w","password":1}"#, "badRequest Invalid JSON in request body."),
        (
            #"{"user":"root","password":"r","roles":["zz"]}"#,
            #"200 {"user":"root","roles":["zz","root"]}"#
        ),
        (#"{"user":"root","revoke":["root"]}"#, #"200 {"user":"root","roles":["zz"]}"#),
        (
            #"{"user":"root","grant":["root"]}"#,
            "conflict auth: Granting duplicate role root for user root"
        ),
        (
            #"{"user":"nul","password":"a\u0000b"}"#,
            "badRequest auth: The password of user nul has a zero byte in it"
        ),
        // A name that looks the same, and is another one.
        (#"{"user":"\u00e9","password":"p"}"#, #"201 {"user":"é","roles":null}"#),
        (
            #"{"user":"e\u0301","password":"p"}"#,
            "201 {\"user\":\"e\u{301}\",\"roles\":null}"
        ),
    ]

    @Test func users() {
        let planned = PlannedStore()
        for (request, answer) in Self.userRequests {
            let found = planned.putUser(request)
            // By bytes: strings that look the same are equal.
            #expect(Array(found.utf8) == Array(answer.utf8), "\(request): \(found)")
        }
    }

    private static let roleRequests: [(String, String)] = [
        (
            #"{"role":"e","grant":{}}"#,
            #"201 {"role":"e","permissions":{"kv":{"read":null,"write":null}},"grant":{"kv":{"read":null,"write":null}}}"#
        ),
        (
            #"{"role":"e","revoke":{"kv":{"read":["/never"]}}}"#,
            #"200 {"role":"e","permissions":{"kv":{"read":[],"write":[]}}}"#
        ),
        (
            #"{"role":"e","revoke":{"kv":{"read":["/never"]}}}"#,
            "badRequest auth: Role not updated. Use grant/revoke to update the role."
        ),
        (#"{"role":"e"}"#, "conflict auth: Role e already exists."),
        (
            #"{"role":"e3","grant":{"kv":{"read":[],"write":null}},"revoke":{"kv":null}}"#,
            #"201 {"role":"e3","permissions":{"kv":{"read":null,"write":null}},"grant":{"kv":{"read":[],"write":null}},"revoke":{"kv":{"read":null,"write":null}}}"#
        ),
        (
            #"{"role":"e5","permissions":{"kv":{"read":["/z","/a","/z",""]}}}"#,
            #"201 {"role":"e5","permissions":{"kv":{"read":["/z","/a","/z",""],"write":null}}}"#
        ),
        (
            #"{"role":"e5","revoke":{"kv":{"read":["/never"]}}}"#,
            #"200 {"role":"e5","permissions":{"kv":{"read":["","/a","/z"],"write":[]}}}"#
        ),
        (
            #"{"role":"e5","grant":{"kv":{"read":["/n","/n"]}}}"#,
            "conflict auth: Granting duplicate read permission /n"
        ),
        (
            #"{"role":"e5","grant":{"kv":{"write":["/n","/n"]}}}"#,
            "conflict auth: Granting duplicate write permission /n"
        ),
        (
            #"{"role":"e5","grant":{"kv":{"write":["/n"]}},"revoke":{"kv":{"write":["/n"]}}}"#,
            "badRequest auth: Role not updated. Use grant/revoke to update the role."
        ),
        (
            #"{"role":"e5","permissions":{"kv":{"read":["/x"]}},"grant":{"kv":{"read":["/y"]}}}"#,
            "badRequest Role JSON contains both permissions and grant/revoke"
        ),
        (
            #"{"role":"nn","revoke":{"kv":{"write":["/n"]}}}"#,
            "notFound auth: Role nn does not exist."
        ),
        (#"{"role":"root"}"#, "forbidden auth: Cannot modify role root: is root role."),
        (#"{"role":"x","permissions":[]}"#, "badRequest Invalid JSON in request body."),
        (
            #"{"role":"n","permissions":null}"#,
            #"201 {"role":"n","permissions":{"kv":{"read":null,"write":null}}}"#
        ),
    ]

    @Test func roles() {
        let planned = PlannedStore()
        for (request, answer) in Self.roleRequests {
            #expect(planned.putRole(request) == answer)
        }
    }

    @Test func theSwitch() {
        let planned = PlannedStore()
        let root = Array("root".utf8)
        #expect(planned.make(.disable) == "conflict auth: already disabled")
        #expect(
            planned.make(.enable) == "conflict auth: No root user available, please create one")
        _ = planned.putUser(#"{"user":"root","password":"r"}"#)
        #expect(planned.make(.enable) == "200 ")
        #expect(
            planned.value(at: "/2/roles/guest")
                == #"{"role":"guest","permissions":{"kv":{"read":["/*"],"write":["/*"]}}}"#)
        #expect(planned.make(.enable) == "conflict auth: already enabled")
        #expect(
            planned.make(.deleteUser(root))
                == "forbidden auth: Cannot delete root user while auth is enabled.")
        #expect(planned.make(.disable) == "200 ")
        #expect(planned.make(.deleteUser(root)) == "200 ")
        #expect(planned.make(.deleteUser(root)) == "notFound auth: User root does not exist")
        #expect(
            planned.make(.deleteRole(root))
                == "forbidden auth: Cannot modify role root: is root role.")
        #expect(planned.make(.deleteRole(Array("guest".utf8))) == "200 ")
        #expect(
            planned.make(.deleteRole(Array("guest".utf8)))
                == "notFound auth: Role guest doesn't exist.")
    }

    /// Of two changes planned from the same state, the second is refused by the store.
    @Test func aPlanThatIsOutdatedChangesNothing() throws {
        let planned = PlannedStore()
        _ = planned.putUser(#"{"user":"u","password":"p"}"#)
        let plans = ["a", "b"].map { role in
            AuthPlan.make(
                .putUser(UserRequest(name: Array("u".utf8), grant: [Array(role.utf8)])),
                hash: nil, &planned.directory, planned.store.tree)
        }
        guard case .ready(let first) = plans[0], case .ready(let second) = plans[1] else {
            Issue.record("both can be planned")
            return
        }
        planned.carryOut(first.steps)
        let command = try #require(second.steps.last).command
        #expect {
            try planned.apply(command)
        } throws: { error in
            (error as? StoreError).map { AuthPlan.isOutdated(by: $0.code) } ?? false
        }
        #expect(planned.value(at: "/2/users/u")?.contains(#""roles":["a"]"#) == true)
    }

    @Test func aPasswordIsHashedOnlyForAChangeThatIsAllowed() {
        let planned = PlannedStore()
        let wanted = UserRequest(name: Array("u".utf8), password: Array("p".utf8))
        var refused = wanted
        refused.grant = [Array("r".utf8)]
        guard
            case .needsHash(let password) = AuthPlan.make(
                .putUser(wanted), hash: nil, &planned.directory, planned.store.tree),
            case .refused = AuthPlan.make(
                .putUser(refused), hash: nil, &planned.directory, planned.store.tree)
        else {
            Issue.record("one needs a hash, the other is refused")
            return
        }
        #expect(password == Array("p".utf8))
    }
}
