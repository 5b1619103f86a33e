import DequeModule
import RaftModel

/// A leader's linearizable reads on their way through rounds of heartbeats.
///
///     waiting ── a round opens ──▶ open (number, commit index) ── a quorum answered ──▶ answered
struct ReadRounds: Sendable {
    struct Request: Sendable {
        var context: UInt64
        var from: MemberID
    }

    struct Round: Sendable {
        var number: UInt64
        /// The leader's commit index when the round opened.
        var index: UInt64
        var requests: [Request]
    }

    /// More than any owner has under way; what comes on top is dropped, and asked again.
    static let waitingMax = 65_536
    /// Rounds under way that nobody answers, at most.
    static let openMax = 64

    var waiting: [Request] = []
    private(set) var open = Deque<Round>()
    /// Rounds are numbered from 1, all of a run.
    private(set) var lastOpened: UInt64 = 0

    mutating func add(_ request: Request) {
        guard waiting.count < Self.waitingMax else { return }
        waiting.append(request)
    }

    /// Moves everything that waits into a new round.
    mutating func openRound(index: UInt64) {
        lastOpened += 1
        open.append(Round(number: lastOpened, index: index, requests: waiting))
        waiting.removeAll(keepingCapacity: true)
    }

    /// Gives up all reads. Numbers go on, so that no late answer is taken for one to a new round.
    mutating func removeAll() {
        waiting.removeAll()
        open.removeAll()
    }

    /// Takes the rounds up to `number`, which a quorum has answered.
    mutating func takeConfirmed(through number: UInt64) -> [Round] {
        var confirmed: [Round] = []
        while let first = open.first, first.number <= number {
            confirmed.append(open.removeFirst())
        }
        return confirmed
    }
}
