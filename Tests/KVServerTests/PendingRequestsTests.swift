import Testing

@testable import KVServer

@Suite struct PendingRequestsTests {
    private func ticket(_ n: UInt32) -> PendingRequests.Owner {
        .client(Ticket(connection: n, request: 0))
    }

    @Test func findsEachByItsIDInAnyOrder() {
        var pending = PendingRequests()
        for n in 0..<100 { pending.add(ticket(UInt32(n)), id: 500 + UInt64(n), deadline: 10) }
        #expect(pending.count == 100)
        for n in (0..<100).reversed() {
            #expect(pending.take(500 + UInt64(n)) == ticket(UInt32(n)))
            #expect(pending.take(500 + UInt64(n)) == nil, "given once only")
        }
        #expect(pending.count == 0)
    }

    @Test func idsThatNobodyWaitsForLeaveGaps() {
        var pending = PendingRequests()
        pending.add(ticket(1), id: 7, deadline: 1)
        pending.add(ticket(2), id: 10, deadline: 2)
        #expect(!pending.isWaiting(8))
        #expect(pending.isWaiting(10))
        #expect(pending.take(9) == nil)
        #expect(pending.take(10) == ticket(2))
        #expect(pending.take(7) == ticket(1))
    }

    @Test func otherMembersIDsAreNotOurs() {
        var pending = PendingRequests()
        let ours: UInt64 = 0xabcd << 48 | 5
        let theirs: UInt64 = 0x1234 << 48 | 5
        pending.add(ticket(1), id: ours, deadline: 1)
        #expect(pending.take(theirs) == nil)
        #expect(pending.take(ours) == ticket(1))
    }

    @Test func countingPartMayWrap() {
        var pending = PendingRequests()
        let prefix: UInt64 = 0xabcd << 48
        let last: UInt64 = 1 << 48 - 1
        pending.add(ticket(1), id: prefix | last, deadline: 1)
        pending.add(ticket(2), id: prefix | 0, deadline: 1)
        pending.add(ticket(3), id: prefix | 1, deadline: 1)
        #expect(pending.take(prefix | last) == ticket(1))
        #expect(pending.take(prefix | 1) == ticket(3))
        #expect(pending.take(prefix | 0) == ticket(2))
    }

    @Test func timesOutTheOldestFirst() {
        var pending = PendingRequests()
        for n in 1...3 { pending.add(ticket(UInt32(n)), id: UInt64(n), deadline: Int64(n) * 10) }
        #expect(pending.takeExpired(now: 9) == nil)
        _ = pending.take(1)
        #expect(pending.takeExpired(now: 25) == ticket(2))
        #expect(pending.takeExpired(now: 25) == nil)
        #expect(pending.takeAll() == [ticket(3)])
        #expect(pending.count == 0)
    }
}
