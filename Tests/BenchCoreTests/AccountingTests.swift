internal import Histogram
import Testing

@testable import BenchCore

private let millisecond: Nanoseconds = 1_000_000
private let second: Nanoseconds = 1_000_000_000

@Suite struct PacerTests {
    @Test func workersTogetherKeepTheRate() {
        var due: [Nanoseconds] = []
        for worker in 0..<3 {
            var pacer = Pacer(
                start: second, end: 2 * second, ratePerSecond: 1000, worker: worker, workerCount: 3)
            while let next = pacer.take(now: 10 * second) { due.append(next) }
            #expect(pacer.nextDue == nil)
        }
        #expect(due.sorted() == (0..<1000).map { second + $0 * millisecond })
    }

    @Test func nothingIsDueEarly() {
        var pacer = Pacer(start: second, end: .max, ratePerSecond: 10)
        #expect(pacer.take(now: second - 1) == nil)
        #expect(pacer.take(now: second) == second)
        #expect(pacer.take(now: second + 99 * millisecond) == nil)
        #expect(pacer.nextDue == second + 100 * millisecond)
        #expect(pacer.overdueCount(now: second + 250 * millisecond) == 2)
        #expect(pacer.take(now: second + 250 * millisecond) == second + 100 * millisecond)
    }

    @Test func overdueIsWhatCouldBeTaken() {
        var random = SplitMix64(seed: 11)
        for rate in [1, 3, 7, 1000, 999_999] {
            for worker in 0..<3 {
                let end = second + UInt64(random.next(below: 30_000_000))
                var pacer = Pacer(
                    start: second, end: end, ratePerSecond: rate, worker: worker, workerCount: 3)
                for _ in 0..<random.next(below: 5) { _ = pacer.take(now: end) }
                let now = second + UInt64(random.next(below: 40_000_000))
                var taking = pacer
                var count = 0
                while taking.take(now: now) != nil { count += 1 }
                #expect(pacer.overdueCount(now: now) == count)
            }
        }
    }

    @Test func neverDrifts() {
        // 3 a second do not divide a second; after a day each third request is still on it.
        var pacer = Pacer(start: 0, end: .max, ratePerSecond: 3)
        var last: Nanoseconds = 0
        for _ in 0...(3 * 86_400) { last = pacer.take(now: .max) ?? 0 }
        #expect(last == 86_400 * second)
    }

    @Test func closedLoopIsDueWheneverAsked() {
        var pacer = Pacer(start: second, end: 2 * second, ratePerSecond: nil)
        #expect(!pacer.isOpenLoop)
        #expect(pacer.take(now: 0) == nil)
        #expect(pacer.take(now: second + 5) == second + 5)
        #expect(pacer.take(now: second + 5) == second + 5)
        #expect(pacer.take(now: 2 * second) == nil)
        #expect(pacer.overdueCount(now: 3 * second) == 0)
    }
}

@Suite struct InFlightQueueTests {
    @Test func behavesAsAnArray() {
        for depth in [1, 2, 3, 8] {
            var queue = InFlightQueue(depth: depth)
            var model: [InFlightQueue.Request] = []
            var random = SplitMix64(seed: UInt64(depth))
            for step in 0..<2000 {
                if random.next(below: 2) == 0, model.count < depth {
                    let request = InFlightQueue.Request(.get, intended: UInt64(step))
                    queue.push(request)
                    model.append(request)
                } else {
                    #expect(queue.pop() == (model.isEmpty ? nil : model.removeFirst()))
                }
                #expect(queue.count == model.count)
                #expect(queue.isFull == (model.count == depth))
                #expect(queue.isEmpty == model.isEmpty)
            }
        }
    }
}

@Suite struct RecorderTests {
    private func request(_ intended: Nanoseconds) -> InFlightQueue.Request {
        InFlightQueue.Request(.put, intended: intended)
    }

    /// A server that answers in 1 ms but stalls for one second, one request at a time: runs the
    /// schedule against an injected clock and accounts as a worker does.
    private func runAgainstStall(ratePerSecond: Int?) -> Recorder {
        let end = 10 * second
        var pacer = Pacer(start: 0, end: end, ratePerSecond: ratePerSecond)
        var recorder = Recorder(measureFrom: 0)
        var now: Nanoseconds = 0
        while let due = pacer.nextDue {
            now = max(now, due)
            guard let intended = pacer.take(now: now) else { break }
            let isStalled = now >= 5 * second && now < 6 * second
            now = isStalled ? 6 * second : now + millisecond
            _ = recorder.answered(request(intended), status: 200, now: now)
        }
        return recorder
    }

    @Test func anOpenLoopSeesTheStallInEveryDelayedRequest() {
        let recorder = runAgainstStall(ratePerSecond: 500)
        let latencies = recorder.allLatencies
        #expect(recorder.successCount == 5000)
        // 500 requests fell due in the stall's second; their waits are spread from 1 s down, and the
        // backlog takes another second to go: the slowest 10 % begin well below, at 0.4 to 0.6 s.
        #expect((400 * millisecond...600 * millisecond).contains(latencies.valueAtPercentile(90)))
        #expect(latencies.valueAtPercentile(99) > 900 * millisecond)
        #expect(latencies.valueAtPercentile(75) < 2 * millisecond)
        #expect((990 * millisecond...1010 * millisecond).contains(latencies.max))
    }

    @Test func aClosedLoopSeesItOnce() {
        // The trap that --rate avoids: one slow request among nine thousand.
        let recorder = runAgainstStall(ratePerSecond: nil)
        #expect(recorder.allLatencies.valueAtPercentile(99.9) < 2 * millisecond)
        #expect(recorder.allLatencies.max > 990 * millisecond)
    }

    @Test func warmupLeavesNoTrace() {
        var recorder = Recorder(measureFrom: 100)
        let early = recorder.answered(request(99), status: 200, now: 150)
        recorder.failed(.timedOut, request(99))
        recorder.failed(.watchEnded, now: 99)
        let isMeasuredEvent = recorder.event(written: 99, now: 200)
        #expect(early && !isMeasuredEvent)
        #expect(recorder.successCount == 0 && recorder.failureCount == 0)
        #expect(recorder.lastAnswer == 0)
        _ = recorder.answered(request(100), status: 201, now: 180)
        #expect(recorder.successCount == 1 && recorder.lastAnswer == 180)
    }

    @Test func failuresByStatus() {
        var recorder = Recorder(measureFrom: 0)
        for status in [200, 201, 404, 500, 500, 204] {
            let isSuccess = recorder.answered(request(1), status: status, now: 5)
            #expect(isSuccess == (status == 200 || status == 201))
        }
        recorder.failed(.connectionLost, request(1))
        #expect(
            recorder.failures == [
                .status(404): 1, .status(500): 2, .status(204): 1, .connectionLost: 1,
            ])
        #expect(recorder.successCount == 2)
        #expect(
            BenchReport.describe(failures: recorder.failures)
                == "500: 2, 204: 1, 404: 1, connection-lost: 1")
    }

    @Test func mergingIsAsIfOneHadCounted() {
        var random = SplitMix64(seed: 3)
        var whole = Recorder(measureFrom: 0)
        var parts = (0..<3).map { _ in Recorder(measureFrom: 0) }
        for number in 0..<30_000 {
            let intended = UInt64(number)
            let now = intended + UInt64(random.next(below: 50_000_000))
            let status = random.next(below: 50) == 0 ? 500 : 200
            _ = whole.answered(request(intended), status: status, now: now)
            _ = parts[number % 3].answered(request(intended), status: status, now: now)
        }
        parts[0].bytesSent = 5
        parts[1].bytesSent = 7
        var merged = Recorder(measureFrom: 0)
        for part in parts { merged.merge(part) }
        #expect(merged.successCount == whole.successCount)
        #expect(merged.failures == whole.failures)
        #expect(merged.lastAnswer == whole.lastAnswer)
        #expect(merged.bytesSent == 12)
        for percentile in [0, 1, 50, 90, 99, 99.9, 100] {
            #expect(
                merged.allLatencies.valueAtPercentile(percentile)
                    == whole.allLatencies.valueAtPercentile(percentile))
        }
    }

    @Test func percentilesHaveThreeDigits() {
        var recorder = Recorder(measureFrom: 0)
        for latency in 1...10_000 {
            _ = recorder.answered(request(0), status: 200, now: UInt64(latency) * 1000)
        }
        for percentile in [50.0, 90, 99] {
            let exact = percentile * 100_000
            let found = Double(recorder.allLatencies.valueAtPercentile(percentile))
            #expect(abs(found - exact) / exact < 0.002)
        }
    }

    @Test func latenciesBeyondTheRangeCountAsTheLongest() {
        var recorder = Recorder(measureFrom: 0)
        _ = recorder.answered(request(0), status: 200, now: .max)
        // An answer before its request can only come from a clock that was read in between.
        _ = recorder.answered(request(9), status: 200, now: 8)
        #expect(recorder.successCount == 2)
        #expect(recorder.allLatencies.max >= Recorder.latencyMax)
    }
}

@Suite struct WatchEventScannerTests {
    private let lines =
        RecordedAnswer.setTwo + RecordedAnswer.setTwoAgain
        + #"{"action":"set","node":{"key":"/bench/x","value":"mine","modifiedIndex":8}}"# + "\n"
        + #"{"action":"delete","node":{"key":"/bench/x","modifiedIndex":9},"#
        + #""prevNode":{"key":"/bench/x","value":"zzzzzzzzzzzzzzzzz","modifiedIndex":8}}"# + "\n"

    @Test func everySplit() {
        let expected = [
            WatchEventScanner.Event(stamp: 0x0000_0A3F_5C21_E4BA, index: 6),
            WatchEventScanner.Event(stamp: 0x0000_0A3F_5C21_E4BB, index: 7),
            WatchEventScanner.Event(stamp: nil, index: 8),
            WatchEventScanner.Event(stamp: nil, index: 9),
        ]
        let bytes = Array(lines.utf8)
        for split in 0...bytes.count {
            var scanner = WatchEventScanner()
            var found: [WatchEventScanner.Event] = []
            for piece in [bytes[..<split], bytes[split...]] {
                piece.withUnsafeBytes { scanner.scan($0) { found.append($0) } }
            }
            #expect(found == expected, "split at \(split)")
        }
    }

    @Test func resetDropsHalfALine() {
        var scanner = WatchEventScanner()
        var found: [WatchEventScanner.Event] = []
        Array(#"{"node":{"modifiedIndex":3"#.utf8).withUnsafeBytes {
            scanner.scan($0) { found.append($0) }
        }
        scanner.reset()
        Array(RecordedAnswer.setOne.utf8).withUnsafeBytes {
            scanner.scan($0) { found.append($0) }
        }
        #expect(found == [WatchEventScanner.Event(stamp: 0x0000_0A3F_5C21_E4B8, index: 4)])
    }
}
