internal import Glibc

/// Finds in a watch's body what the generator wants of each event, a line of JSON each: the stamp
/// that `RequestTemplate` put at the start of the value, and the event's index.
///
/// It takes the first `"value":"` and the first `"modifiedIndex":` of a line. Those are the new
/// node's, for it stands before `prevNode`; and neither pattern can be part of a key or value,
/// where a quote is escaped.
package struct WatchEventScanner: Sendable {
    package struct Event: Equatable, Sendable {
        /// Nil: not written by this generator (no stamp).
        package var stamp: UInt64?
        package var index: UInt64?
    }

    /// The line begun and not finished.
    private var line: [UInt8] = []

    package init() {}

    /// Calls `found` for each line that ends in `bytes`.
    package mutating func scan(_ bytes: UnsafeRawBufferPointer, found: (Event) -> Void) {
        var rest = bytes
        while let base = rest.baseAddress, let newline = memchr(base, 0x0A, rest.count) {
            let count = UnsafeRawPointer(newline) - UnsafeRawPointer(base)
            let piece = UnsafeRawBufferPointer(rebasing: rest[..<count])
            if line.isEmpty {
                found(Self.event(in: piece))
            } else {
                line.append(contentsOf: piece)
                found(line.withUnsafeBytes { Self.event(in: $0) })
                line.removeAll(keepingCapacity: true)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[(count + 1)...])
        }
        line.append(contentsOf: rest)
    }

    /// Drops an unfinished line; the connection it came on is gone.
    package mutating func reset() { line.removeAll(keepingCapacity: true) }

    private static func event(in line: UnsafeRawBufferPointer) -> Event {
        var event = Event()
        if let start = end(of: "\"value\":\"", in: line), line.count - start >= 16 {
            var stamp: UInt64? = 0
            for byte in line[start..<(start + 16)] {
                guard let digit = hexDigitValue(byte), let value = stamp else {
                    stamp = nil
                    break
                }
                stamp = value << 4 | UInt64(digit)
            }
            event.stamp = stamp
        }
        if let start = end(of: "\"modifiedIndex\":", in: line) {
            var index: UInt64 = 0
            for byte in line[start...] {
                guard (0x30...0x39).contains(byte), index < 1 << 59 else { break }
                index = index * 10 + UInt64(byte - 0x30)
            }
            event.index = index
        }
        return event
    }

    private static func end(of pattern: StaticString, in line: UnsafeRawBufferPointer) -> Int? {
        guard let base = line.baseAddress else { return nil }
        let count = pattern.utf8CodeUnitCount
        var start = 0
        while line.count - start >= count,
            let quote = memchr(base + start, Int32(pattern.utf8Start[0]), line.count - start)
        {
            start = UnsafeRawPointer(quote) - base
            guard line.count - start >= count else { return nil }
            if memcmp(base + start, pattern.utf8Start, count) == 0 { return start + count }
            start += 1
        }
        return nil
    }
}
