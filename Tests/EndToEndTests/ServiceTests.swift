import Foundation
import ProcessSupport
import Testing

/// What systemd is told, over a socket of its kind.
@Suite(.serialized) struct ServiceTests {
    @Test(arguments: [false, true])
    func readyWhenAMemberStatusWatchdogAndStopping(isAbstract: Bool) throws {
        let folder = try TemporaryFolder()
        let path = isAbstract ? "@kvd-test-\(UUID().uuidString)" : folder.path("notify")
        let socket = try NotifySocket(path)
        let member = try Member(folder, environment: ["NOTIFY_SOCKET": path])
        let ready = try socket.wait(for: "READY=1")
        #expect(ready.contains("STATUS=Member "), "\(ready)")
        // Ready is who has joined: who answers writes and is listed with its name.
        let list = try LoopbackHTTP(port: member.ports[0]).request("GET", "/v2/members").text
        #expect(list.contains(#""name":"m1""#))
        #expect(ready.contains("leads at term"), "\(ready)")
        #expect(!socket.seen.contains { $0.contains("WATCHDOG") }, "nobody asked for it")
        member.process.kill(SIGTERM)
        #expect(try socket.wait(for: "STOPPING=1").contains("STATUS=Stopping"))
        #expect(member.process.wait() == -SIGTERM)
    }

    /// A process that stands still says nothing, and goes on when it goes on.
    @Test func theWatchdogIsFedByTheLoop() throws {
        let folder = try TemporaryFolder()
        let socket = try NotifySocket(folder.path("notify"))
        let member = try Member(
            folder,
            environment: ["NOTIFY_SOCKET": folder.path("notify"), "WATCHDOG_USEC": "100000"])
        for _ in 0..<5 { _ = try socket.wait(for: "WATCHDOG=1") }
        member.process.kill(SIGSTOP)
        socket.drain()
        #expect(!socket.receives(withinMilliseconds: 500))
        member.process.kill(SIGCONT)
        _ = try socket.wait(for: "WATCHDOG=1")
    }

    @Test func aWatchdogOfAnotherProcessIsNotFed() throws {
        let folder = try TemporaryFolder()
        let socket = try NotifySocket(folder.path("notify"))
        let member = try Member(
            folder,
            environment: [
                "NOTIFY_SOCKET": folder.path("notify"), "WATCHDOG_USEC": "1000",
                "WATCHDOG_PID": "1",
            ])
        _ = try socket.wait(for: "leads at term")
        #expect(!socket.seen.contains { $0.contains("WATCHDOG") })
        withExtendedLifetime(member) {}
    }

    /// One of three waits for another, and is not ready before.
    @Test func notReadyWithoutAQuorum() throws {
        let folder = try TemporaryFolder()
        let socket = try NotifySocket(folder.path("notify"))
        let ports = try FreePorts.take(2)
        let others = ports.enumerated().map { "o\($0)=http://127.0.0.1:\($1)" }
        let member = try Member(
            folder, environment: ["NOTIFY_SOCKET": folder.path("notify")], others: others)
        _ = try socket.wait(for: "waiting for a leader")
        #expect(!socket.seen.contains { $0.contains("READY") })
        withExtendedLifetime(member) {}
    }

    /// The unit and the drop-in that cloud-config writes hold no variable that kvd does not know, and
    /// start what they say.
    @Test func theUnitsVariablesAreKnown() throws {
        let folder = ProcessSupport.packageFolder.appendingPathComponent("Scripts/systemd")
        var environment: [String: String] = [:]
        for file in ["etcd2.service", "20-cloudinit.conf"] {
            let text = try String(
                contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            for line in text.split(separator: "\n") where line.hasPrefix("Environment=") {
                let setting = line.dropFirst("Environment=".count).trimmingCharacters(
                    in: CharacterSet(charactersIn: "\""))
                let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
                environment[parts[0]] = parts[1].replacingOccurrences(of: "%m", with: "0123")
            }
        }
        #expect(environment.count >= 8)
        environment["COREOS_PRIVATE_IPV4"] = "10.0.0.5"
        environment["COREOS_PUBLIC_IPV4"] = "203.0.113.5"
        let temporary = try TemporaryFolder()
        let process = try KvdProcess(
            arguments: ["--check"], clientPort: 0, logPath: temporary.path("log"),
            environment: environment)
        #expect(process.wait() == 0, "\(process.log)")
        #expect(!process.log.contains("unrecognized"), "\(process.log)")
        #expect(process.log.contains("nothing is wrong with them"), "\(process.log)")
    }

    private final class Member {
        let ports: [Int]
        let process: KvdProcess

        init(_ folder: TemporaryFolder, environment: [String: String], others: [String] = []) throws
        {
            ports = try FreePorts.take(2)
            let (client, peer) = (
                "http://127.0.0.1:\(ports[0])", "http://127.0.0.1:\(ports[1])"
            )
            process = try KvdProcess(
                arguments: [
                    "--name", "m1", "--data-dir", folder.path("m1.etcd"),
                    "--listen-client-urls", client, "--advertise-client-urls", client,
                    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                    "--initial-cluster", (["m1=\(peer)"] + others).joined(separator: ","),
                    "--heartbeat-interval", "20", "--election-timeout", "200",
                ], clientPort: ports[0], logPath: folder.path("m1.log"), environment: environment)
        }
    }
}

/// The receiving end: a datagram socket, bound to a path or, after `@`, to an abstract name.
private final class NotifySocket {
    private let socket: Int32
    /// All that came, in order.
    private(set) var seen: [String] = []

    init(_ path: String) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var name = Array(path.utf8)
        if name[0] == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
        let address = withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + name
        let status = address.withUnsafeBytes {
            bind(
                socket, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                socklen_t(address.count))
        }
        guard status == 0 else { throw LoopbackHTTP.Failed(description: "bind: errno \(errno)") }
    }

    deinit { close(socket) }

    /// The first datagram from here on that has `text` in it.
    func wait(for text: String) throws -> String {
        var found: String?
        try waitUntil("a note with \(text); there were \(seen)") {
            while let note = receive() {
                seen.append(note)
                if note.contains(text) {
                    found = note
                    return true
                }
            }
            return false
        }
        return try #require(found)
    }

    func drain() { while receives(withinMilliseconds: 50) { _ = receive() } }

    func receives(withinMilliseconds timeout: Int32) -> Bool {
        var poll = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, timeout) == 1
    }

    private func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
