/// Real `kvd` processes, with everything done to them that an operator fears.
///
///     ChaosRun ── seed ──▶ one cluster after the other, one fault (or two) a round
///        │
///        ├─ ChaosCluster   the members: processes, data dirs, ports; started, killed, stopped
///        │     └─ PeerProxy    real sockets between them: each member advertises an address of the
///        │                     proxy's, which cuts, holds, delays and throttles each direction of
///        │                     each link apart (`LinkTable`)
///        ├─ ClientLoad     clients that read, write and compare, one thread each
///        │     ├─ HistoryBook    what they asked and were told, by key
///        │     └─ Availability   when the first write after a fault was acknowledged
///        └─ after each round all is mended: every key's history must be linearizable (the judge is
///           `Histories`, as in kvd-sim), every key is read once more as part of it, and all members
///           must come to the same store
///
/// Three more questions have a mode of their own: `LeaderKills` (how long nobody serves after the
/// leader was killed), `SingleKills` (whether `kill -9` loses what was acknowledged) and `DamageTrials`
/// (whether a damaged data dir is recovered or refused, never silently less than it was).
///
/// What is judged is safety and coming to rest, never a time: a slow machine makes no failure.
/// The faults, and all else that is drawn, come from one seed; what the machine's scheduler makes of
/// them does not, so a seed gives the same faults again and not the same run.
package enum Chaos {
    package static let millisecond: Int64 = 1_000_000
    package static let second: Int64 = 1_000_000_000
    /// Within which all must have come to rest once everything is mended.
    package static let settlingTime = Duration.seconds(90)

    /// Streams of draws that do not move each other.
    enum Purpose {
        static let faults: UInt64 = 1
        static let clients: UInt64 = 2
        static let damages: UInt64 = 3
        static let kills: UInt64 = 4
    }
}

/// What must never happen has happened.
package struct ChaosFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
