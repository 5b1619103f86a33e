import Foundation

/// Text files of `Fixtures/`.
enum Fixtures {
    static func url(_ name: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures").appending(path: name)
    }

    /// The lines `input => outcome` of a file, without comments.
    static func cases(_ name: String) throws -> [(input: String, outcome: String)] {
        let text = try String(contentsOf: url(name), encoding: .utf8)
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            guard let arrow = line.range(of: " => ") else {
                preconditionFailure("\(name): no outcome in \(line)")
            }
            return (String(line[..<arrow.lowerBound]), String(line[arrow.upperBound...]))
        }
    }
}

/// xorshift64*: the same numbers on every run, whatever the toolchain.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
