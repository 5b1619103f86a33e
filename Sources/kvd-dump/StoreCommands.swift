internal import ArgumentParser
internal import DumpCore

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snap", abstract: "Say what a snapshot is of, and list its keys.")
    @Argument(help: "A snapshot or backup file, or a data dir: all its snapshots.")
    var path: String
    @Flag(help: "List its keys: path, indices, size, expiration.")
    var keys = false
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        try Console.run { output, progress throws(DumpError) in
            try SnapshotDump.run(
                path, keys: keys, isJSON: json, Console.storage, output, progress)
        }
    }
}

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "List the store at the end of the committed log.",
        discussion: """
            From the newest whole snapshot and the log behind it. Paths are the store's: a client's \
            /a is /1/a, and /0 is the cluster's own.
            """)
    @OptionGroup var files: DirectoryArguments
    @OptionGroup var moment: MomentOptions
    @Option(help: "Only this path and what is below it.")
    var path = ""
    @Flag(help: "Values too.")
    var values = false
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        try Console.run { output, progress throws(DumpError) in
            var dump = StoreDump()
            (dump.directory, dump.walDirectory) = (files.directory, files.walDir)
            (dump.moment, dump.archive) = (try moment.moment(), moment.archive)
            (dump.path, dump.showsValues, dump.isJSON) = (path, values, json)
            return try dump.run(Console.storage, output, progress)
        }
    }
}

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write a member's store into one file.",
        discussion: """
            As of the last index that is known to be committed. Only reads the member's files, \
            which may be in use. `kvd-dump verify FILE` checks the backup, `kvd-dump restore` makes \
            a new cluster of it.
            """)
    @Option(help: "The member's data dir.")
    var dataDir: String
    @Option(help: "Where the log is, if --wal-dir put it elsewhere.")
    var walDir: String?
    @Option(name: .customLong("to"), help: "The file to write; it must not be there yet.")
    var file: String
    @OptionGroup var moment: MomentOptions
    @Flag(help: "Say what was written as one JSON object.")
    var json = false

    func run() throws {
        try Console.run { output, progress throws(DumpError) in
            var backup = Backup()
            (backup.directory, backup.walDirectory, backup.file) = (dataDir, walDir, file)
            (backup.archive, backup.moment) = (moment.archive, try moment.moment())
            (backup.now, backup.isJSON) = (Console.now, json)
            return try backup.run(Console.storage, output, progress)
        }
    }
}

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make the data dir of a new cluster's member.",
        discussion: """
            Run it once for each member, with the same --from and --initial-cluster, then start kvd \
            on each with that --data-dir and --name. The new cluster has its own ids: members of \
            the old one cannot join it by mistake. TTLs go on from the moment of the source.
            """)
    @Option(name: .customLong("from"), help: "A backup or snapshot file, or a member's data dir.")
    var source: String
    @Option(help: "Where the source's log is, if --wal-dir put it elsewhere.")
    var walDir: String?
    @OptionGroup var moment: MomentOptions
    @Option(name: .customLong("to"), help: "The new data dir; it must not be there yet.")
    var target: String
    @Option(help: "This member's name in --initial-cluster.")
    var name = "default"
    @Option(help: "All members of the new cluster: NAME=PEERURL,NAME=PEERURL,….")
    var initialCluster: String
    @Option(help: "Makes the ids of one new cluster differ from another's.")
    var initialClusterToken = "etcd-cluster"

    func run() throws {
        try Console.run { output, progress throws(DumpError) in
            var restoration = Restoration()
            (restoration.source, restoration.walDirectory) = (source, walDir)
            (restoration.archive, restoration.moment) = (moment.archive, try moment.moment())
            (restoration.target, restoration.name) = (target, name)
            restoration.initialCluster = initialCluster
            (restoration.token, restoration.now) = (initialClusterToken, Console.now)
            return try restoration.run(Console.storage, output, progress)
        }
    }
}

/// As of when.
struct MomentOptions: ParsableArguments {
    @Option(help: "As of this entry of the log.")
    var atIndex: UInt64?
    @Option(help: "As of this time: RFC 3339, or Unix seconds.")
    var atTime: String?
    @Option(help: "What --wal-archive was: closed segments of the log.")
    var archive: String?

    func moment() throws(DumpError) -> Moment { try Moment(index: atIndex, time: atTime) }
}

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Make a data dir that etcd 2.3 opens, for going back.",
        discussion: """
            Stop kvd first: what it writes later is not in the export. Then start etcd 2.3 on the \
            new dir with the flags that kvd had. Ids, members, term and vote stay.
            """)
    @Option(help: "The member's data dir.")
    var dataDir: String
    @Option(help: "Where the log is, if --wal-dir put it elsewhere.")
    var walDir: String?
    @Option(name: .customLong("to-etcd"), help: "The new data dir; it must not be there yet.")
    var target: String

    func run() throws {
        try Console.run { output, progress throws(DumpError) in
            var export = EtcdExport()
            (export.directory, export.walDirectory, export.target) = (dataDir, walDir, target)
            return try export.run(Console.storage, output, progress)
        }
    }
}
