import RaftModel

/// Linearizable reads without a log entry (Ongaro's thesis, section 6.4).
///
/// A leader that a quorum still answers after a read came in was the leader when it came in, so
/// that its commit index then covers everything acknowledged before. Heartbeats carry the number
/// of the newest round, and their answers repeat it; an answer to a round answers earlier ones.
extension Raft {
    public enum ReadAnswer: Equatable, Sendable {
        /// A `ReadState` with the context may follow. It may get lost, so ask again after a while.
        case asked
        case noLeader
        /// Some member does not know how: read through the log instead.
        case unsupported
    }

    /// Asks for an index that, once applied, shows everything acknowledged before this call.
    /// `context` comes back with it; use another one for each call that is not a repetition.
    @discardableResult
    public mutating func readIndex(context: UInt64) -> ReadAnswer {
        guard features.readIndex else { return .unsupported }
        guard leader != .none else { return .noLeader }
        if role == .leader {
            reads.add(ReadRounds.Request(context: context, from: id))
        } else {
            outbox.append(
                Message(
                    .readIndex, to: leader, from: id, term: term, context: Self.bytes(of: context)))
        }
        return .asked
    }

    mutating func receiveReadIndex(_ message: Message) {
        guard let context = Self.number(from: message.context) else { return malformed(message) }
        guard role == .leader, features.readIndex else { return }
        if message.rejectHint == Self.wantsState { return sendState(message) }
        if message.reject { forgetAcknowledgements(message) }
        reads.add(ReadRounds.Request(context: context, from: message.from))
    }

    mutating func receiveReadIndexResponse(_ message: Message) {
        guard let context = Self.number(from: message.context) else { return malformed(message) }
        guard message.from == leader, !learnGoal(message.index, context: context) else { return }
        readStates.append(ReadState(context: context, index: message.index))
    }

    /// Opens a round for the reads that wait, if fewer than the most allowed are under way.
    mutating func openReadRound() {
        openReadRound(atMost: configuration.readRoundsMax, sending: true)
    }

    mutating func openReadRound(atMost limit: Int, sending: Bool) {
        assert(role == .leader)
        // Before that, earlier leaders may have committed what this one does not know of.
        guard !reads.waiting.isEmpty, reads.open.count < limit, commitIndex >= termStartIndex
        else { return }
        reads.openRound(index: commitIndex)
        if members.quorum == 1, members.isVoter(id) {
            return answerRounds(reads.takeConfirmed(through: reads.lastOpened))
        }
        if sending { sendHeartbeats() }
    }

    mutating func confirmReads(_ message: Message, byMemberAt i: Int) {
        guard let round = Self.number(from: message.context), round <= reads.lastOpened,
            round > members.all[i].readRound
        else { return }
        members.all[i].readRound = round
        answerConfirmedRounds()
    }

    /// Answers the reads of every round that a quorum has answered.
    mutating func answerConfirmedRounds() {
        guard !reads.open.isEmpty else { return }
        let (own, newest) = (id, reads.lastOpened)
        let round = members.quorumValue { $0.id == own ? newest : $0.readRound }
        answerRounds(reads.takeConfirmed(through: round))
    }

    private mutating func answerRounds(_ rounds: [ReadRounds.Round]) {
        for round in rounds {
            for request in round.requests {
                if request.from == id {
                    readStates.append(ReadState(context: request.context, index: round.index))
                } else {
                    outbox.append(
                        Message(
                            .readIndexResponse, to: request.from, from: id, term: term,
                            index: round.index, context: Self.bytes(of: request.context)))
                }
            }
        }
    }

    // MARK: Numbers in a message's context: 8 bytes, big-endian

    static func bytes(of number: UInt64) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    static func number(from bytes: [UInt8]) -> UInt64? {
        guard bytes.count == 8 else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
