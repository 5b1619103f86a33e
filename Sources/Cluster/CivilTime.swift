/// A moment in UTC, taken apart into calendar and clock.
///
/// Works for every Int64 count of nanoseconds since 1970 (years 1677 to 2262), and for the seconds
/// of HTTP dates; proleptic Gregorian, no leap seconds.
package struct CivilTime: Equatable, Sendable {
    package var year: Int64
    /// 1...12
    package var month: Int
    /// 1...31
    package var day: Int
    /// 0...6, Sunday first
    package var weekday: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var nanosecond: Int

    package init(unixNanoseconds: Int64) {
        let (seconds, rest) = Self.divide(unixNanoseconds, by: 1_000_000_000)
        self.init(unixSeconds: seconds)
        nanosecond = Int(rest)
    }

    package init(unixSeconds: Int64) {
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

    /// The moment as Unix nanoseconds, if it is within what 64 bits hold.
    package var unixNanoseconds: Int64? {
        let shiftedYear = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = Self.divide(shiftedYear, by: 400)
        let monthFromMarch = Int64((month + 9) % 12)
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let seconds = days * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (all, more) = nanoseconds.addingReportingOverflow(Int64(nanosecond))
        return overflow || more ? nil : all
    }

    /// RFC 3339 in UTC with up to nine digits of nanoseconds, zeros at their end cut:
    /// `2026-11-23T10:14:27.416034679Z`. Source: `reference/client-api.md` §5.
    package var rfc3339: String {
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        var text = "\(padded(year, 4))-\(padded(Int64(month), 2))-\(padded(Int64(day), 2))T"
        text += "\(padded(Int64(hour), 2)):\(padded(Int64(minute), 2)):\(padded(Int64(second), 2))"
        guard nanosecond > 0 else { return text + "Z" }
        var fraction = padded(Int64(nanosecond), 9)
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(text).\(fraction)Z"
    }

    /// Reads RFC 3339 as Go writes it, a zone of any offset included; nil: it is none, or too far from
    /// 1970.
    package static func unixNanoseconds(rfc3339 text: some StringProtocol) -> Int64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 0x30)
            }
            return value
        }
        guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[10] | 0x20 == 0x74,
            bytes[13] == 0x3a, bytes[16] == 0x3a, let year = number(0..<4),
            let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var time = CivilTime(unixSeconds: 0)
        (time.year, time.month, time.day) = (Int64(year), month, day)
        (time.hour, time.minute, time.second) = (hour, minute, second)
        var place = 19
        if bytes[place] == 0x2e {
            var (scale, digits) = (100_000_000, 0)
            place += 1
            while place < bytes.count, (0x30...0x39).contains(bytes[place]) {
                time.nanosecond += Int(bytes[place] - 0x30) * scale
                (scale, digits, place) = (scale / 10, digits + 1, place + 1)
            }
            guard digits > 0 else { return nil }
        }
        guard place < bytes.count, let moment = time.unixNanoseconds else { return nil }
        if bytes[place] | 0x20 == 0x7a { return place + 1 == bytes.count ? moment : nil }
        guard bytes[place] == 0x2b || bytes[place] == 0x2d, bytes.count == place + 6,
            bytes[place + 3] == 0x3a, let hours = number(place + 1..<place + 3),
            let minutes = number(place + 4..<place + 6)
        else { return nil }
        let offset = Int64(hours * 3600 + minutes * 60) * 1_000_000_000
        let (result, overflows) = moment.subtractingReportingOverflow(
            bytes[place] == 0x2b ? offset : -offset)
        return overflows ? nil : result
    }
}
