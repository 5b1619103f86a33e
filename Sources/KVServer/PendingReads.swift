import DequeModule

/// Linearizable reads on their way: first to a confirmed read index, then to its being applied.
///
/// Reads that come in the same turn are one batch: one round of heartbeats serves them all.
///
///     collecting ──ask──▶ asked (context n) ──read index──▶ confirmed (index) ──applied──▶ done
///
/// Asking costs nothing and changes nothing, so a batch whose answer got lost is asked again.
struct PendingReads {
    struct Batch {
        var tickets: [Ticket]
        /// Monotonic nanoseconds; a batch's reads came in the same turn.
        var deadline: Int64
        /// Monotonic nanoseconds of the last time it was asked for.
        var askedAt: Int64
    }

    private var collecting: [Ticket] = []
    private var asked: [UInt64: Batch] = [:]
    /// Ordered by context, for asking again and for time-outs without a dictionary's order.
    private var contexts = Deque<UInt64>()
    private var confirmed: [(index: UInt64, batch: Batch)] = []
    private var lastContext: UInt64
    /// Reads not answered yet.
    private(set) var count = 0

    /// Contexts go up from `firstContext`, which no earlier run of this member may have come to: a
    /// late answer to that run must not be taken for one to this.
    init(firstContext: UInt64) { lastContext = firstContext }

    mutating func add(_ ticket: Ticket) {
        collecting.append(ticket)
        count += 1
    }

    /// Closes the batch being collected and names it; nil when it is empty.
    mutating func takeBatch(now: Int64, deadline: Int64) -> UInt64? {
        guard !collecting.isEmpty else { return nil }
        lastContext += 1
        asked[lastContext] = Batch(tickets: collecting, deadline: deadline, askedAt: now)
        contexts.append(lastContext)
        collecting.removeAll(keepingCapacity: true)
        return lastContext
    }

    /// Takes a batch out: its reads go another way.
    mutating func takeBatch(_ context: UInt64) -> [Ticket] {
        guard let batch = asked.removeValue(forKey: context) else { return [] }
        count -= batch.tickets.count
        dropAnswered()
        return batch.tickets
    }

    /// The read index of a batch is known; unknown contexts are late answers to earlier asks.
    mutating func confirm(_ context: UInt64, index: UInt64) {
        guard let batch = asked.removeValue(forKey: context) else { return }
        confirmed.append((index, batch))
        dropAnswered()
    }

    /// Calls `body` for each read whose index is applied.
    mutating func takeReadable(applied: UInt64, _ body: (Ticket) -> Void) {
        guard !confirmed.isEmpty else { return }
        confirmed.removeAll { index, batch in
            guard index <= applied else { return false }
            count -= batch.tickets.count
            batch.tickets.forEach(body)
            return true
        }
    }

    /// The batches to ask for again: asked at or before `since` and not answered.
    mutating func takeUnanswered(since: Int64, now: Int64) -> [UInt64] {
        var again: [UInt64] = []
        for context in contexts {
            guard let batch = asked[context], batch.askedAt <= since else { continue }
            asked[context]?.askedAt = now
            again.append(context)
        }
        return again
    }

    /// Takes the reads whose deadline has passed.
    mutating func takeExpired(now: Int64) -> [Ticket] {
        var expired: [Ticket] = []
        while let context = contexts.first, let batch = asked[context], batch.deadline <= now {
            expired += batch.tickets
            asked[context] = nil
            dropAnswered()
        }
        confirmed.removeAll { _, batch in
            guard batch.deadline <= now else { return false }
            expired += batch.tickets
            return true
        }
        count -= expired.count
        return expired
    }

    mutating func takeAll() -> [Ticket] {
        var all = collecting
        for context in contexts { all += asked[context]?.tickets ?? [] }
        for (_, batch) in confirmed { all += batch.tickets }
        self = PendingReads(firstContext: lastContext)
        return all
    }

    private mutating func dropAnswered() {
        while let context = contexts.first, asked[context] == nil { contexts.removeFirst() }
    }
}
