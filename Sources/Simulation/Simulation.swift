/// Whole clusters in one thread, on virtual time, from one seed.
///
/// What runs is the real thing: `Engine` (with Raft, State and KeyStore in it), the write-ahead
/// log, the vote record, the commit mark, snapshot files and a start's recovery, on disks in memory
/// that lie as far as POSIX permits (`SimulatedStorage`). What is simulated is what lies around
/// them: time, the network, power, threads, clients and the operator.
///
///     Scenario ── seed, profile, weather, planned faults
///        │
///        ▼
///     World ── pops the next event of the queue, lets it happen, lets the judge look
///        │       EventQueue   who is next, on virtual time
///        │       Host         a member: its engine, disk and files, as `kvd`'s `EngineHost` has them
///        │       Network      what becomes of a message
///        │       Client       writes, reads and watches, and keeps what it was told
///        │       Fault        what goes wrong, when, and for how long: a list that can be shortened
///        ▼
///     Judge ── after each step: election safety, log matching, leader completeness, one vote a
///        │     term, nothing acknowledged that is not durable, nothing durable that is forgotten,
///        │     stores equal to the oracle's at the same index, watches without gap or repeat
///        ├─ Oracle        applies every committed entry once, in order: what all members must have
///        └─ KeyHistory    at the end, each key's history must be linearizable
///
/// The same scenario gives the same run, to the last bit: `World.digest` says so. All draws come
/// from the seed, in separate streams for network, disks, clients and faults, so that a fault taken
/// out of the plan leaves the others as they were.
///
/// A run that failed is shortened (`Shrinker`) by taking out faults, weather and time as long as it
/// still fails. `Coverage` counts every fault and every transition; a profile names those that must
/// have happened, so that a quiet run does not pass for a good one.
package enum Simulation {
    package static let millisecond: Int64 = 1_000_000
    package static let second: Int64 = 1_000_000_000
}
