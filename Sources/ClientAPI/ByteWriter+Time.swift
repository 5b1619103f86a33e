internal import Cluster

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
