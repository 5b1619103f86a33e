import Raft
import RaftModel
import Transport

extension FuzzTarget {
    /// What peers say to a member of three, whatever it is. Of each message a byte says how it comes,
    /// two are its length:
    ///
    ///     0 … 5 in bits 0 to 2: ticks that pass before, 6: twenty, 7: a hundred; 8: as it is, else
    ///     from a peer and to the member; 16: from the other peer; 32: in the member's term; 64: in
    ///     the one after it; 128: the disk is not done meanwhile
    static let raft = {
        var target = FuzzTarget("raft", "what peers say to a member of three") { input in
            var member = RaftUnderTest()
            var rest = input
            var delivered = 0
            while rest.count >= 3 {
                let end = min(rest.count, 3 + (Int(rest[1]) << 8 | Int(rest[2])))
                let bytes = UnsafeRawBufferPointer(rebasing: rest[3..<end])
                if member.receive(bytes, manner: rest[0]) { delivered += 1 }
                rest = UnsafeRawBufferPointer(rebasing: rest[end...])
            }
            try require(
                member.raft.commitIndex <= member.raft.lastIndex, "committed beyond the log")
            return delivered > 0
        }
        // A member's queues; what it says of each message.
        (target.memoryPerByte, target.memoryBytesBeside) = (2048, 8 << 20)
        target.weight = 4
        return target
    }()
}

/// A member with a disk that is done at once, or later, and a state machine that takes everything.
private struct RaftUnderTest {
    private static let local = MemberID(1)
    private static let voters = (1...3).map { MemberID(UInt64($0)) }
    private static let ticksMax = 2000

    var raft: Raft
    private var ticks = 0
    private var unreported: UInt64?

    init() {
        let configuration = Raft.Configuration(id: Self.local, electionTicks: 10, seed: 1)
        raft = Raft(
            configuration,
            restored: Raft.RestoredState(
                hardState: HardState(term: 1, vote: .none, commit: 1),
                snapshot: SnapshotMetadata(confState: ConfState(members: Self.voters)),
                entries: [Entry(term: 1, index: 1), Entry(term: 1, index: 2)]))
        settle(reporting: true)
    }

    /// False: it does not get as far as raft.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, manner: UInt8) -> Bool {
        pass(ticks: [0, 1, 2, 3, 4, 5, 20, 100][Int(manner & 7)])
        guard var message = try? Message.decode(bytes) else { return false }
        if manner & 8 == 0 {
            message.to = Self.local
            message.from = manner & 16 == 0 ? Self.voters[1] : Self.voters[2]
        }
        if manner & 32 != 0 { message.term = raft.term }
        if manner & 64 != 0 { message.term = raft.term &+ 1 }
        let judgement = PeerStreamBytes.judge(message, local: Self.local, peer: message.from)
        guard judgement == .delivered else { return false }
        raft.step(message)
        settle(reporting: manner & 128 == 0)
        return true
    }

    private mutating func pass(ticks count: Int) {
        for _ in 0..<count where ticks < Self.ticksMax {
            ticks += 1
            raft.tick()
            settle(reporting: true)
        }
    }

    /// Does what an owner does until there is nothing to do.
    private mutating func settle(reporting: Bool) {
        while let ready = raft.takeReady() {
            for entry in ready.committed where entry.kind == .confChange {
                raft.applyConfChange(try? ConfChange.decode(entry.data))
            }
            if let last = ready.committed.last { raft.applied(through: last.index) }
            if let batch = ready.persist { unreported = batch.sequence }
            if reporting { report() }
        }
        if reporting { report() }
    }

    private mutating func report() {
        guard let sequence = unreported else { return }
        unreported = nil
        raft.persisted(through: sequence)
    }
}
