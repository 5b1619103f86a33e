/// The server: flags in, parts wired, nothing else.
///
///     Kvd        reads flags and environment, logs what they say, starts a `Server`, waits for a signal
///     Server     starts and stops the parts in order: listeners, data dir, engine, peers, clients
///     ProxyReason, ProxyHost, ProxyPlace  with --proxy, in the place of all that follows
///     Boot       a data dir's two beginnings: a new member, or the one that lives in it
///     EngineHost the engine's owner on its event loop: pumps it, and carries its effects out
///     FirstMembers  who the members of a new cluster are: flags, discovery or DNS
///     PeerInquiry  what a new member asks of the others before its first start
///     ServerSecurity  TLS of both ports: certificates, and taking up new ones
///     MemoryTrimmer  gives freed memory back to the system
///     StopSignals  SIGTERM and SIGINT, and SIGHUP where there are certificates
///     ServiceManager, ServiceReport  what systemd is told
///
/// Everything of a node runs on one event loop but the log's writer, which has a thread of its own.
import Configuration
import Glibc
import Logging
import Logs
import Storage
import StorageIO

@main
enum Kvd {
    static func main() {
        StopSignals.block()
        Heap.shareArenas(among: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let arguments = Array(CommandLine.arguments.dropFirst())
        let machine = Machine.system { dataDirectory, walDirectory in
            DataDirectory.holdsWAL(dataDirectory, storage: PosixStorage(), walPath: walDirectory)
        }
        let result = Configuration.read(
            arguments: arguments, environment: environment(), machine: machine)
        switch result {
        case .exit(let report): end(report)
        case .run(let configuration): run(configuration, machine)
        }
    }

    private static func run(_ asked: ServerConfiguration, _ machine: Machine) -> Never {
        var configuration = asked
        Logs.bootstrap()
        let log = Logger(label: "etcdmain")
        let warning = LogLevels.shared.configure(
            isDebug: configuration.isDebugLogging, packageLevels: configuration.logPackageLevels)
        if let warning { log.warning("\(warning)") }
        write(configuration.isCheckOnly ? configuration.notes : configuration.startNotes)
        var notes: [ConfigurationNote] = []
        let reason = ProxyReason.find(&configuration, machine, &notes)
        write(notes)
        var findings = configuration.findings(machine)
        findings.faults = configuration.faultsOfUnbuiltFeatures + findings.faults
        let security = ServerSecurity.load(configuration, machine, &findings)
        write(findings.notes)
        guard findings.faults.isEmpty else { exit(1) }
        if configuration.isCheckOnly {
            print("kvd would start with these flags and variables: nothing is wrong with them")
            exit(0)
        }
        write(configuration.tlsNotes)
        let started = StartedServer()
        var hangup: (@Sendable () -> Void)?
        if security.isUsed {
            StopSignals.block(SIGHUP)
            hangup = { security.reload() }
        }
        StopSignals.watch(log: log, hangup: hangup) { signal in started.stop(by: signal) }
        let end: Server.End
        do throws(StartFailure) {
            end = try serve(configuration, reason, security, started)
        } catch {
            write(error.notes)
            exit(1)
        }
        Logs.flush()
        switch end {
        case .signal(let signal): StopSignals.die(by: signal)
        case .removed: exit(0)
        case .failed: exit(1)
        }
    }

    /// Starts what the configuration asks for, and waits for its end.
    private static func serve(
        _ configuration: ServerConfiguration, _ reason: ProxyReason?,
        _ security: ServerSecurity, _ started: StartedServer
    ) throws(StartFailure) -> Server.End {
        let manager = ServiceManager(environment: environment())
        if let reason {
            return try serveProxy(configuration, reason, security, manager, started)
        }
        do throws(StartFailure) {
            let server = try Server.start(configuration, security, manager)
            started.set { server.stop(.signal($0)) }
            return server.waitForEnd()
        } catch {
            guard let peers = error.fallback else { throw error }
            write(error.notes)
            return try serveProxy(
                configuration, .clusterFull(peers), security, manager, started)
        }
    }

    private static func serveProxy(
        _ configuration: ServerConfiguration, _ reason: ProxyReason,
        _ security: ServerSecurity, _ manager: ServiceManager?, _ started: StartedServer
    ) throws(StartFailure) -> Server.End {
        let proxy = try ProxyHost.start(configuration, reason, security, manager)
        started.set { proxy.stop(.signal($0)) }
        return proxy.waitForEnd()
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
