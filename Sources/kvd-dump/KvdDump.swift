/// Looks into data dirs, kvd's and etcd's, and makes backups, restores and exports of them: command
/// line in, `DumpCore` does the work. Exit codes: 0 all is well, 1 damage or failure, 2 usage.
import ArgumentParser
import DumpCore
import Glibc
import StateFiles

@main
struct KvdDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-dump",
        abstract: "Looks into data dirs of kvd and etcd 2.x; backs up, restores, exports.",
        discussion: """
            Reads the files of running servers too, and writes none of them. PATH is a data dir (what \
            --data-dir of the server names), its member, wal or snap directory, or a file in them.
            """,
        subcommands: [
            WAL.self, Verify.self, Stat.self, Snap.self, StoreCommand.self, BackupCommand.self,
            RestoreCommand.self, ExportCommand.self,
        ])

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as DumpError {
            complain("\(error)")
            Glibc.exit(1)
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if code.isSuccess {
                print(text)
                Glibc.exit(0)
            }
            complain(text)
            Glibc.exit(2)
        }
    }

    private static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

struct WAL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wal", abstract: "Prints the records of a log, and what they add up to.")

    @Argument(help: "A data dir, or its wal directory.") var path: String
    @Option(help: "Only entries from this index on.") var fromIndex: UInt64?
    @Option(help: "Only entries up to this index.") var toIndex: UInt64?
    @Option(
        help: "Only these: metadata, entry, confchange, state, crc, snapshot. May be repeated.")
    var type: [LogKind] = []
    @Option(help: "Only those with this text in path or value.") var grep: String?
    @Option(help: "Bytes of a value that are shown, or full.") var values = ValueLimit.short
    @Option(help: "A --wal-archive directory with segments that have left the log.")
    var archive: String?
    @Flag(help: "One JSON object a line.") var json = false
    @Flag(help: "The records' bytes too.") var hex = false
    @Flag(help: "Only what they add up to.") var summary = false

    func run() throws {
        var options = LogDump.Options()
        (options.fromIndex, options.toIndex) = (fromIndex, toIndex)
        options.kinds = Set(type)
        options.grep = grep.map { Array($0.utf8) }
        (options.isJSON, options.isHex, options.isSummaryOnly) = (json, hex, summary)
        options.valueBytes = values.bytes
        options.archive = archive
        let output = Output()
        let isWhole = try LogDump.run(path, options, output)
        output.flush()
        if !isWhole { throw ExitCode(1) }
    }
}

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Reads every byte of every file; exit 1 on damage.")

    @Argument(help: "A data dir, a part of one, a segment, a snapshot or a backup.")
    var path: String

    func run() throws {
        let output = Output()
        let isWhole = try Verification.run(path, output)
        output.flush()
        if !isWhole { throw ExitCode(1) }
    }
}

struct Stat: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat", abstract: "Whose data dir it is, and what a start would do.")

    @Argument(help: "A data dir.") var path: String

    func run() throws {
        let output = Output()
        try Statistics.run(path, output)
        output.flush()
    }
}

struct Snap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snap", abstract: "What a snapshot holds.")

    @Argument(help: "A .ksnap or .snap file, a backup, or a data dir: its newest.")
    var path: String
    @Flag(help: "Its keys too.") var keys = false
    @Flag(help: "With their values.") var values = false
    @Flag(help: "Keys as JSON, one object a line.") var json = false

    func run() throws {
        var options = StoreDump.Options()
        (options.showsKeys, options.showsValues, options.isJSON) = (keys || values, values, json)
        let output = Output()
        try StoreDump.snapshot(path, options, output)
        output.flush()
    }
}

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The keys of a member, now or at an earlier index or time.")

    @Argument(help: "A data dir.") var path: String
    @OptionGroup var moment: Moment
    @Option(name: .customLong("path"), help: "Only what is at or below this key.")
    var prefix: String?
    @Flag(help: "With their values.") var values = false
    @Flag(help: "As JSON, one object a line.") var json = false

    func run() throws {
        var options = StoreDump.Options()
        (options.prefix, options.showsValues, options.isJSON) = (prefix, values, json)
        let output = Output()
        try StoreDump.store(
            path, at: moment.limit, archive: moment.archive, options, output)
        output.flush()
    }
}

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Writes a member's state into one file.")

    @Option(help: "The data dir of a running or stopped member.") var dataDir: String
    @Option(help: "The file to be made.") var to: String
    @OptionGroup var moment: Moment

    func run() throws {
        let output = Output()
        try Backup.run(
            dataDir: dataDir, to: to, until: moment.limit, archive: moment.archive, output)
        output.flush()
    }
}

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Makes the data dir of a member of a new cluster from a backup or a data dir.",
        discussion: "Run it once for each member, with the same --initial-cluster and source.")

    @Option(help: "A backup, a snapshot file, or a data dir.") var from: String
    @Option(help: "The data dir to be made.") var to: String
    @Option(help: "This member's name.") var name = "default"
    @Option(help: "The new cluster's members, NAME=URL,…, as for the server.")
    var initialCluster: String
    @Option(help: "Keeps clusters apart that are formed with the same URLs.")
    var initialClusterToken = "etcd-cluster"
    @OptionGroup var moment: Moment

    func run() throws {
        let output = Output()
        try Restore.run(
            from: from, archive: moment.archive, until: moment.limit,
            Restore.Target(
                dataDir: to, name: name, initialCluster: initialCluster,
                token: initialClusterToken),
            output)
        output.flush()
    }
}

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a data dir that a real etcd 2.3 opens.")

    @Option(help: "The data dir of a stopped member.") var dataDir: String
    @Option(help: "The data dir to be made for etcd.") var toEtcd: String

    func run() throws {
        let output = Output()
        try Export.run(dataDir: dataDir, toEtcd: toEtcd, output)
        output.flush()
    }
}

/// As of when.
struct Moment: ParsableArguments {
    @Option(help: "As of this index of the log.") var atIndex: UInt64?
    @Option(help: "As of this time of the cluster's clock: RFC 3339, or Unix seconds.")
    var atTime: TimeOfDay?
    @Option(help: "A --wal-archive directory with segments that have left the log.")
    var archive: String?

    func validate() throws {
        if atIndex != nil, atTime != nil {
            throw ValidationError(
                "--at-index and --at-time are two ways to say one thing: give one.")
        }
    }

    var limit: StateReplay.Limit {
        if let atIndex { return .index(atIndex) }
        if let atTime { return .time(atTime.nanoseconds) }
        return .committed
    }
}
