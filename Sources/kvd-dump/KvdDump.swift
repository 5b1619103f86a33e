internal import ArgumentParser
internal import DumpCore
internal import Glibc

/// `kvd-dump`: looks into a member's files. Flags in, DumpCore called; everything else is there.
@main
struct KvdDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-dump",
        abstract: "Look into, check, back up and restore the data dirs of kvd and etcd 2.x.",
        discussion: """
            Reads only, and takes no lock: it may be used beside a running server. Exit status 0: \
            all is well; 1: damage was found, or it failed; 2: the command makes no sense.
            """,
        subcommands: [
            LogCommand.self, VerifyCommand.self, StatCommand.self, SnapshotCommand.self,
            StoreCommand.self, BackupCommand.self, RestoreCommand.self, ExportCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            // The parser's own status for wrong usage is sysexits' 64.
            guard code == .validationFailure else { exit(withError: error) }
            Console.print(fullMessage(for: error))
            Glibc.exit(2)
        }
    }
}

/// Which files are looked at.
struct DirectoryArguments: ParsableArguments {
    @Argument(help: "A data dir, its member dir, or its wal dir.")
    var directory: String
    @Option(help: "Where the log is, if --wal-dir put it elsewhere.")
    var walDir: String?
}

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wal", abstract: "Print the records of a write-ahead log.",
        discussion: """
            A line a record: segment/offset, type, size, crc, whether it is intact, and what it \
            says. Goes on behind damage. Ends with a summary.
            """)
    @OptionGroup var files: DirectoryArguments
    @Option(help: "Only entries and snapshots from this index on.")
    var fromIndex: UInt64?
    @Option(help: "Only entries and snapshots up to this index.")
    var toIndex: UInt64?
    @Option(
        help:
            "Only records of this type (repeatable): entry, state, snapshot, crc, metadata, confchange."
    )
    var type: [LogDump.RecordFilter] = []
    @Option(help: "Only records whose line or data has this text.")
    var grep: String?
    @Option(help: "Bytes of a value to show, or full.")
    var values = ByteText.Limit.bytes(40)
    @Flag(help: "One JSON object a line.")
    var json = false
    @Flag(help: "Each record's data in hex too.")
    var hex = false
    @Flag(help: "Only the summary.")
    var summary = false

    func run() throws {
        var dump = LogDump()
        (dump.directory, dump.walDirectory) = (files.directory, files.walDir)
        (dump.fromIndex, dump.toIndex) = (fromIndex, toIndex)
        (dump.types, dump.text, dump.values) = (type, grep, values)
        (dump.isJSON, dump.showsHex, dump.showsOnlySummary) = (json, hex, summary)
        try Console.run { output, progress throws(DumpError) in
            try dump.run(Console.storage, output, progress)
        }
    }
}

extension LogDump.RecordFilter: ExpressibleByArgument {}

extension ByteText.Limit: ExpressibleByArgument {
    public init?(argument: String) {
        if argument == "full" {
            self = .full
        } else if let count = Int(argument), count >= 0 {
            self = .bytes(count)
        } else {
            return nil
        }
    }

    public var defaultValueDescription: String {
        switch self {
        case .bytes(let count): "\(count)"
        case .full: "full"
        }
    }
}
