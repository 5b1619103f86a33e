import Metrics
import Testing

@Suite struct MetricsTests {
    /// A value at a bound belongs below it, one nanosecond more above it.
    @Test(
        arguments: [
            (-5, 0), (0, 0), (1, 0), (500, 0), (501, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3),
            (4000, 3), (4001, 4), (Int64.max, 4),
        ] as [(Int64, Int)])
    func durationsFallIntoTheirBuckets(nanoseconds: Int64, bucket: Int) {
        var histogram = DurationHistogram(firstNanoseconds: 500, boundsCount: 4)
        histogram.record(nanoseconds: nanoseconds)
        #expect(histogram.counts.firstIndex(of: 1) == bucket && histogram.count == 1)
        if bucket < 4 {
            #expect(Double(nanoseconds) / 1e9 <= histogram.boundSeconds(bucket))
        }
    }

    @Test func ofAWhileAndQuantiles() {
        var histogram = DurationHistogram(firstNanoseconds: 1_000_000, boundsCount: 6)
        #expect(histogram.lowerBoundSeconds(ofQuantile: 0.99) == nil)
        for _ in 0..<100 { histogram.record(nanoseconds: 20_000_000) }
        let earlier = histogram
        for _ in 0..<98 { histogram.record(nanoseconds: 500_000) }
        for _ in 0..<2 { histogram.record(nanoseconds: 9_000_000) }
        let recent = histogram.since(earlier)
        #expect(recent.count == 100)
        #expect(recent.sumNanoseconds == 98 * 500_000 + 2 * 9_000_000)
        #expect(recent.lowerBoundSeconds(ofQuantile: 0.5) == 0)
        #expect(recent.lowerBoundSeconds(ofQuantile: 0.99) == 0.008)
        #expect(earlier.lowerBoundSeconds(ofQuantile: 0) == 0)
        histogram.record(nanoseconds: 1_000_000_000)
        #expect(histogram.since(histogram).count == 0)
        #expect(histogram.lowerBoundSeconds(ofQuantile: 1) == 0.032)
    }

    @Test func aPageIsPrometheusText() {
        var page = MetricsPage()
        page.counter("a_total", "All of a.", 3)
        page.family("b", .gauge, "B.")
        page.sample([("peer", "x\"y\\z\nw"), ("kind", "k")], 0.5)
        var histogram = DurationHistogram(firstNanoseconds: 1_000_000, boundsCount: 2)
        for milliseconds in [1, 1, 2, 7] as [Int64] {
            histogram.record(nanoseconds: milliseconds * 1_000_000)
        }
        page.histogram("c_seconds", "C.", histogram)
        #expect(
            String(decoding: page.bytes, as: UTF8.self) == """
                # HELP a_total All of a.
                # TYPE a_total counter
                a_total 3
                # HELP b B.
                # TYPE b gauge
                b{peer="x\\"y\\\\z\\nw",kind="k"} 0.5
                # HELP c_seconds C.
                # TYPE c_seconds histogram
                c_seconds_bucket{le="0.001"} 2
                c_seconds_bucket{le="0.002"} 3
                c_seconds_bucket{le="+Inf"} 4
                c_seconds_sum 0.011
                c_seconds_count 4

                """)
    }
}
