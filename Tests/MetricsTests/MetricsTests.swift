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
