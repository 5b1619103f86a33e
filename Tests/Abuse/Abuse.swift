/// Clients that mean no good, and the judgement of how a real kvd bears them.
///
///     Scenario ──▶ Onslaught, … ──▶ Assailant (a thread: one epoll, thousands of connections)
///     a name,      Scripts, how          │ does what each Script says; counts what became of it
///     a purpose    many, how fast        ▼
///     Trial ────────────────────────▶ Victim (a kvd process) ◀── LightClient (BenchCore's generator)
///       │    quiet, during, after        RSS, descriptors, log        p99, failures
///       ▼
///     Outcome ──▶ a row of the table, and what was missed
///
/// Where the light client is too slow, its p99 is measured once more while the same is done to a `Sink`.
///
/// The bars (`Bars`): a light client's p99 stays within five times its quiet value and none of its
/// requests fails; memory and descriptors are back within a tenth of what they were before; the log
/// tells of no crash and does not grow with the attack.
package enum Abuse {}

/// A scenario could not be carried out.
package struct AbuseFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
