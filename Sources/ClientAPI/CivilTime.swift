/// A moment in UTC, taken apart into calendar and clock.
///
/// Works for every Int64 count of nanoseconds since 1970 (years 1677 to 2262), and for the seconds
/// of HTTP dates; proleptic Gregorian, no leap seconds.
struct CivilTime: Equatable {
    var year: Int64
    /// 1...12
    var month: Int
    /// 1...31
    var day: Int
    /// 0...6, Sunday first
    var weekday: Int
    var hour: Int
    var minute: Int
    var second: Int
    var nanosecond: Int

    init(unixNanoseconds: Int64) {
        let (seconds, rest) = Self.divide(unixNanoseconds, by: 1_000_000_000)
        self.init(unixSeconds: seconds)
        nanosecond = Int(rest)
    }

    init(unixSeconds: Int64) {
        let (days, secondOfDay) = Self.divide(unixSeconds, by: 86_400)
        // The era of 400 years that starts on the 1st of March: then leap days come last.
        let (era, dayOfEra) = Self.divide(days + 719_468, by: 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        weekday = Int(Self.divide(days + 4, by: 7).rest)
        hour = Int(secondOfDay / 3600)
        minute = Int(secondOfDay / 60 % 60)
        second = Int(secondOfDay % 60)
        nanosecond = 0
    }

    /// Division that rounds down, so that the rest is never negative.
    private static func divide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, rest: Int64)
    {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }
}

extension ByteWriter {
    /// RFC 3339 in UTC with up to nine digits of nanoseconds, zeros at their end cut:
    /// `2026-11-23T10:14:27.416034679Z`. Source: `reference/client-api.md` §5.
    mutating func append(rfc3339 unixNanoseconds: Int64) {
        let time = CivilTime(unixNanoseconds: unixNanoseconds)
        append(padded: UInt64(time.year), width: 4)
        appendTwo("-", time.month)
        appendTwo("-", time.day)
        appendTwo("T", time.hour)
        appendTwo(":", time.minute)
        appendTwo(":", time.second)
        append(fraction: UInt64(time.nanosecond), digits: 9)
        append(UInt8(ascii: "Z"))
    }

    /// As in the `Date` header: `Mon, 23 Nov 2026 10:14:27 GMT`.
    mutating func append(httpDate unixSeconds: Int64) {
        let days: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months: [StaticString] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let time = CivilTime(unixSeconds: unixSeconds)
        append(days[time.weekday])
        appendTwo(", ", time.day)
        append(" ")
        append(months[time.month - 1])
        append(" ")
        append(padded: UInt64(time.year), width: 4)
        appendTwo(" ", time.hour)
        appendTwo(":", time.minute)
        appendTwo(":", time.second)
        append(" GMT")
    }

    private mutating func appendTwo(_ separator: StaticString, _ number: Int) {
        append(separator)
        append(padded: UInt64(number), width: 2)
    }

    /// `.` and the digits, without the zeros at their end; nothing for zero.
    mutating func append(fraction: UInt64, digits: Int) {
        guard fraction > 0 else { return }
        var (rest, width) = (fraction, digits)
        while rest.isMultiple(of: 10) { (rest, width) = (rest / 10, width - 1) }
        append(UInt8(ascii: "."))
        append(padded: rest, width: width)
    }
}
