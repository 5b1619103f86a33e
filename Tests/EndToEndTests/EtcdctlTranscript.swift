import Foundation
import ProcessSupport

/// A session with etcdctl, and what it printed: a file in `Fixtures/etcdctl`.
///
///     # a comment
///     $ etcdctl get /nokey                 a command for the shell, and its output
///     Error:  100: Key not found (/nokey) [11]
///     exit 4                               if it is not 0
///     & name etcdctl watch /key            goes on while the next ones run
///     % name                               what it has printed meanwhile
///     value
///     exit 0                               if it has ended by itself
struct EtcdctlTranscript {
    enum Step: Equatable {
        case run(String)
        case start(name: String, String)
        case end(name: String)
    }

    struct Part {
        /// As they stand in the file, comments and empty lines too.
        var heading: [String]
        var step: Step
        var output: String
    }

    private(set) var parts: [Part] = []

    init(_ text: String) {
        var heading: [String] = []
        var output: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if let step = Self.step(line) {
                close(&output)
                parts.append(Part(heading: heading + [line], step: step, output: ""))
                heading = []
            } else if line.hasPrefix("#") || !heading.isEmpty && line.isEmpty || parts.isEmpty {
                if heading.isEmpty { close(&output) }
                heading.append(line)
            } else {
                output.append(line)
            }
        }
        close(&output)
    }

    private mutating func close(_ output: inout [String]) {
        if !parts.isEmpty, !output.isEmpty {
            parts[parts.count - 1].output = Self.trimmed(output.joined(separator: "\n"))
        }
        output = []
    }

    private static func step(_ line: String) -> Step? {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        switch words.first {
        case "$": return .run(String(line.dropFirst(2)))
        case "&" where words.count == 3: return .start(name: words[1], words[2])
        case "%" where words.count == 2: return .end(name: words[1])
        default: return nil
        }
    }

    /// The file with other outputs.
    func text(with outputs: [String]) -> String {
        var lines: [String] = []
        for (part, output) in zip(parts, outputs) {
            let isNewParagraph = part.heading.first?.hasPrefix("#") ?? false
            if isNewParagraph, lines.last?.isEmpty == false { lines.append("") }
            lines += part.heading
            if !output.isEmpty { lines += [output, ""] }
        }
        return Self.trimmed(lines.joined(separator: "\n")) + "\n"
    }

    static func trimmed(_ text: String) -> String {
        text.trimmingCharacters(in: .newlines)
    }
}

/// Runs a transcript's commands against a cluster.
final class EtcdctlSession {
    private let cluster: KvdCluster
    private let environment: [String: String]
    /// What stands in outputs instead of this run's own addresses.
    private let names: [(own: String, common: String)]
    private var running: [String: ShellCommand] = [:]

    init(_ cluster: KvdCluster, etcdctl: URL) throws {
        self.cluster = cluster
        let client = "http://127.0.0.1:\(cluster.clientPorts[0])"
        let newPorts = try FreePorts.take(2)
        environment = [
            "ETCDCTL_API": "2", "ETCDCTL_ENDPOINT": client, "CLIENT": client, "LC_ALL": "C",
            "NEW_PEER": "http://127.0.0.1:\(newPorts[0])",
            "OTHER_PEER": "http://127.0.0.1:\(newPorts[1])",
            "PATH": etcdctl.deletingLastPathComponent().path + ":/usr/bin:/bin",
        ]
        names =
            cluster.clientPorts.enumerated().map { ("127.0.0.1:\($1)", "CLIENT\($0 + 1)") }
            + cluster.peerPorts.enumerated().map { ("127.0.0.1:\($1)", "PEER\($0 + 1)") }
            + [
                ("127.0.0.1:\(newPorts[0])", "NEW_PEER"),
                ("127.0.0.1:\(newPorts[1])", "OTHER_PEER"),
            ]
    }

    /// The output of a step. What the part expects tells how much is to be waited for.
    func perform(_ part: EtcdctlTranscript.Part, isRecording: Bool) throws -> String {
        switch part.step {
        case .run(let line):
            let command = try ShellCommand(line, environment)
            try waitUntil("the end of \(line)") { !command.isRunning }
            return output(command, saysZero: false)
        case .start(let name, let line):
            let before = try watcherCount()
            // `exec`, so that what is stopped is the program, not its shell.
            let command = try ShellCommand("exec \(line)", environment)
            running[name] = command
            try waitUntil("a watch of \(line)") {
                try !command.isRunning || watcherCount() > before
            }
            return ""
        case .end(let name):
            guard let command = running.removeValue(forKey: name) else {
                throw LoopbackHTTP.Failed(description: "nothing named \(name) runs")
            }
            // What it still lacks is the difference that the test shows.
            let patience = Duration.seconds(isRecording ? 2 : 10)
            try? waitUntil("the output of \(name)", within: patience) {
                output(command, saysZero: true) == part.output
            }
            defer { command.stop() }
            return output(command, saysZero: true)
        }
    }

    private func watcherCount() throws -> Int {
        try cluster.client(0).request("GET", "/v2/stats/store").json["watchers"] as? Int ?? 0
    }

    private func output(_ command: ShellCommand, saysZero: Bool) -> String {
        var text = command.output
        for name in names { text = text.replacing(name.own, with: name.common) }
        text = text.replacing(/\b[0-9a-f]{15,16}\b/, with: "ID")
            .replacing(/"expiration":"[^"]*"/, with: "\"expiration\":\"TIME\"")
        text = EtcdctlTranscript.trimmed(text)
        guard !command.isRunning, command.status != 0 || saysZero else { return text }
        return text + (text.isEmpty ? "" : "\n") + "exit \(command.status)"
    }
}

/// A line that a shell runs, its output and errors together in a file.
private final class ShellCommand {
    private let process = Process()
    private let file: URL

    init(_ line: String, _ environment: [String: String]) throws {
        file = FileManager.default.temporaryDirectory.appending(path: "etcdctl-\(UUID())")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        let log = try FileHandle(forWritingTo: file)
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", line]
        process.environment = environment
        process.standardOutput = log
        process.standardError = log
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: file)
    }

    var isRunning: Bool { process.isRunning }
    var status: Int32 { process.terminationStatus }
    var output: String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }

    func stop() {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }
}
