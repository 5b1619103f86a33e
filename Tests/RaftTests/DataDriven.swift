import Foundation
import Testing

/// Tests whose cases are text files: commands in, everything that follows out.
///
///     # What the file proves, and why its outputs are right.
///     command            one or more lines
///     ----
///     output             none or more lines, ended by an empty one
///
/// `KVD_REWRITE=1` replaces the outputs by what the code says now; that diff is reviewed like code.
enum DataDriven {
    struct Block {
        var comments: [String] = []
        var commands: [String] = []
        var output: [String] = []
        var line: Int
    }

    struct BadFile: Error, CustomStringConvertible {
        var description: String
    }

    static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/raft")

    static let isRewriting = ProcessInfo.processInfo.environment["KVD_REWRITE"] == "1"

    static func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".txt") }.sorted()
    }

    /// Runs every block of a file, and compares or rewrites its output.
    static func run(_ file: String, _ handle: (String) throws -> [String]) throws {
        let url = folder.appending(path: file)
        var blocks = try read(String(contentsOf: url, encoding: .utf8), file)
        for i in blocks.indices {
            var output: [String] = []
            for command in blocks[i].commands {
                do { output += try handle(command) } catch {
                    throw BadFile(description: "\(file):\(blocks[i].line): \(command): \(error)")
                }
            }
            if !isRewriting {
                #expect(
                    output == blocks[i].output,
                    "\(file):\(blocks[i].line): \(blocks[i].commands.joined(separator: "; "))")
            }
            blocks[i].output = output
        }
        guard isRewriting else { return }
        let text = blocks.map { block in
            (block.comments + block.commands + ["----"] + block.output).joined(separator: "\n")
        }
        try Data((text.joined(separator: "\n\n") + "\n").utf8).write(to: url)
    }

    private static func read(_ text: String, _ file: String) throws -> [Block] {
        var blocks: [Block] = []
        var block: Block?
        var isInOutput = false
        for (number, part) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = String(part)
            if line.isEmpty {
                if let block, isInOutput { blocks.append(block) }
                if isInOutput { (block, isInOutput) = (nil, false) }
                continue
            }
            if block == nil { block = Block(line: number + 1) }
            if isInOutput {
                block?.output.append(line)
            } else if line == "----" {
                isInOutput = true
            } else if line.hasPrefix("#") {
                block?.comments.append(line)
            } else {
                block?.commands.append(line)
            }
        }
        if let block, isInOutput { blocks.append(block) }
        guard let first = blocks.first?.comments.first, first.hasPrefix("# ") else {
            throw BadFile(description: "\(file) does not begin with what it proves")
        }
        return blocks
    }
}
