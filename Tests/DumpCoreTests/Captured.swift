import DumpCore

/// What a command printed, and what it returned.
struct Captured {
    var text: String
    var isWell: Bool

    var lines: [Substring] { text.split(separator: "\n") }

    static func run(
        _ body: (Output, Progress) throws(DumpError) -> Bool
    ) throws(DumpError) -> Captured {
        var bytes: [UInt8] = []
        let output = Output {
            bytes += $0
            return .written
        }
        let isWell = try body(output, Progress(nil))
        output.flush()
        return Captured(text: String(decoding: bytes, as: UTF8.self), isWell: isWell)
    }
}
