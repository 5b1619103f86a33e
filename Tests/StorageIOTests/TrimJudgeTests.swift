import StorageIO
import Testing

@Suite struct TrimJudgeTests {
    private static let mebibyte = 1 << 20

    /// What it says to each of these looks, in mebibytes and parts of one.
    private func verdicts(free: [Double], used: Int) -> [Bool] {
        var judge = TrimJudge()
        return free.map { free in
            let heap = Heap(
                freeBytes: Int(free * Double(Self.mebibyte)), usedBytes: used * Self.mebibyte)
            let verdict = judge.shouldTrim(heap)
            if verdict { judge.trimmed(heap) }
            return verdict
        }
    }

    /// A tenth of a small member is little.
    @Test func twoMebibytesOfThirtyAreWorthIt() {
        #expect(verdicts(free: [1, 3, 3], used: 27) == [false, false, true])
        #expect(verdicts(free: [1, 1.5, 1.5], used: 27) == [false, false, false])
    }

    @Test func aLargeHeapIsNotBotheredForLittle() {
        #expect(verdicts(free: [1, 30, 30], used: 4000) == [false, false, false])
        #expect(verdicts(free: [1, 300, 300], used: 4000) == [false, false, true])
    }

    @Test func whatIsAboutToBeUsedStays() {
        #expect(
            verdicts(free: [1, 20, 10, 20, 10, 20], used: 27)
                == [false, false, false, false, false, false])
    }

    /// What has been given back is still free, as malloc counts.
    @Test func nothingIsGivenBackTwice() {
        #expect(
            verdicts(free: [1, 10, 10, 10, 10], used: 27) == [false, false, true, false, false])
        // Used again and freed again it is there to be given back.
        #expect(
            verdicts(free: [1, 10, 10, 2, 10, 10], used: 27)
                == [false, false, true, false, false, true])
    }
}
