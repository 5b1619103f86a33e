import RaftModel

/// What a leader knows of one member, and what any member knows of who is one.
///
///              ┌────────── accepted ──────────┐
///              │                              ▼
///     ┌──────────────┐                ┌──────────────┐
///     │ probe        │                │ replicate    │
///     │ one append   │                │ appends go   │
///     │ at a time    │ ◀── rejected, ─│ before the   │
///     └──────────────┘   unreachable  │ last answer  │
///       ▲          │                  └──────────────┘
///  reported        └─ its next entry ──┐      │
///       │             is compacted     ▼      ▼
///       │                     ┌─────────────────┐
///       └─────────────────────│ snapshot: quiet │
///                             └─────────────────┘
struct Progress: Sendable {
    enum State: Equatable, Sendable {
        case probe
        case replicate
        case snapshot
    }

    /// What a member answered in the election under way.
    enum Vote: Sendable {
        case none
        case granted
        case rejected
    }

    let id: MemberID
    /// Members that do not vote get the log, and count for nothing.
    var isVoter: Bool
    var vote = Vote.none

    /// Its log equals the leader's up to here, durably. For the leader itself: what is durable.
    var match: UInt64 = 0
    /// The next entry to send.
    var next: UInt64 = 1
    var state = State.probe
    /// In `probe`: one append is out, and its answer, or a heartbeat's, is waited for.
    var isPaused = false
    /// In `snapshot`: the index of what is being sent; 0 until the owner has chosen one.
    var pendingSnapshot: UInt64 = 0
    var inFlight = FlightWindow()

    /// It answered something since the last check of the quorum.
    var isRecentlyActive = false
    /// The commit index that it was last told by an append.
    var commitSent: UInt64 = 0
    /// An append is due even without news: its answer shows whether earlier ones were lost.
    var isAppendDue = false
    /// The last round of heartbeats for reads that it answered.
    var readRound: UInt64 = 0
    /// It lost a part of its log, and votes for nobody until it has all up to here again; 0: it did not.
    var rejoinsAt: UInt64 = 0

    init(id: MemberID, isVoter: Bool) {
        self.id = id
        self.isVoter = isVoter
    }

    /// As a new leader sees a member: nothing known, the newest entry to be tried first.
    mutating func reset(next: UInt64) {
        vote = .none
        match = 0
        self.next = next
        isRecentlyActive = false
        commitSent = 0
        isAppendDue = false
        readRound = 0
        rejoinsAt = 0
        become(.probe)
    }

    mutating func becomeProbe() {
        // A snapshot that arrived is as good as an acknowledgement of its index.
        let known = state == .snapshot ? max(match, pendingSnapshot) : match
        become(.probe)
        next = known + 1
    }

    /// It lost what it had behind `index`.
    mutating func logEnds(at index: UInt64) {
        match = min(match, index)
        become(.probe)
        next = index + 1
    }

    mutating func becomeReplicate() {
        become(.replicate)
        next = match + 1
    }

    mutating func becomeSnapshot() { become(.snapshot) }

    private mutating func become(_ state: State) {
        self.state = state
        isPaused = false
        pendingSnapshot = 0
        inFlight.removeAll()
    }

    /// Whether an append is to be sent now, to a leader with this last and commit index.
    func wantsAppend(lastIndex: UInt64, commit: UInt64, limits: FlightWindow.Limits) -> Bool {
        let hasNews = next <= lastIndex || commitSent < commit || isAppendDue
        return switch state {
        case .probe: !isPaused && hasNews
        case .replicate: hasNews && !inFlight.isFull(limits)
        case .snapshot: false
        }
    }

    /// Notes an append with these entries as sent.
    mutating func sent(count: Int, bytes: Int, commit: UInt64) {
        assert(state != .snapshot, "nothing is appended while a snapshot is on its way")
        commitSent = commit
        isAppendDue = false
        if state == .probe {
            isPaused = true
        } else if count > 0 {
            next += UInt64(count)
            inFlight.add(lastIndex: next - 1, bytes: bytes)
        }
    }

    /// Takes an acknowledgement of everything up to `index`. Returns whether it was news.
    mutating func acknowledged(_ index: UInt64) -> Bool {
        next = max(next, index + 1)
        guard index > match else { return false }
        match = index
        isPaused = false
        return true
    }

    /// Takes a refusal of the append after `rejected`; the member's log may match up to `hint`.
    /// Returns false if that append was long overtaken.
    mutating func refused(rejected: UInt64, hint: UInt64) -> Bool {
        switch state {
        case .replicate:
            guard rejected > match else { return false }
            becomeProbe()
            return true
        case .probe:
            guard next - 1 == rejected, rejected > match else { return false }
            next = max(min(rejected, hint + 1), match + 1)
            isPaused = false
            return true
        case .snapshot: return false
        }
    }
}
