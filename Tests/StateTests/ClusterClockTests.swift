import Testing

@testable import State

@Suite struct ClusterClockTests {
    private let second: Int64 = 1_000_000_000

    @Test func wallClockCountsBeforeTheFirstSyncOnly() {
        var clock = ClusterClock()
        #expect(clock.now(monotonic: 5, wall: 1000) == 1000)
        clock.applied(syncTime: 2000, monotonic: 5)
        #expect(clock.now(monotonic: 5, wall: 1000) == 2000)
    }

    @Test(arguments: [-86_400, 86_400]) func aWallClockThatStepsADayChangesNothing(step: Int64) {
        var clock = ClusterClock()
        clock.applied(syncTime: 100 * second, monotonic: 0)
        let before = clock.now(monotonic: 3 * second, wall: 103 * second)
        let after = clock.now(monotonic: 3 * second, wall: (103 + step) * second)
        #expect(before == after)
        #expect(after == 103 * second)
    }

    @Test func neverRunsBackwards() {
        var clock = ClusterClock()
        clock.applied(syncTime: 100 * second, monotonic: 0)
        clock.applied(syncTime: 90 * second, monotonic: second)
        #expect(clock.now(monotonic: 2 * second, wall: 0) == 102 * second)
    }

    @Test func aNewLeaderGoesOnFromTheLastSync() {
        var old = ClusterClock()
        var new = ClusterClock()
        old.applied(syncTime: 100 * second, monotonic: 1000 * second)
        // The other member's monotonic clock counts from elsewhere, and it heard a moment later.
        new.applied(syncTime: 100 * second, monotonic: 7 * second)
        #expect(old.now(monotonic: 1005 * second, wall: 0) == 105 * second)
        #expect(new.now(monotonic: 12 * second, wall: 0) == 105 * second)
    }

    /// Until the first SYNC the wall clock counted, and that was later by what the log takes to sync.
    @Test func theFirstSyncDoesNotSetTheClockBack() {
        var own = ClusterClock()
        let proposed = own.now(monotonic: 0, wall: 100 * second)
        own.applied(syncTime: proposed, monotonic: second / 10, wall: 100 * second + second / 10)
        #expect(own.now(monotonic: second / 10, wall: 0) == 100 * second + second / 10)
        #expect(own.synced == 100 * second)
        // A clock that is far from the leader's gives way.
        var other = ClusterClock()
        other.applied(syncTime: proposed, monotonic: 0, wall: 500 * second)
        #expect(other.now(monotonic: 0, wall: 0) == 100 * second)
    }

    /// Each SYNC is applied a moment after its leader proposed it.
    @Test func theLeadersOwnSyncsCostNoTime() {
        var clock = ClusterClock()
        clock.applied(syncTime: 100 * second, monotonic: 0)
        var before = clock.now(monotonic: 0, wall: 0)
        for n in 1...1000 {
            let proposedAt = Int64(n) * second / 2
            let time = clock.now(monotonic: proposedAt, wall: 0)
            let appliedAt = proposedAt + second / 100
            before = clock.now(monotonic: appliedAt, wall: 0)
            clock.applied(syncTime: time, monotonic: appliedAt)
            #expect(clock.now(monotonic: appliedAt, wall: 0) == before)
            #expect(clock.synced == time)
        }
        #expect(before == 600 * second + second / 100)
    }
}
