#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Where finished lines go: a file descriptor, which the sink neither opens nor closes.
package struct LogSink: Sendable {
    let descriptor: Int32

    package static let standardError = LogSink(descriptor: 2)

    package init(descriptor: Int32) {
        precondition(descriptor >= 0, "a log sink needs an open file descriptor")
        self.descriptor = descriptor
    }

    /// Writes one line, in one `write(2)` unless the kernel takes only a part of it.
    ///
    /// A line that cannot be written is lost: a server must not stop, or wait, because nobody
    /// reads its log. (A blocking descriptor whose reader has stalled does make it wait.)
    package func write(_ line: [UInt8]) {
        line.withUnsafeBytes { bytes in
            var rest = UnsafeRawBufferPointer(rebasing: bytes[...])
            while let start = rest.baseAddress, rest.count > 0 {
                #if canImport(Glibc)
                    let written = Glibc.write(descriptor, start, rest.count)
                #elseif canImport(Musl)
                    let written = Musl.write(descriptor, start, rest.count)
                #endif
                if written < 0 {
                    guard errno == EINTR else { return }
                    continue
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}
