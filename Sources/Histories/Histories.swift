/// What clients asked and were told, and whether one order of it all explains every answer.
///
///     KeyOperation      one call on one key: what was asked, answered, and when
///     KeyHistory        the calls on one key, until there are enough of them
///     Linearizability   the judge of a history
///
/// No clock and no I/O: times are numbers that only have to be in order. `Simulation` gives steps of
/// virtual time, the chaos tests of real processes the monotonic clock of the one process that all
/// their clients run in.
package enum Histories {}
