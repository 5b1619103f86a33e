/// Bugs that are put in on purpose, to see that the judge finds them. All are at the simulator's own
/// seams: the host forgets a duty, or something is changed on its way to or from the real code.
package enum Mutation: String, CaseIterable, Sendable {
    /// The log's syncs do nothing.
    case skipLogSync
    /// Directories are never synced.
    case skipDirectorySync
    /// Batches are reported durable when they are handed over.
    case answerBeforeSync
    /// The vote is forgotten at a restart.
    case forgetVoteOnRestart
    /// The newest batch is cut off the log at a restart, as if it were torn.
    case cutTailTooFar
    /// Linearizable reads are answered from the store, without a round.
    case readWithoutRound
    /// A candidate says that its log is longer than it is: as if nobody looked at it.
    case ignoreLogInVotes
    /// A rejected vote counts as a granted one.
    case countRejectedVotes
    /// A follower acknowledges an entry more than it has.
    case acknowledgeTooMuch
    /// A snapshot is said to be of one entry later than it is: that entry is skipped.
    case skipEntryAfterSnapshot
    /// A snapshot is said to be of one entry earlier than it is: that entry is applied twice.
    case applyTwiceAfterSnapshot
    /// An entry's last byte is another one where it arrives.
    case changeEntryOnTheWay
    /// One notification in fifty is not delivered.
    case loseNotification
    /// One notification in fifty is delivered twice.
    case repeatNotification
    /// A restart answers plain reads before it has caught up.
    case readTooEarly
    /// An answer to a write goes out as soon as it is proposed.
    case answerBeforeCommit
}
