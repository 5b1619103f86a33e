import Configuration
import Foundation

/// One case of `Fixtures/cli/*.txt`:
///
///     == what it shows
///     args --name m1 --data-dir 'a b'     words, quotes as in a shell; none: no arguments
///     env KVD_NAME=m2                     one a line
///     etc NAME=VALUE                      a line of /etc/environment
///     interface eth0 10.0.0.5             one that the machine has
///     route eth0                          it has the default route
///     lives DIR                           a member's data dir
///     exit 2                              it exits so; without this line, a server is started
///     stdout usage                        usage, version or help; none: nothing
///     stderr TEXT                         all of them, in order
///     log LEVEL | PACKAGE: TEXT           all of them, in order
///     FIELD = VALUE                       of the configuration, as `fields(of:)` writes it
///     start LEVEL | PACKAGE: TEXT         all findings about the whole, or `start ok`
struct CommandLineCase: CustomStringConvertible, Sendable {
    var title: String
    var file: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var environmentFile = ""
    var interfaces: [String: String] = [:]
    var defaultInterface: String?
    var livingDirectory: String?
    var exitCode: Int32?
    var standardOutput = ""
    var standardError: [String] = []
    var log: [String] = []
    var fields: [(name: String, value: String)] = []
    var start: [String]?

    var description: String { "\(file): \(title)" }

    var machine: Machine {
        let (interfaces, route, living) = (interfaces, defaultInterface, livingDirectory)
        return Machine(
            environmentFile: Machine.parse(environmentFile: environmentFile),
            defaultInterface: { route }, address: { interfaces[$0] },
            holdsMember: { directory, _ in directory == living },
            resolve: { $0 == "localhost" ? "127.0.0.1" : nil })
    }

    struct BadFixture: Error {
        let file: String
        let line: String
    }

    static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/cli")

    static func all() throws -> [CommandLineCase] {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return try files.filter { $0.hasSuffix(".txt") }.sorted().flatMap(read)
    }

    private static func read(_ file: String) throws -> [CommandLineCase] {
        let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
        var cases: [CommandLineCase] = []
        for line in text.split(separator: "\n").map(String.init) where !line.hasPrefix("#") {
            if line.hasPrefix("== ") {
                cases.append(CommandLineCase(title: String(line.dropFirst(3)), file: file))
                continue
            }
            guard !cases.isEmpty else { throw BadFixture(file: file, line: line) }
            try cases[cases.count - 1].take(line)
        }
        return cases
    }

    private mutating func take(_ line: String) throws {
        let space = line.firstIndex(of: " ") ?? line.endIndex
        let rest = String(line[space...].dropFirst())
        switch line[..<space] {
        case "args": arguments += Self.words(rest)
        case "env":
            let parts = rest.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            environment[String(parts[0])] = String(parts[1])
        case "etc": environmentFile += rest + "\n"
        case "interface":
            let parts = rest.split(separator: " ").map(String.init)
            interfaces[parts[0]] = parts[1]
        case "route": defaultInterface = rest
        case "lives": livingDirectory = rest
        case "exit": exitCode = Int32(rest)
        case "stdout": standardOutput = rest
        case "stderr": standardError.append(rest)
        case "log": log.append(rest)
        case "start": start = (start ?? []) + (rest == "ok" ? [] : [rest])
        case let field where rest.hasPrefix("= ") || rest == "=":
            fields.append((String(field), String(rest.dropFirst(2))))
        default: throw BadFixture(file: file, line: line)
        }
    }

    /// Splits at spaces; single and double quotes keep them.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil } else { word?.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let done = word { words.append(done) }
        return words
    }
}
