import Testing

@testable import KVServer

@Suite struct PendingReadsTests {
    private func ticket(_ n: UInt32) -> Ticket { Ticket(connection: n, request: 0) }

    /// The context of what was collected.
    private func batch(_ reads: inout PendingReads, deadline: Int64) throws -> UInt64 {
        let context = reads.takeBatch(now: 0, deadline: deadline)
        return try #require(context)
    }

    @Test func readsOfOneTurnShareARound() throws {
        var reads = PendingReads(firstContext: 100)
        for n in 1...3 { reads.add(ticket(UInt32(n))) }
        let context = try batch(&reads, deadline: 10)
        #expect(reads.takeBatch(now: 0, deadline: 10) == nil)
        reads.confirm(context, index: 5)
        var readable: [Ticket] = []
        reads.takeReadable(applied: 4) { readable.append($0) }
        #expect(readable.isEmpty, "not before the index is applied")
        reads.takeReadable(applied: 5) { readable.append($0) }
        #expect(readable == (1...3).map { ticket(UInt32($0)) })
        #expect(reads.count == 0)
    }

    @Test func unansweredRoundsAreAskedAgain() throws {
        var reads = PendingReads(firstContext: 0)
        reads.add(ticket(1))
        let context = try batch(&reads, deadline: 100)
        #expect(reads.takeUnanswered(since: -1, now: 1).isEmpty)
        #expect(reads.takeUnanswered(since: 0, now: 20) == [context])
        #expect(reads.takeUnanswered(since: 10, now: 21).isEmpty, "it was asked for at 20")
        reads.confirm(context, index: 1)
        #expect(reads.takeUnanswered(since: 100, now: 100).isEmpty)
    }

    @Test func lateAnswersToGivenUpReadsAreNothing() throws {
        var reads = PendingReads(firstContext: 0)
        reads.add(ticket(1))
        let first = try batch(&reads, deadline: 10)
        #expect(reads.takeExpired(now: 10) == [ticket(1)])
        reads.confirm(first, index: 1)
        reads.takeReadable(applied: 9) { _ in Issue.record("nobody waits") }
        #expect(reads.count == 0)
    }

    @Test func confirmedReadsTimeOutToo() throws {
        var reads = PendingReads(firstContext: 0)
        reads.add(ticket(1))
        let context = try batch(&reads, deadline: 10)
        reads.confirm(context, index: 50)
        #expect(reads.takeExpired(now: 9).isEmpty)
        #expect(reads.takeExpired(now: 10) == [ticket(1)])
    }

    @Test func contextsAreNeverUsedTwice() throws {
        var reads = PendingReads(firstContext: 41)
        reads.add(ticket(1))
        let first = try batch(&reads, deadline: 10)
        _ = reads.takeAll()
        reads.add(ticket(2))
        let second = try batch(&reads, deadline: 10)
        #expect(first == 42)
        #expect(second == 43)
    }
}
