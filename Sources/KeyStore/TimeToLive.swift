/// Times of the store: unix nanoseconds in an `Int64`, 0 meaning permanent.
package enum TimeToLive {
    static let nanosecondsPerSecond: Int64 = 1_000_000_000

    /// Set and create take an expiration before 2000-01-01T00:00:00Z for permanent, which is
    /// what an overflowing ttl comes to.
    static let expirationMin: Int64 = 946_684_800 * nanosecondsPerSecond

    /// The `ttl` field for a node that expires at `expiration`, seen at `now`: the seconds left,
    /// rounded up. 0 (which an answer leaves out) from the expiration on until a second after
    /// it, then negative.
    package static func seconds(until expiration: Int64, now: Int64) -> Int64 {
        let (difference, overflows) = expiration.subtractingReportingOverflow(now)
        let left = overflows ? (expiration < 0 ? Int64.min : .max) : difference
        let seconds = left / nanosecondsPerSecond
        return left % nanosecondsPerSecond > 0 ? seconds + 1 : seconds
    }
}
