internal import ArgumentParser
internal import DumpCore
internal import Glibc
internal import StorageIO

/// Standard output for results, standard error for the rest.
enum Console {
    private static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    static let storage = PosixStorage()

    /// The wall clock, in Unix nanoseconds.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    static func note(_ text: String) { put(Array("kvd-dump: \(text)\n".utf8), to: STDERR_FILENO) }

    static func print(_ text: String) { put(Array("\(text)\n".utf8), to: STDERR_FILENO) }

    @discardableResult
    private static func put(_ bytes: [UInt8], to descriptor: Int32) -> Output.Fate {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = write(
                    descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                if count < 0, errno == EPIPE { return .nobodyReads }
                guard count > 0 else { return .failed(count < 0 ? errno : EIO) }
                rest = rest.dropFirst(count)
            }
            return .written
        }
    }

    private static func showProgress(_ line: String) {
        // To the line's start, and what was there cleared.
        put(Array("\r\u{1b}[K\(line)".utf8), to: STDERR_FILENO)
    }

    /// Runs a command and ends the process as it went: 0, 1 for damage and failures, 2 for usage.
    static func run(
        _ body: (Output, Progress) throws(DumpError) -> Bool
    ) throws {
        // A reader that goes away is told by write itself.
        signal(SIGPIPE, SIG_IGN)
        let output = Output { put($0, to: STDOUT_FILENO) }
        let progress = Progress(isTerminal ? { showProgress($0) } : nil)
        var status: Int32 = 0
        do throws(DumpError) {
            let isWell = try body(output, progress)
            progress.end()
            output.flush()
            status = isWell || (output.isClosed && output.failure == nil) ? 0 : 1
            if let code = output.failure {
                note(
                    "standard output: \(String(cString: strerror(code))); what is there is cut off")
                status = 1
            }
        } catch {
            progress.end()
            output.flush()
            note("\(error)")
            status = error.isUsage ? 2 : 1
        }
        guard status == 0 else { throw ExitCode(status) }
    }
}
