package import Metrics
package import RaftModel

/// What the client port cannot know by itself: disk, snapshots, peers. Called on the event loop, when
/// somebody asks.
package protocol MemberReporter: AnyObject {
    /// Of every other member, in ascending order of ids.
    func peerLatencies() -> [PeerLatency]
    /// What is wrong with them; asked about once a second.
    func problems() -> [Problem]
    /// Adds what it knows.
    func write(into page: inout MetricsPage)
}

/// Round trips to one member, in milliseconds, for `/v2/stats/leader`.
package struct PeerLatency: Equatable, Sendable {
    package var member: MemberID
    package var current = 0.0
    package var sum = 0.0
    package var sumOfSquares = 0.0
    package var minimum = Double.infinity
    package var maximum = 0.0
    package var successCount: UInt64 = 0
    package var failCount: UInt64 = 0

    package init(member: MemberID) { self.member = member }

    /// As etcd writes it; of a member not heard of yet, the minimum is the largest number it has.
    var json: String {
        let count = Double(successCount)
        let average = count == 0 ? 0 : sum / count
        let variance = count == 0 ? 0 : max(0, sumOfSquares / count - average * average)
        let least = minimum == .infinity ? "9223372036854776000" : Self.text(minimum)
        return """
            {"latency":{"current":\(Self.text(current)),"average":\(Self.text(average)),\
            "standardDeviation":\(Self.text(variance.squareRoot())),"minimum":\(least),\
            "maximum":\(Self.text(maximum))},\
            "counts":{"fail":\(failCount),"success":\(successCount)}}
            """
    }

    /// The shortest decimal, without a fraction where there is none.
    private static func text(_ number: Double) -> String {
        number == number.rounded() ? "\(Int64(number))" : "\(number)"
    }
}
