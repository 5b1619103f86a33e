import Foundation
import Logs

/// A real pipe: log lines in at one end, their text out at the other.
final class LogPipe {
    private let pipe = Pipe()

    var sink: LogSink { LogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor) }

    /// Closes the writing end and returns what was written, line by line, newlines kept.
    func lines() throws -> [String] {
        try pipe.fileHandleForWriting.close()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        return String(decoding: data, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false
        ).dropLast().map(String.init)
    }

    /// The lines without their times.
    func texts() throws -> [String] {
        try lines().map { String($0.dropFirst("2026-11-23 09:54:22.498023 ".count)) }
    }
}
