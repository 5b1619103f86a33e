/// Users, roles and what they may do: etcd 2.3's auth, as values and functions without I/O.
///
/// The state is in the replicated store, in etcd's own entries, so an etcd's data dir opens with its
/// users and an etcd in the same cluster sees ours:
///
///     /2/enabled        true | false
///     /2/users/NAME     {"user":"u","password":"$2a$10$…","roles":["r"]}
///     /2/roles/NAME     {"role":"r","permissions":{"kv":{"read":["/a/*"],"write":null}}}
///
/// How a request is checked:
///
///     Authorization ─▶ BasicCredentials ─▶ CredentialCache ── known ──▶ Identity
///                                               │ unknown                  │
///                                               ▼                          ▼
///                                     PasswordHash (slow, elsewhere)   AuthDirectory.allows
///                                                                          │ KeyPattern
///                                                                          ▼
///                                                                   allowed, denied, unreadable
///
/// How something is changed: `AuthChange` says what is wanted, `AuthPlan` which commands of the log
/// bring it about, given what the store has. Each command compares with what the plan was made from,
/// so of two changes at the same time none is lost: the later one is planned again.
///
/// Names, keys and patterns are bytes throughout. Swift's strings compare by what they look like:
/// two users whose names are different bytes would be one.
///
/// Nothing here is `Sendable` by accident: the directory and the cache belong to the client port's
/// loop; only `PasswordHash` is for other threads. Source: `reference/client-api.md` §11.
package enum Auth {
    /// Where the state is in the store.
    package static let root = Array("/2".utf8)
    static let switchPath = Array("/2/enabled".utf8)
    static let usersPath = Array("/2/users".utf8)
    static let rolesPath = Array("/2/roles".utf8)

    /// The user that must be there before auth is switched on, and the role that may do everything.
    package static let rootName = Array("root".utf8)
    /// The role of those who say no name.
    package static let guestName = Array("guest".utf8)

    /// Whether a name is one component of a path. Any other is nobody's, whatever a path with it in
    /// would lead to.
    static func isComponent(_ name: [UInt8]) -> Bool {
        let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
        return !name.isEmpty && name != [dot] && name != [dot, dot] && !name.contains(slash)
    }
}
