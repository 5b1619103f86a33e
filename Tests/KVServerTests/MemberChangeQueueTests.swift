import RaftModel
import Testing

@testable import KVServer

@Suite struct MemberChangeQueueTests {
    private static let interval: Int64 = 1000

    private func id(_ entry: Entry?) -> UInt64? {
        entry.flatMap { try? ConfChange.decode($0.data) }?.id
    }

    private func due(
        _ queue: inout MemberChangeQueue, now: Int64, applied: UInt64 = 0
    ) -> UInt64? {
        id(queue.due(now: now, applied: applied, repeatInterval: Self.interval))
    }

    private func queue(_ kinds: ConfChange.Kind...) -> MemberChangeQueue {
        var queue = MemberChangeQueue()
        for (place, kind) in kinds.enumerated() {
            queue.add(ConfChange(id: UInt64(place + 1), kind: kind, member: MemberID(7)))
        }
        return queue
    }

    @Test func theNextWaitsUntilTheFirstIsApplied() {
        var queue = queue(.add, .remove)
        #expect(due(&queue, now: 0) == 1)
        #expect(due(&queue, now: 0) == 1, "no leader took it")
        queue.proposed(now: 0)
        #expect(due(&queue, now: 10) == nil)
        queue.settled(1)
        #expect(due(&queue, now: 20) == 2)
        queue.settled(2)
        #expect(queue.isEmpty)
    }

    @Test func theOneALeaderRefusedComesAgainWhenItsWayIsFree() {
        var queue = queue(.update)
        queue.proposed(now: 0)
        queue.refused(1, until: 40)
        #expect(due(&queue, now: 10, applied: 39) == nil)
        #expect(due(&queue, now: 10, applied: 40) == 1)
        queue.proposed(now: 10)
        #expect(due(&queue, now: 20, applied: 41) == nil, "the refusal is over")
    }

    @Test func aRefusalThatAnotherLeaderOvertookDoesNotHoldForEver() {
        var queue = queue(.update)
        queue.proposed(now: 0)
        queue.refused(1, until: 1_000_000)
        #expect(due(&queue, now: Self.interval - 1) == nil)
        #expect(due(&queue, now: Self.interval) == 1)
    }

    @Test func additionsAndRemovalsThatGotLostAreRepeated() {
        var queue = queue(.add)
        queue.proposed(now: 0)
        #expect(due(&queue, now: Self.interval) == 1)
        queue.proposed(now: Self.interval)
        #expect(due(&queue, now: Self.interval + 1) == nil)
    }

    @Test func anUpdateIsNotRepeatedAndHoldsUpNobody() {
        var queue = queue(.update, .remove)
        queue.proposed(now: 0)
        #expect(due(&queue, now: Self.interval) == 2)
    }

    @Test func whatNobodyWaitsForIsDropped() {
        var queue = queue(.add, .add, .remove)
        queue.removeAll { $0 != 3 }
        #expect(due(&queue, now: 0) == 3)
    }
}
