/// The server: flags in, parts wired, nothing else.
///
///     Kvd        reads flags and environment, logs what they say, starts a `Server`, waits for a signal
///     Server     starts and stops the parts in order: listeners, data dir, engine, peers, clients
///     Boot       a data dir's two beginnings: a new member, or the one that lives in it
///     EngineHost the engine's owner on its event loop: pumps it, and carries its effects out
///     StopSignals  SIGTERM and SIGINT
///
/// Everything of a node runs on one event loop but the log's writer, which has a thread of its own.
import Configuration
import Glibc
import Logging
import Logs

@main
enum Kvd {
    static func main() {
        StopSignals.block()
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch Configuration.read(arguments: arguments, environment: environment()) {
        case .exit(let report): end(report)
        case .run(let configuration): run(configuration)
        }
    }

    private static func run(_ configuration: ServerConfiguration) -> Never {
        Logs.bootstrap()
        let log = Logger(label: "etcdmain")
        let warning = LogLevels.shared.configure(
            isDebug: configuration.isDebugLogging, packageLevels: configuration.logPackageLevels)
        if let warning { log.warning("\(warning)") }
        write(configuration.startNotes)
        let unbuilt = configuration.faultsOfUnbuiltFeatures
        guard unbuilt.isEmpty else {
            write(unbuilt.flatMap(\.notes))
            exit(1)
        }
        let started = StartedServer()
        StopSignals.watch(log: log) { signal in started.stop(by: signal) }
        let server: Server
        do {
            server = try Server.start(configuration)
        } catch {
            write(error.notes)
            exit(1)
        }
        started.set(server)
        switch server.waitForEnd() {
        case .signal(let signal): StopSignals.die(by: signal)
        case .removed: exit(0)
        case .failed: exit(1)
        }
    }

    private static func end(_ report: ExitReport) -> Never {
        print(report.standardOutput, terminator: "")
        for line in report.standardErrorLines {
            LogSink.standardError.write(Array((line + "\n").utf8))
        }
        if !report.notes.isEmpty {
            Logs.bootstrap()
            write(report.notes)
        }
        exit(report.code)
    }

    static func write(_ notes: [ConfigurationNote]) {
        for note in notes {
            Logger(label: note.package).log(level: note.level.logLevel, "\(note.text)")
        }
    }

    private static func environment() -> [String: String] {
        var result: [String: String] = [:]
        var cursor = environ
        while let entry = cursor.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            cursor += 1
        }
        return result
    }
}

extension ConfigurationNote.Level {
    var logLevel: Logger.Level {
        switch self {
        case .critical: .critical
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        case .info: .info
        }
    }
}
