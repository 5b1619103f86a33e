import Foundation

/// What a process takes of the machine, as the kernel counts it.
package struct Footprint: Sendable, Equatable {
    package var residentBytes = 0
    package var descriptorCount = 0
    package var threadCount = 0

    package init() {}

    /// Throws if there is no such process.
    package init(of process: Int32) throws {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        for line in status.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            switch words.first {
            case "VmRSS:": residentBytes = (Int(words[1]) ?? 0) * 1024
            case "Threads:": threadCount = Int(words[1]) ?? 0
            default: break
            }
        }
        descriptorCount =
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }
}
