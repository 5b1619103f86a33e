import RaftModel
import Testing

@testable import Transport

@Suite struct PostPipelineTests {
    private func message(_ index: UInt64, _ kind: Message.Kind = .appendResponse) -> Message {
        Message(kind, to: MemberID(2), from: MemberID(1), term: 1, index: index)
    }

    @Test func reusesConnections() {
        var pipeline = PostPipeline(connectionsMax: 2, queueMax: 2)
        #expect(pipeline.submit(message(1)) == .connect(slot: 0))
        #expect(pipeline.connected(slot: 0) == .post(message(1), slot: 0))
        let answered = pipeline.answered(slot: 0, keepsAlive: true)
        #expect(answered?.0 == message(1) && answered?.1 == PostPipeline.Action.none)
        #expect(pipeline.isIdle(0))
        #expect(pipeline.submit(message(2)) == .post(message(2), slot: 0))
        #expect(pipeline.submit(message(3)) == .connect(slot: 1))
    }

    @Test func queuesAndRefuses() {
        var pipeline = PostPipeline(connectionsMax: 1, queueMax: 2)
        #expect(pipeline.submit(message(1)) == .connect(slot: 0))
        #expect(pipeline.submit(message(2)) == PostPipeline.Action.none)
        #expect(pipeline.submit(message(3)) == PostPipeline.Action.none)
        #expect(pipeline.submit(message(4)) == nil)
        _ = pipeline.connected(slot: 0)
        let first = pipeline.answered(slot: 0, keepsAlive: true)
        #expect(first?.0 == message(1) && first?.1 == .post(message(2), slot: 0))
        let second = pipeline.answered(slot: 0, keepsAlive: false)
        #expect(second?.0 == message(2) && second?.1 == .connect(slot: 0))
        #expect(pipeline.connected(slot: 0) == .post(message(3), slot: 0))
    }

    @Test func dropsTheQueueWhenNobodyIsThere() {
        var pipeline = PostPipeline(connectionsMax: 1, queueMax: 5)
        for index in 1...3 as ClosedRange<UInt64> { _ = pipeline.submit(message(index)) }
        #expect(pipeline.connectFailed(slot: 0) == [message(1), message(2), message(3)])
        #expect(pipeline.submit(message(4)) == .connect(slot: 0))
    }

    /// The peer may close a kept connection in the moment in which it is used again.
    @Test func retriesOnceOnAKeptConnection() {
        var pipeline = PostPipeline(connectionsMax: 1, queueMax: 5)
        _ = pipeline.submit(message(1))
        _ = pipeline.connected(slot: 0)
        _ = pipeline.answered(slot: 0, keepsAlive: true)
        _ = pipeline.submit(message(2))
        let kept = pipeline.lost(slot: 0, hasBegun: false)
        #expect(kept.0.isEmpty && kept.1 == .connect(slot: 0))
        #expect(pipeline.connected(slot: 0) == .post(message(2), slot: 0))
        let fresh = pipeline.lost(slot: 0, hasBegun: false)
        #expect(fresh.0 == [message(2)] && fresh.1 == PostPipeline.Action.none)
    }

    @Test func doesNotRetryWhatWasHalfAnswered() {
        var pipeline = PostPipeline(connectionsMax: 1, queueMax: 5)
        _ = pipeline.submit(message(1))
        _ = pipeline.connected(slot: 0)
        _ = pipeline.answered(slot: 0, keepsAlive: true)
        _ = pipeline.submit(message(2))
        _ = pipeline.submit(message(3))
        let lost = pipeline.lost(slot: 0, hasBegun: true)
        #expect(lost.0 == [message(2)] && lost.1 == .connect(slot: 0))
        #expect(pipeline.connected(slot: 0) == .post(message(3), slot: 0))
    }

    @Test func stoppingReturnsWhatIsOpen() {
        var pipeline = PostPipeline(connectionsMax: 2, queueMax: 5)
        for index in 1...4 as ClosedRange<UInt64> { _ = pipeline.submit(message(index)) }
        _ = pipeline.connected(slot: 1)
        #expect(pipeline.stop().map(\.index).sorted() == [1, 2, 3, 4])
        #expect(pipeline.stop().isEmpty)
        #expect(pipeline.connected(slot: 0) == PostPipeline.Action.none)
        #expect(pipeline.answered(slot: 1, keepsAlive: true) == nil)
    }
}
