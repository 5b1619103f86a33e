/// What a role's permission says about keys.
///
///     /app/w      the key /app/w alone
///     /app/*      all keys that begin with /app/: not /app itself
///     *           all keys, with the one without a path (`/v2/keys`)
///     /*          all keys but that one
///
/// A key is what follows `/v2/keys` in the request's path, decoded, with the slash at its end if it
/// has one. An empty pattern is good for nothing; in etcd a request that meets one dies.
package enum KeyPattern {
    private static let star = UInt8(ascii: "*")

    /// - Parameter isRecursive: all that is below `key` is asked for; only a pattern with a star
    ///   permits that.
    @inline(__always)
    package static func matches(
        _ pattern: [UInt8], _ key: UnsafeRawBufferPointer, isRecursive: Bool
    ) -> Bool {
        guard let last = pattern.last else { return false }
        guard last == star else {
            return !isRecursive && pattern.count == key.count && key.elementsEqual(pattern)
        }
        return key.count >= pattern.count - 1 && key.starts(with: pattern.dropLast())
    }
}
