import Auth
import Testing

@Suite struct CredentialTests {
    @Test(arguments: [
        ("Basic cm9vdDpycHc=", "root", "rpw"), ("basic cm9vdDpycHc=", "root", "rpw"),
        ("Basic Og==", "", ""), ("Basic YTpiOmM=", "a", "b:c"), ("Basic w6k6/w==", "é", nil),
        ("Basic", nil, nil), ("Basic ", nil, nil), ("Bearer zzz", nil, nil),
        ("Basic  cm9vdDpycHc=", nil, nil), ("Basic cm9vdDpycHc", nil, nil),
        ("Basic cm9v!Dpy", nil, nil), ("Basic cm9vdA==", nil, nil),
        ("Basic cm9v=Dpy", nil, nil), ("Basic ====", nil, nil), ("", nil, nil),
    ])
    func headers(header: String, name: String?, password: String?) {
        let credentials = BasicCredentials(header: header)
        #expect(credentials?.name == name.map { Array($0.utf8) })
        guard name != nil else { return }
        #expect(credentials?.password == password.map { Array($0.utf8) } ?? [0xFF])
    }

    /// Made by other programs: Go's bcrypt in etcd, and the vectors of the algorithm's authors.
    @Test(arguments: [
        ("p", "$2a$10$uZsX7PORBc3e5cY9znYay.2mhgerzNBk/u0p9LOKBeAscbfOdT5Ky"),
        ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
        (
            "~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
            "$2y$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"
        ),
    ])
    func hashesOfOthers(password: String, hash: String) {
        #expect(PasswordHash.matches(Array(password.utf8), Array(hash.utf8)))
        #expect(!PasswordHash.matches(Array((password + "x").utf8), Array(hash.utf8)))
    }

    /// libcrypt's `$2a$` answers otherwise for some of these, to be safe from a bug that etcd's
    /// bcrypt never had.
    @Test func bytesAboveSevenBits() {
        let password: [UInt8] = [0xD1, 0x91, 0xFF, 0xA3, 0x33, 0x34, 0xFF, 0xFF, 0xFF, 0xA3]
        let hash = PasswordHash.make(password)
        #expect(PasswordHash.matches(password, hash))
        var other = hash
        other[2] = UInt8(ascii: "b")
        #expect(PasswordHash.matches(password, other))
    }

    @Test func hashesOfOurs() {
        let one = PasswordHash.make(Array("p".utf8))
        let other = PasswordHash.make(Array("p".utf8))
        #expect(one.starts(with: "$2a$10$".utf8) && one.count == 60)
        #expect(one != other, "each has a salt of its own")
        #expect(PasswordHash.matches(Array("p".utf8), one))
        #expect(!PasswordHash.matches(Array("p\0".utf8), one))
        #expect(!PasswordHash.matches(Array("P".utf8), one))
    }

    @Test(arguments: [
        "", "*0", "$1$abc$def", "$2a$31$uZsX7PORBc3e5cY9znYay.2mhgerzNBk/u0p9LOKBeAscbfOdT5Ky",
    ])
    func whatIsNoHashMatchesNothing(hash: String) {
        #expect(!PasswordHash.matches([], Array(hash.utf8)))
        #expect(!PasswordHash.matches([], nil))
    }
}

@Suite struct CredentialCacheTests {
    private static let second: Int64 = 1_000_000_000
    private let hash = Array("h1".utf8)

    private func credentials(_ name: String, _ password: String) -> BasicCredentials {
        BasicCredentials(name: Array(name.utf8), password: Array(password.utf8))
    }

    private func find(
        _ cache: inout CredentialCache, _ credentials: BasicCredentials, _ hash: [UInt8]?,
        isRight: Bool, now: Int64 = 0
    ) -> Bool {
        guard
            case .unknown(let fingerprint) = cache.verdict(of: credentials, hash: hash, now: now)
        else { return false }
        cache.settle(fingerprint, of: credentials.name, hash: hash, isRight: isRight, now: now)
        return true
    }

    @Test func whatIsFoundOutHoldsForOneHash() {
        var cache = CredentialCache()
        let good = credentials("u", "p")
        let bad = credentials("u", "x")
        #expect(find(&cache, good, hash, isRight: true))
        #expect(find(&cache, bad, hash, isRight: false))
        #expect(cache.verdict(of: good, hash: hash, now: 0) == .right)
        #expect(cache.verdict(of: bad, hash: hash, now: 0) == .wrong)
        // The password was changed, or the user deleted.
        for new in [Array("h2".utf8), nil] {
            for credentials in [good, bad] {
                guard case .unknown = cache.verdict(of: credentials, hash: new, now: 0) else {
                    Issue.record("\(credentials) is known for \(String(describing: new))")
                    continue
                }
            }
        }
    }

    @Test func nobodysPasswordIsRememberedAsWrongToo() {
        var cache = CredentialCache()
        #expect(find(&cache, credentials("ghost", "p"), nil, isRight: false))
        #expect(cache.verdict(of: credentials("ghost", "p"), hash: nil, now: 0) == .wrong)
    }

    @Test func nameAndPasswordAreToldApart() {
        var cache = CredentialCache()
        #expect(find(&cache, credentials("ab", "c"), hash, isRight: false))
        guard case .unknown = cache.verdict(of: credentials("a", "bc"), hash: hash, now: 0) else {
            Issue.record("another user's password")
            return
        }
    }

    @Test func whoFailsTooOftenHasToWait() {
        var cache = CredentialCache()
        let good = credentials("u", "p")
        #expect(find(&cache, good, hash, isRight: true))
        for n in 0..<10 {
            #expect(find(&cache, credentials("u", "x\(n)"), hash, isRight: false))
        }
        let next = credentials("u", "y")
        #expect(cache.verdict(of: next, hash: hash, now: 0) == .mustWait(seconds: 1))
        // What is known is not made to wait, nor are others.
        #expect(cache.verdict(of: good, hash: hash, now: 0) == .right)
        #expect(cache.verdict(of: credentials("u", "x1"), hash: hash, now: 0) == .wrong)
        guard case .unknown = cache.verdict(of: credentials("v", "y"), hash: hash, now: 0) else {
            Issue.record("another user waits")
            return
        }
        // A failure is forgotten a second.
        #expect(find(&cache, next, hash, isRight: false, now: Self.second))
        let another = credentials("u", "z")
        #expect(cache.verdict(of: another, hash: hash, now: Self.second) == .mustWait(seconds: 1))
        #expect(find(&cache, another, hash, isRight: false, now: 100 * Self.second))
    }

    /// Guesses for ever new names use up no memory, and push out nobody who is in use.
    @Test func itIsBounded() {
        var cache = CredentialCache(entriesMax: 16)
        let good = credentials("u", "p")
        #expect(find(&cache, good, hash, isRight: true))
        for n in 0..<100 {
            #expect(find(&cache, credentials("ghost\(n)", "p"), nil, isRight: false))
            #expect(cache.verdict(of: good, hash: hash, now: 0) == .right)
        }
        for n in 0..<7 {
            #expect(find(&cache, credentials("v\(n)", "p"), hash, isRight: true))
        }
        #expect(cache.verdict(of: good, hash: hash, now: 0) == .right)
        for n in 0..<100 {
            #expect(find(&cache, credentials("w\(n)", "p"), hash, isRight: true))
        }
        guard case .unknown = cache.verdict(of: good, hash: hash, now: 0) else {
            Issue.record("all are remembered")
            return
        }
        #expect(cache.entriesCount <= 3 * 16)
    }
}
