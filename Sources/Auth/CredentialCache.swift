internal import Crypto

/// What is known of credentials without hashing their password again.
///
/// Of a password only a fingerprint is kept: HMAC-SHA-256 under a key that this process drew at its
/// start and that nothing else knows. What was found out holds for one stored hash; when the user's
/// entry gets another, or goes, it is as if it had never been found out.
///
///     name ─▶ fingerprint, hash     right: at most one a user, put there by a verified password
///     fingerprint ─▶ hash           wrong: a client with an old password costs nothing
///     name ─▶ time                  failures, of users that exist and of those that do not
///
/// Whoever fails ten times in a row has to wait a second for each further try that would cost a
/// hash. What is known is never made to wait. All three are bounded; see `BoundedMap`.
package struct CredentialCache {
    package struct Fingerprint: Hashable, Sendable {
        let bytes: [UInt8]
    }

    package enum Verdict: Equatable {
        case right, wrong
        /// To be found out, and told to `settle`.
        case unknown(Fingerprint)
        /// There were too many failures for this name.
        case mustWait(seconds: Int)
    }

    private struct Right {
        var fingerprint: Fingerprint
        var hash: [UInt8]
    }

    private let key = SymmetricKey(size: .bits256)
    private var right: BoundedMap<[UInt8], Right>
    /// The hash that it does not match; nil: there was no such user.
    private var wrong: BoundedMap<Fingerprint, [UInt8]?>
    /// When the last of its failures will be forgotten: monotonic nanoseconds.
    private var failures: BoundedMap<[UInt8], Int64>

    private static let failuresMax: Int64 = 10
    private static let nanosecondsPerFailure: Int64 = 1_000_000_000

    /// - Parameter entriesMax: of each kind.
    package init(entriesMax: Int = 4096) {
        right = BoundedMap(entriesMax: entriesMax)
        wrong = BoundedMap(entriesMax: entriesMax)
        failures = BoundedMap(entriesMax: entriesMax)
    }

    package var entriesCount: Int { right.count + wrong.count + failures.count }

    /// - Parameters:
    ///   - hash: the user's stored one; nil: there is no such user.
    ///   - now: monotonic nanoseconds.
    package mutating func verdict(
        of credentials: BasicCredentials, hash: [UInt8]?, now: Int64
    ) -> Verdict {
        let fingerprint = fingerprint(of: credentials)
        if let hash, let known = right[credentials.name], known.hash == hash,
            ConstantTime.areEqual(known.fingerprint.bytes, fingerprint.bytes)
        {
            return .right
        }
        // The key of this look-up is a secret's MAC: how long it takes tells nothing.
        if let known = wrong[fingerprint], known == hash { return .wrong }
        let owed = (failures[credentials.name] ?? 0) - now
        let allowed = (Self.failuresMax - 1) * Self.nanosecondsPerFailure
        guard owed <= allowed else {
            let wait = owed - allowed
            return .mustWait(
                seconds: Int((wait + Self.nanosecondsPerFailure - 1) / Self.nanosecondsPerFailure))
        }
        return .unknown(fingerprint)
    }

    /// Takes in what hashing has shown.
    package mutating func settle(
        _ fingerprint: Fingerprint, of name: [UInt8], hash: [UInt8]?, isRight: Bool, now: Int64
    ) {
        guard !isRight else {
            guard let hash else { preconditionFailure("nobody's password is right") }
            right[name] = Right(fingerprint: fingerprint, hash: hash)
            return
        }
        wrong[fingerprint] = hash
        failures[name] = max(failures[name] ?? 0, now) + Self.nanosecondsPerFailure
    }

    private func fingerprint(of credentials: BasicCredentials) -> Fingerprint {
        var mac = HMAC<SHA256>(key: key)
        // The length, so that no other pair of name and password reads the same.
        withUnsafeBytes(of: UInt64(credentials.name.count).littleEndian) {
            mac.update(data: Array($0))
        }
        mac.update(data: credentials.name)
        mac.update(data: credentials.password)
        return Fingerprint(bytes: Array(mac.finalize()))
    }
}

/// A dictionary that forgets what has not been used for longest, roughly: entries are in the young
/// half or the old one; one that is used moves to the young half, and when that is full, it becomes
/// the old one, and what the old one had is gone.
struct BoundedMap<Key: Hashable, Value> {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private let halfMax: Int

    init(entriesMax: Int) {
        precondition(entriesMax >= 2, "there are two halves")
        halfMax = entriesMax / 2
    }

    var count: Int { young.count + old.count }

    subscript(key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, key)
            return value
        }
        set {
            old[key] = nil
            if let newValue { insert(newValue, key) } else { young[key] = nil }
        }
    }

    private mutating func insert(_ value: Value, _ key: Key) {
        if young.count >= halfMax, young[key] == nil {
            (old, young) = (young, [:])
        }
        young[key] = value
    }
}
