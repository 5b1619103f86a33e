import Glibc

/// Where text goes: collected, and written in large pieces. A reader that goes away (`| head`) ends
/// the program quietly: nobody is left to be told.
package final class Output {
    private var bytes: [UInt8] = []
    private let descriptor: Int32?
    private static let pieceBytes = 64 << 10

    /// To a descriptor; nil: kept, for tests.
    package init(_ descriptor: Int32? = STDOUT_FILENO) { self.descriptor = descriptor }

    deinit { flush() }

    package func line(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count >= Self.pieceBytes { flush() }
    }

    package func flush() {
        guard let descriptor else { return }
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes {
                write(descriptor, $0.baseAddress, $0.count)
            }
            if count >= 0 {
                start += count
            } else if errno != EINTR {
                bytes = []
                exit(errno == EPIPE ? 0 : 1)
            }
        }
        bytes.removeAll(keepingCapacity: true)
    }

    /// What was written to an output without a descriptor.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// How far a long run is, on standard error, where that is a terminal.
package struct Progress {
    private let what: String
    private let isShown = isatty(STDERR_FILENO) == 1
    private let started = Self.now()
    private var lastShown = Self.now()
    private var wasShown = false

    package init(_ what: String) { self.what = what }

    package mutating func show(_ done: @autoclosure () -> String) {
        guard isShown else { return }
        let now = Self.now()
        guard now - started > 1_000_000_000, now - lastShown > 200_000_000 else { return }
        (lastShown, wasShown) = (now, true)
        Self.put("\r\(what): \(done()) \u{1b}[K")
    }

    package func end() {
        if wasShown { Self.put("\r\u{1b}[K") }
    }

    private static func put(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
