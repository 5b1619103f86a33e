#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif
internal import Logging

/// Builds one line's bytes: `2026-11-23 09:54:22.498023 I | package: message key=value` + newline.
///
/// A line stays a line: control characters of the message and of metadata are written as
/// escapes (`\n`, `\t`, `\x1b`), so what a client sent cannot forge a second line.
struct LogLine {
    private(set) var bytes: [UInt8] = []

    init(
        time: timespec, level: Logger.Level, package: String, message: String,
        metadata: Logger.Metadata
    ) {
        bytes.reserveCapacity(48 + package.utf8.count + message.utf8.count)
        append(time)
        append(" ")
        bytes.append(Self.letter(of: level))
        append(" | ")
        append(package)
        append(": ")
        appendEscaped(message)
        // Sorted, because a dictionary's order differs from run to run.
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            append(" ")
            appendEscaped(key)
            append("=")
            appendValue("\(value)")
        }
        append("\n")
    }

    static func now() -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time
    }

    /// etcd's letter of a level; `T` for trace and `N` for notice are etcd's too.
    static func letter(of level: Logger.Level) -> UInt8 {
        switch level {
        case .critical: UInt8(ascii: "C")
        case .error: UInt8(ascii: "E")
        case .warning: UInt8(ascii: "W")
        case .notice: UInt8(ascii: "N")
        case .info: UInt8(ascii: "I")
        case .debug: UInt8(ascii: "D")
        case .trace: UInt8(ascii: "T")
        }
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// Local time, `YYYY-MM-DD hh:mm:ss.uuuuuu`.
    private mutating func append(_ time: timespec) {
        var seconds = time.tv_sec
        var local = tm()
        localtime_r(&seconds, &local)
        appendDecimal(Int(local.tm_year) + 1900, digits: 4)
        append("-")
        appendDecimal(Int(local.tm_mon) + 1, digits: 2)
        append("-")
        appendDecimal(Int(local.tm_mday), digits: 2)
        append(" ")
        appendDecimal(Int(local.tm_hour), digits: 2)
        append(":")
        appendDecimal(Int(local.tm_min), digits: 2)
        append(":")
        appendDecimal(Int(local.tm_sec), digits: 2)
        append(".")
        appendDecimal(Int(time.tv_nsec) / 1000, digits: 6)
    }

    private mutating func appendDecimal(_ value: Int, digits: Int) {
        precondition(value >= 0, "a part of a time is never negative")
        let start = bytes.count
        var rest = value
        for _ in 0..<digits {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes[start...].reverse()
    }

    /// A metadata value; in quotes when a reader could not tell where it ends.
    private mutating func appendValue(_ value: String) {
        let needsQuotes =
            value.isEmpty
            || value.utf8.contains { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\"") }
        guard needsQuotes else { return appendEscaped(value) }
        append("\"")
        for byte in value.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { append("\\") }
            appendEscaped(byte)
        }
        append("\"")
    }

    private mutating func appendEscaped(_ text: String) {
        for byte in text.utf8 { appendEscaped(byte) }
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        case 0..<0x20, 0x7F:
            append("\\x")
            bytes.append(Self.hexDigits[Int(byte >> 4)])
            bytes.append(Self.hexDigits[Int(byte & 15)])
        default: bytes.append(byte)
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}
