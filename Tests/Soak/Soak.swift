/// Real members under a mixed, modest load for as long as one likes: does anything grow?
///
///     SoakRun ──▶ KvdCluster (1 or 3 processes) ◀── SoakLoad: writers, readers, watchers, backups
///       │   restarts: SIGTERM and kill -9 in turn
///       │   every few seconds: Sample (memory, descriptors, threads, disk) of each member
///       ▼
///     Verdict: the figures of the second half, and what of it grew
///
/// The last member is restarted in the first quarter only: in the second half it is a process that has
/// been warm for a while, and it is the one that is judged. The others, if there are any, go on being
/// restarted.
package enum Soak {
    /// A run could not be carried out, or a member ended by itself.
    package struct Failed: Error, CustomStringConvertible {
        package let description: String
    }
}
