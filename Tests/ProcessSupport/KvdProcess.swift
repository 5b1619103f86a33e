package import Foundation
import Synchronization

/// A running `kvd` (or any server with its flags), killed with its owner.
package final class KvdProcess {
    package let arguments: [String]
    package let clientPort: Int
    package let logPath: String
    private let process = Process()
    /// Those of this process that nobody has seen the end of.
    private static let running = Mutex<Set<Int32>>([])

    /// Starts it and returns at once.
    package init(
        executable: URL = ProcessSupport.executable("kvd"), arguments: [String], clientPort: Int,
        logPath: String, environment: [String: String] = [:]
    ) throws {
        self.arguments = arguments
        self.clientPort = clientPort
        self.logPath = logPath
        _ = FileManager.default.createFile(atPath: logPath, contents: nil)
        guard let log = FileHandle(forWritingAtPath: logPath) else {
            throw LoopbackHTTP.Failed(description: "cannot write \(logPath)")
        }
        process.executableURL = executable
        process.arguments = arguments
        process.standardOutput = log
        process.standardError = log
        process.standardInput = FileHandle.nullDevice
        process.environment = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("ETCD_") && !$0.key.hasPrefix("KVD_") }
            .merging(environment) { $1 }
        try process.run()
        Self.running.withLock { _ = $0.insert(process.processIdentifier) }
    }

    /// kill -9 to all: for an end that comes from outside.
    static func killAll() {
        for id in running.withLock({ $0 }) { _ = Foundation.kill(id, SIGKILL) }
    }

    deinit {
        // One that could not be started has no end to wait for.
        guard process.processIdentifier > 0 else { return }
        kill(SIGKILL)
        wait()
    }

    package var isRunning: Bool { process.isRunning }
    package var processID: Int32 { process.processIdentifier }
    package var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    package func kill(_ signal: Int32) {
        if process.isRunning { Foundation.kill(process.processIdentifier, signal) }
    }

    /// Waits for its end; the exit code, or minus the signal that ended it.
    @discardableResult
    package func wait() -> Int32 {
        process.waitUntilExit()
        Self.running.withLock { _ = $0.remove(process.processIdentifier) }
        let status = process.terminationStatus
        return process.terminationReason == .uncaughtSignal ? -status : status
    }

    /// Waits until it answers a write, which takes a leader.
    package func waitReady(within timeout: Duration = .seconds(30)) throws {
        try waitUntil(
            "\(arguments.joined(separator: " ")) ready; its log:\n\(log)", within: timeout
        ) {
            guard isRunning else {
                throw LoopbackHTTP.Failed(description: "kvd has ended; its log:\n\(log)")
            }
            guard let client = try? LoopbackHTTP(port: clientPort, timeout: .seconds(10)),
                let answer = try? client.request("PUT", "/v2/keys/_ready", form: "value=1")
            else { return false }
            return answer.status == 200 || answer.status == 201
        }
    }
}

/// The members of one cluster on this machine, each startable by its number.
package final class KvdCluster {
    package let folder: TemporaryFolder
    package let clientPorts: [Int]
    package let peerPorts: [Int]
    package private(set) var members: [KvdProcess?]
    private let namePrefix: String
    private let extra: [String]
    private let executable: URL

    /// Nothing runs yet. Timeouts are short, so that elections take a fifth of a second.
    package init(
        size: Int, namePrefix: String = "m",
        extra: [String] = ["--heartbeat-interval", "20", "--election-timeout", "200"],
        executable: URL = ProcessSupport.executable("kvd")
    ) throws {
        folder = try TemporaryFolder()
        let ports = try FreePorts.take(2 * size)
        clientPorts = Array(ports[..<size])
        peerPorts = Array(ports[size...])
        members = Array(repeating: nil, count: size)
        self.namePrefix = namePrefix
        self.extra = extra
        self.executable = executable
    }

    package func start(_ n: Int, adding more: [String] = []) throws {
        let names = peerPorts.indices.map {
            "\(namePrefix)\($0 + 1)=http://127.0.0.1:\(peerPorts[$0])"
        }
        let client = "http://127.0.0.1:\(clientPorts[n])"
        let peer = "http://127.0.0.1:\(peerPorts[n])"
        members[n] = try KvdProcess(
            executable: executable,
            arguments: [
                "--name", "\(namePrefix)\(n + 1)", "--data-dir", folder.path("m\(n + 1).etcd"),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", names.joined(separator: ","),
            ] + extra + more,
            clientPort: clientPorts[n], logPath: folder.path("m\(n + 1).log"))
    }

    package func startAll() throws {
        for n in members.indices { try start(n) }
    }

    package func waitReady(within timeout: Duration = .seconds(30)) throws {
        for member in members { try member?.waitReady(within: timeout) }
    }

    /// Says in its error why a member is not there, if it has ended.
    package func client(_ n: Int) throws -> LoopbackHTTP {
        do { return try LoopbackHTTP(port: clientPorts[n]) } catch {
            guard let member = members[n], !member.isRunning else { throw error }
            throw LoopbackHTTP.Failed(
                description: "member \(n) has ended, \(member.wait()); its log:\n\(member.log)")
        }
    }

    /// kill -9, and waits for its end.
    package func killNine(_ n: Int) {
        members[n]?.kill(SIGKILL)
        members[n]?.wait()
        members[n] = nil
    }
}

/// Ports that nothing listens on.
///
/// Below those that the system gives to connections by itself: a member that is killed finds its port
/// again, however many connections were made in the meantime. And above 20999, which a recording adds to
/// a member's URLs: they are sorted.
package enum FreePorts {
    /// Given out before, by this process.
    private static let taken = Mutex<Set<Int>>([])

    /// Finds `count` different ports, and lets go of them.
    package static func take(_ count: Int) throws -> [Int] {
        let range = 21_000..<max(31_000, firstOfConnections)
        return try taken.withLock { taken in
            var ports: [Int] = []
            // A machine on which so many are taken has another trouble.
            for _ in 0..<10_000 where ports.count < count {
                let port = Int.random(in: range)
                guard !taken.contains(port), canListen(on: port) else { continue }
                taken.insert(port)
                ports.append(port)
            }
            guard ports.count == count else {
                throw LoopbackHTTP.Failed(description: "no free port")
            }
            return ports
        }
    }

    private static let firstOfConnections: Int = {
        let text = try? String(
            contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
        return text?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
    }()

    private static func canListen(on port: Int) -> Bool {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        return LoopbackAddress.with(port: port) { bind(socket, $0, $1) == 0 }
    }
}
