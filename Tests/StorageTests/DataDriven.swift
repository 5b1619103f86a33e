import FixtureSupport
import Foundation

/// Runs text files of commands and their expected outputs.
///
///     # A comment.
///     command words key=value
///     ----
///     what it prints
///
/// `KVD_REWRITE=1 swift test` writes what was printed into the files; review that diff as code.
enum DataDriven {
    struct Command {
        var name: String
        var words: [String]
        var options: [String: String]
    }

    static func files(in folder: String) -> [String] {
        let directory = Fixture.root.appending(path: folder)
        let names = try? FileManager.default.contentsOfDirectory(
            atPath: directory.path(percentEncoded: false))
        return (names ?? []).filter { $0.hasSuffix(".txt") }.sorted()
            .map { "\(folder)/\($0)" }
    }

    /// Gives the file's text as it should be: each command with what `handle` printed.
    static func run(_ text: String, _ handle: (Command) throws -> String) rethrows -> String {
        var output: [String] = []
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while !lines.isEmpty {
            let line = lines.removeFirst()
            guard lines.first == "----" else {
                output.append(line)
                continue
            }
            lines.removeFirst()
            while let old = lines.first, !old.isEmpty {
                precondition(!old.hasPrefix("#"), "an output ends with an empty line: \(line)")
                lines.removeFirst()
            }
            let result = try handle(parse(line))
            output += [line, "----"]
            if !result.isEmpty { output += result.split(separator: "\n").map(String.init) }
        }
        return output.joined(separator: "\n")
    }

    private static func parse(_ line: String) -> Command {
        var words = line.split(separator: " ").map(String.init)
        let name = words.removeFirst()
        var options: [String: String] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { options[parts[0]] = parts[1] }
        }
        return Command(name: name, words: words.filter { !$0.contains("=") }, options: options)
    }

    static var isRewriting: Bool {
        ProcessInfo.processInfo.environment["KVD_REWRITE"] == "1"
    }

    static func rewrite(_ path: String, _ text: String) throws {
        try text.write(
            to: Fixture.root.appending(path: path), atomically: true, encoding: .utf8)
    }
}
