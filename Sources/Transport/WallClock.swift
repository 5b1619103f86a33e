#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The machine's wall clock, and the two texts of it that HTTP and probing use.
package enum WallClock {
    /// Unix nanoseconds.
    package static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// `Mon, 23 Nov 2026 10:05:22 GMT`, for the header `Date`.
    package static func httpDate(_ nanoseconds: Int64) -> String {
        let time = fields(of: nanoseconds)
        let weekday = weekdays[Int(time.tm_wday)]
        let month = months[Int(time.tm_mon)]
        return "\(weekday), \(padded(time.tm_mday, 2)) \(month) \(time.tm_year + 1900) "
            + "\(timeOfDay(time)) GMT"
    }

    /// `2026-11-23T10:05:22.550117175Z`, trailing zeros of the fraction left out as Go does.
    static func rfc3339(_ nanoseconds: Int64) -> String {
        let time = fields(of: nanoseconds)
        var fraction = "." + padded(Int32(nanoseconds % 1_000_000_000), 9)
        while fraction.hasSuffix("0") { fraction.removeLast() }
        if fraction == "." { fraction = "" }
        return "\(time.tm_year + 1900)-\(padded(time.tm_mon + 1, 2))-\(padded(time.tm_mday, 2))T"
            + "\(timeOfDay(time))\(fraction)Z"
    }

    /// Reads what Go writes: any zone offset, up to nine digits of fraction. Nil for anything else.
    static func nanoseconds(rfc3339 text: String) -> Int64? {
        var rest = Substring(text)
        func number(_ digits: Int) -> Int32? {
            let part = rest.prefix(digits)
            guard part.utf8.count == digits, part.utf8.allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            rest.removeFirst(digits)
            return Int32(part)
        }
        func skip(_ character: Character) -> Bool {
            guard rest.first == character else { return false }
            rest.removeFirst()
            return true
        }
        var time = tm()
        guard let year = number(4), skip("-"), let month = number(2), skip("-"),
            let day = number(2), skip("T"), let hour = number(2), skip(":"),
            let minute = number(2), skip(":"), let second = number(2)
        else { return nil }
        (time.tm_year, time.tm_mon, time.tm_mday) = (year - 1900, month - 1, day)
        (time.tm_hour, time.tm_min, time.tm_sec) = (hour, minute, second)
        var fraction: Int64 = 0
        if skip(".") {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard (1...9).contains(digits.count), let value = Int64(digits) else { return nil }
            rest.removeFirst(digits.count)
            fraction = value
            for _ in digits.count..<9 { fraction *= 10 }
        }
        var offsetSeconds: Int64 = 0
        if !skip("Z") {
            let isWest = rest.first == "-"
            guard skip(isWest ? "-" : "+"), let hours = number(2), skip(":"),
                let minutes = number(2)
            else { return nil }
            offsetSeconds = Int64(hours * 60 + minutes) * (isWest ? -60 : 60)
        }
        guard rest.isEmpty else { return nil }
        return (Int64(timegm(&time)) - offsetSeconds) * 1_000_000_000 + fraction
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func fields(of nanoseconds: Int64) -> tm {
        precondition(nanoseconds >= 0, "the wall clock stands before 1970")
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        return fields
    }

    private static func timeOfDay(_ time: tm) -> String {
        "\(padded(time.tm_hour, 2)):\(padded(time.tm_min, 2)):\(padded(time.tm_sec, 2))"
    }

    private static func padded(_ value: Int32, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
