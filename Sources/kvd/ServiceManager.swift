import Glibc
import Logging
import NIOCore

/// systemd, as a unit of `Type=notify` tells it what becomes of the server. See sd_notify(3).
///
/// Each note is one datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names, by its
/// path or, after an `@`, in the abstract namespace. Any thread; nothing here blocks.
struct ServiceManager: Sendable {
    private let socket: Int32
    private let address: [UInt8]
    /// Nanoseconds, after which systemd restarts a server that has not sent `WATCHDOG=1`; nil: it
    /// does not watch.
    let watchdogNanoseconds: Int64?

    /// Nil: nobody has asked to be told.
    init?(environment: [String: String]) {
        guard let path = environment["NOTIFY_SOCKET"], !path.isEmpty else { return nil }
        guard let address = Self.address(path) else {
            Logger(label: "etcdmain").warning(
                "NOTIFY_SOCKET=\(path) is no path or name of a Unix socket: systemd is told nothing"
            )
            return nil
        }
        let socket = Glibc.socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard socket >= 0 else {
            Logger(label: "etcdmain").warning("no socket to systemd: errno \(errno)")
            return nil
        }
        self.socket = socket
        self.address = address
        watchdogNanoseconds = Self.watchdog(environment)
    }

    /// `WATCHDOG_PID`, if it is there, says whom the watchdog is for.
    private static func watchdog(_ environment: [String: String]) -> Int64? {
        if let text = environment["WATCHDOG_PID"], Int32(text) != getpid() { return nil }
        guard let microseconds = environment["WATCHDOG_USEC"].flatMap(Int64.init),
            microseconds > 0, microseconds < Int64.max / 1000
        else { return nil }
        return microseconds * 1000
    }

    /// A `sockaddr_un`: the family, then the path, or a zero and the name.
    private static func address(_ path: String) -> [UInt8]? {
        guard path.hasPrefix("/") || path.hasPrefix("@") else { return nil }
        let room = MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size
        var name = Array(path.utf8)
        if name[0] == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
        guard name.count > 1, name.count <= room else { return nil }
        return withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + name
    }

    /// Proves from now on that `loop` turns, if systemd watches: one that is stuck says nothing, and is
    /// restarted.
    func prove(_ loop: any EventLoop) -> RepeatedTask? {
        guard let nanoseconds = watchdogNanoseconds else { return nil }
        let half = TimeAmount.nanoseconds(max(1, nanoseconds / 2))
        return loop.scheduleRepeatedTask(initialDelay: .zero, delay: half) { _ in
            tell("WATCHDOG=1")
        }
    }

    /// Sends lines; returns whether they went.
    @discardableResult
    func tell(_ lines: String...) -> Bool {
        let text = Array(lines.joined(separator: "\n").utf8)
        let sent = address.withUnsafeBytes { address in
            guard let base = address.baseAddress else { return -1 }
            return sendto(
                socket, text, text.count, Int32(MSG_NOSIGNAL),
                base.assumingMemoryBound(to: sockaddr.self), socklen_t(address.count))
        }
        return sent == text.count
    }
}
