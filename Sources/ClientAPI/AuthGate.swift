internal import Auth
internal import KVServer

/// What the client port knows of who may do what.
///
/// While auth is off a request costs one comparison: `openRevision` is then the engine's. The engine
/// counts a new revision with each change below `/2` of the store that it applies, whichever member
/// it came from; from then on every request takes the long way until it is known what the change
/// was. What is decoded is dropped with each change; what is known of passwords is not, since it
/// holds for a stored hash only (`CredentialCache`).
struct AuthGate {
    enum Mode {
        case off, on
        /// Nobody may do anything until the switch is mended.
        case unreadable(AuthFault)
    }

    /// The revision at which auth is known to be off.
    var openRevision = UInt64.max
    /// The revision that `mode` and `directory` are of.
    var revision = UInt64.max
    /// The revision that open watches have been looked at for.
    var watchesRevision = UInt64.max
    var mode = Mode.off
    var directory = AuthDirectory()
    var cache = CredentialCache()
    /// Requests whose credentials are being checked: many connections may send the same ones.
    var waiting: [CredentialCache.Fingerprint: [Ticket]] = [:]
    /// Whose the watch is that is about to be opened.
    var watchAccess: WatchAccess?

    static let deniedText = "Insufficient credentials"
}

/// What was found out about the credentials of a request that had to wait for it.
struct CheckedCredentials {
    /// What they were checked against; nil: there was no such user.
    var hash: [UInt8]?
    var isRight: Bool
}

/// What lets a watch go on: looked at again whenever a user, a role or the switch changes.
struct WatchAccess {
    var identity: AuthDirectory.Identity
    var key: [UInt8]
    var isRecursive: Bool
}

/// Why a request is not carried out for who sent it.
enum AuthRefusal: Error {
    case denied
    case mustWait(seconds: Int)
    /// Too many passwords wait to be checked.
    case busy
    case unreadable(AuthFault)
}
