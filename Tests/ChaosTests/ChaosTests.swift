import Chaos
import Histories
import Testing

/// Short runs of each mode; `Scripts/chaos` has the long ones.
@Suite(.serialized) struct ChaosTests {
    @Test(arguments: [3, 5]) func nothingBreaks(size: Int) throws {
        var options = ChaosRun.Options(seed: 20_261_128)
        (options.sizes, options.rounds) = ([size], 3)
        let run = ChaosRun(options) { print($0) }
        try run.run()
        #expect(run.report.rounds == 3 && run.report.operations > 300, "the load was real")
    }

    @Test func damagesAreRecoveredOrRefused() throws {
        let report = try DamageTrials.run(count: 24, seed: 20_261_128) { print($0) }
        #expect(report.recovered > 0 && report.refused > 0)
    }

    @Test func aLeaderIsFollowedByAnother() throws {
        print(try LeaderKills.run(count: 2, seed: 1) { print($0) })
    }

    /// A write that was acknowledged and is not there any more has no order.
    @Test func whatIsLostIsFound() throws {
        var kept = HistoryBook.Kept(path: "/a")
        for value in 1...2 as ClosedRange<UInt32> {
            let call = kept.history.call(.set(value), client: 0, at: UInt64(value) * 10)
            kept.history.answer(
                call, .done(previous: value - 1), at: UInt64(value) * 10 + 5)
        }
        let last = kept.history.call(.read, client: -1, at: 100)
        var good = kept
        good.history.answer(last, .value(2), at: 101)
        try Judgement.judge(good)
        for value in 0...1 as ClosedRange<UInt32> {
            var bad = kept
            bad.history.answer(last, .value(value), at: 101)
            #expect(throws: ChaosFailure.self) { try Judgement.judge(bad) }
        }
    }

    @Test func quantilesAreOfThoseThatWereSeen() {
        var gaps = Distribution()
        for milliseconds in 1...100 { gaps.add(.milliseconds(milliseconds)) }
        #expect(gaps.quantile(0.5) == .milliseconds(50))
        #expect(gaps.quantile(0.99) == .milliseconds(99))
        #expect(gaps.max == .milliseconds(100))
        #expect(gaps.share(within: .milliseconds(97)) == 0.97)
    }
}
