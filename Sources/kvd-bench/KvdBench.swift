internal import ArgumentParser
internal import BenchCore

/// `kvd-bench`: loads a server that speaks the etcd v2 HTTP API and says how it did. Flags in,
/// `BenchRun` called, report out; everything else is in BenchCore.
@main
struct KvdBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-bench",
        abstract: "Load generator for the etcd v2 HTTP API (kvd, etcd 2.x, etcd 3.x --enable-v2).",
        discussion: """
            Figures count answers with status 200 and 201 only; everything else is listed as an \
            error. With --rate the load is an open loop: latency counts from the moment a request \
            was meant to be sent. Ctrl-C prints the result so far. Exit status 1: nothing \
            succeeded.
            """,
        subcommands: [
            Put.self, Get.self, QuorumGet.self, Mixed.self, Watch.self, Trivial.self,
            Compared.self,
        ])
}

struct Put: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Write keys.")
    @OptionGroup var load: LoadOptions

    func run() throws { try load.run(.put) }
}

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read keys, as the asked member has them.")
    @OptionGroup var load: LoadOptions
    @OptionGroup var preload: PreloadOptions

    func run() throws { try load.run(.get, preload: preload.preload) }
}

struct QuorumGet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "qget", abstract: "Read keys linearizably (quorum=true).")
    @OptionGroup var load: LoadOptions
    @OptionGroup var preload: PreloadOptions

    func run() throws { try load.run(.qget, preload: preload.preload) }
}

struct Mixed: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Read and write keys.")
    @OptionGroup var load: LoadOptions
    @OptionGroup var preload: PreloadOptions
    @Option(help: "Share of reads, 0 to 1.")
    var readRatio = 0.9

    func run() throws {
        try load.run(.mixed, preload: preload.preload) { $0.readRatio = readRatio }
    }
}

struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write keys and time each write until every watcher has its event.",
        discussion: "Every watcher watches all keys below the prefix.")
    @OptionGroup var load: LoadOptions
    @Option(help: "Connections that watch.")
    var watchers = 10
    @Option(help: "stream, or long-poll: ask again after each event.")
    var watchMode = BenchPlan.WatchMode.stream

    func run() throws {
        try load.run(.watch) {
            $0.watcherCount = watchers
            $0.watchMode = watchMode
            // A closed loop would fill the watchers' buffers in the server until it cuts them off.
            if $0.ratePerSecond == nil { $0.ratePerSecond = 500 }
        }
    }
}

struct Trivial: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trivial-server",
        abstract: "Answer every request with the same bytes, to measure the generator itself.")
    @Option(help: "HOST:PORT; port 0 takes a free one.")
    var listen = "127.0.0.1:0"

    func run() throws {
        let server = try explained { () throws(BenchError) in try TrivialServer(listen: listen) }
        Console.note("listening at \(server.url)")
        try explained { () throws(BenchError) in try server.run() }
    }
}

struct Compared: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compared",
        abstract: "Print the table of a comparison. (Scripts/bench compare calls this.)",
        shouldDisplay: false)
    @Argument(help: "Lines of JSON, a run each.")
    var file: String
    @Option(help: "Write everything, runs included, to this file as JSON.")
    var out: String?
    @Option(help: "What the figures were taken on, for the file.")
    var machine = ""

    func run() throws {
        let comparison = try explained { () throws(BenchError) in try Comparison(file: file) }
        print(comparison.table)
        if let out {
            try explained { () throws(BenchError) in
                try comparison.write(to: out, machine: machine)
            }
        }
    }
}

/// Turns our errors into the process's: the sentence on standard error, status 1.
func explained<Result: ~Copyable>(
    _ body: () throws(BenchError) -> Result
) throws -> Result {
    do {
        return try body()
    } catch {
        Console.note("\(error)")
        throw ExitCode.failure
    }
}
