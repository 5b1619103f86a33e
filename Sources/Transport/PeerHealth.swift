internal import NIOCore

/// What probing one peer has shown.
package struct PeerHealth: Equatable, Sendable {
    package private(set) var probeCount: UInt64 = 0
    package private(set) var lossCount: UInt64 = 0
    /// Of the last probe that was answered.
    package private(set) var lastRoundTrip: Duration?
    /// The same, with an eighth of each new one.
    package private(set) var smoothedRoundTrip: Duration?
    /// The peer's wall clock minus ours, give or take half a round trip.
    package private(set) var clockDifference: Duration?
    /// All round trips, in milliseconds.
    package private(set) var sum = 0.0
    package private(set) var sumOfSquares = 0.0
    package private(set) var shortest = Double.infinity
    package private(set) var longest = 0.0
    /// Whether the last probe was answered; true before the first.
    package private(set) var isHealthy = true

    package init() {}

    mutating func answered(roundTrip: Duration, clockDifference: Duration) {
        probeCount += 1
        isHealthy = true
        lastRoundTrip = roundTrip
        let smoothed = smoothedRoundTrip ?? roundTrip
        smoothedRoundTrip = smoothed + (roundTrip - smoothed) / 8
        self.clockDifference = clockDifference
        let milliseconds = roundTrip / .milliseconds(1)
        sum += milliseconds
        sumOfSquares += milliseconds * milliseconds
        shortest = min(shortest, milliseconds)
        longest = max(longest, milliseconds)
    }

    mutating func lost() {
        probeCount += 1
        lossCount += 1
        isHealthy = false
    }
}

/// One peer's figures, for metrics and status pages. Counts are since the peer was added.
package struct PeerStatistics: Equatable, Sendable {
    package internal(set) var isActive = false
    package internal(set) var wasActive = false
    /// Monotonic nanoseconds of the last change of `isActive`, or of the beginning.
    package internal(set) var changedAt = NIODeadline.now().uptimeNanoseconds
    /// Empty for a member that is not kvd, or not yet known to be.
    package internal(set) var features: PeerFeatures = []
    package internal(set) var sentMessageCount: UInt64 = 0
    /// On streams, with their framing; POST bodies.
    package internal(set) var sentBytes: UInt64 = 0
    /// For want of room.
    package internal(set) var droppedMessageCount: UInt64 = 0
    package internal(set) var failedPostCount: UInt64 = 0
    package internal(set) var receivedMessageCount: UInt64 = 0
    package internal(set) var receivedBytes: UInt64 = 0
    package internal(set) var health = PeerHealth()

    package init() {}

    /// Whether it could not be reached for at least so long: a connection that is just being made anew
    /// says nothing. One that was never made gets a few seconds in any case: all members are starting.
    package func isMissing(for time: Duration) -> Bool {
        let silence = NIODeadline.now().uptimeNanoseconds &- changedAt
        let patience = wasActive ? time : max(time, .seconds(5))
        return !isActive && .nanoseconds(Int64(silence)) >= patience
    }
}
