internal import ArgumentParser
internal import DumpCore

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read every byte and say whether it is what was written.",
        discussion: """
            A line a file: the log's segments, snapshots (their keys hashed anew), the vote record \
            and the mark. Exit status 1: something is damaged.
            """)
    @Argument(help: "A data dir, its member dir, its wal dir, or one snapshot file.")
    var path: String
    @Option(help: "Where the log is, if --wal-dir put it elsewhere.")
    var walDir: String?

    func run() throws {
        try Console.run { output, progress throws(DumpError) in
            try Verification.run(path, wal: walDir, Console.storage, output, progress)
        }
    }
}

struct StatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Say whose files these are, how far they go, what a start does.")
    @OptionGroup var files: DirectoryArguments
    @Flag(help: "As one JSON object.")
    var json = false

    func run() throws {
        try Console.run { output, progress throws(DumpError) in
            try MemberReport.run(
                files.directory, wal: files.walDir, isJSON: json, Console.storage, output, progress)
        }
    }
}
