import Cluster
import Testing

@testable import ClientAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Dates against libc's calendar.
@Suite struct CivilTimeTests {
    private func text(_ write: (inout ByteWriter) -> Void) -> String {
        var writer = ByteWriter(capacity: 1)
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func agreesWithLibc() {
        var random = SeededGenerator(seed: 11)
        var moments: [Int64] = [0, -1, 951_782_400, 951_868_799, 4_107_542_399, 946_684_800]
        for _ in 0..<50_000 {
            // The seconds that nanoseconds in an Int64 can reach.
            moments.append(Int64.random(in: -9_223_372_036...9_223_372_036, using: &random))
        }
        for seconds in moments {
            var time = time_t(seconds)
            var parts = tm()
            gmtime_r(&time, &parts)
            let civil = CivilTime(unixSeconds: seconds)
            let agrees =
                civil.year == Int64(parts.tm_year) + 1900 && civil.month == Int(parts.tm_mon) + 1
                && civil.day == Int(parts.tm_mday) && civil.weekday == Int(parts.tm_wday)
                && civil.hour == Int(parts.tm_hour) && civil.minute == Int(parts.tm_min)
                && civil.second == Int(parts.tm_sec)
            #expect(agrees, "\(seconds): \(civil)")
        }
    }

    @Test(arguments: [
        (Int64(1_795_428_867_416_034_679), "2026-11-23T10:14:27.416034679Z"),
        (1_795_428_867_000_000_000, "2026-11-23T10:14:27Z"),
        (1_795_428_867_500_000_000, "2026-11-23T10:14:27.5Z"),
        (1_795_428_867_000_000_010, "2026-11-23T10:14:27.00000001Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (.max, "2262-04-11T23:47:16.854775807Z"),
        (.min, "1677-09-21T00:12:43.145224192Z"),
    ])
    func rfc3339(nanoseconds: Int64, expected: String) {
        #expect(text { $0.append(rfc3339: nanoseconds) } == expected)
    }

    @Test func httpDate() {
        #expect(text { $0.append(httpDate: 1_795_428_867) } == "Mon, 23 Nov 2026 10:14:27 GMT")
        #expect(text { $0.append(httpDate: 784_111_777) } == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test(arguments: [
        (Int64(0), "0s"), (999, "999ns"), (17_000, "17µs"), (1_500, "1.5µs"),
        (434_746_026, "434.746026ms"), (1_000_000_000, "1s"), (3_600_176_235, "3.600176235s"),
        (63_000_000_000, "1m3s"), (3_600_000_000_000, "1h0m0s"), (7_322_500_000_000, "2h2m2.5s"),
    ])
    func durations(nanoseconds: Int64, expected: String) {
        #expect(text { $0.append(duration: nanoseconds) } == expected)
    }

    @Test func numbers() {
        var powers: [UInt64] = [0, .max]
        var power: UInt64 = 1
        for _ in 0..<20 {
            powers += [power &- 1, power, power &+ 1]
            power = power &* 10
        }
        for number in powers {
            #expect(text { $0.append(decimal: number) } == String(number))
            #expect(text { $0.append(hex: number) } == String(number, radix: 16))
        }
        #expect(text { $0.append(decimal: Int64.min) } == String(Int64.min))
    }
}
