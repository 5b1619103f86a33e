public import RaftModel

/// Handing leadership over without waiting for a timeout (Ongaro's thesis, section 3.10).
extension Raft {
    /// Hands leadership to a voter: proposals are refused until it has the whole log and was told
    /// to stand for election, or until an election timeout has passed without its taking over.
    ///
    /// A member that does not lead may ask for leadership for itself.
    public mutating func transferLeadership(to target: MemberID) throws(TransferError) {
        guard features.leaderTransfer else { throw .unsupported }
        guard members.isVoter(target) else { throw .notAVoter(target) }
        guard leader != target else { throw .alreadyLeader }
        if role == .leader { return startTransfer(to: target) }
        guard target == id, leader != .none else { throw .notLeader(leader: leader) }
        outbox.append(Message(.transferLeader, to: leader, from: id, term: term))
    }

    /// Whether this member leads and is handing over.
    public var isTransferring: Bool { transferTarget != .none }

    mutating func receiveTransferRequest(_ message: Message) {
        guard role == .leader, features.leaderTransfer, members.isVoter(message.from) else {
            return
        }
        startTransfer(to: message.from)
    }

    mutating func startTransfer(to target: MemberID) {
        guard let i = members.position(of: target) else {
            preconditionFailure("only a member is handed leadership")
        }
        guard transferTarget != target else { return }
        abortTransfer()
        transferTarget = target
        electionElapsedTicks = 0
        facts.append(.transferStarted(to: target, term: term))
        handOverIfCaughtUp(memberAt: i)
    }

    mutating func handOverIfCaughtUp(memberAt i: Int) {
        guard transferTarget != .none, members.all[i].id == transferTarget,
            members.all[i].match == log.lastIndex
        else { return }
        outbox.append(Message(.timeoutNow, to: transferTarget, from: id, term: term))
    }

    mutating func abortTransfer() {
        guard transferTarget != .none else { return }
        facts.append(.transferAborted(to: transferTarget, term: term))
        transferTarget = .none
    }

    mutating func receiveTimeoutNow(_ message: Message) {
        guard role == .follower, message.from == leader, members.isVoter(id) else { return }
        startCampaign(isTransfer: true)
    }
}
