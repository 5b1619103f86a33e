import Foundation
import StorageIO
import Synchronization

/// Stands between the members: for each of them it listens on an address that the others are told,
/// and passes on what comes, by the rules of the link.
///
/// One thread with `poll`. Who has dialled says the `X-Server-From` of the first request; until that
/// has come, nothing is passed on.
package final class PeerProxy: Sendable {
    private struct Shared {
        var listeners: [Listener] = []
        var isStopped = false
    }

    struct Listener: Sendable {
        var socket: Int32
        var member: Int
        var peerPort: Int
    }

    private let table = LinkTable()
    private let shared = Mutex(Shared())
    private let wakeRead: Int32
    private let wakeWrite: Int32
    private let ended = DispatchGroup()

    package init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ChaosFailure("pipe: errno \(errno)") }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
        for end in ends { Sockets.makeNonBlocking(end) }
        ended.enter()
        Thread.detachNewThread { [self, table, wakeRead, ended] in
            var loop = ProxyLoop(table: table, wake: wakeRead)
            while let listeners = listenersUntilStopped() { loop.turn(listeners) }
            loop.close()
            ended.leave()
        }
    }

    /// Ends all connections and waits for the thread's end.
    package func stop() {
        let listeners = shared.withLock { shared in
            shared.isStopped = true
            defer { shared.listeners = [] }
            return shared.listeners
        }
        wake()
        ended.wait()
        for listener in listeners { Foundation.close(listener.socket) }
        Foundation.close(wakeRead)
        Foundation.close(wakeWrite)
    }

    /// Listens for a member that listens on `peerPort` itself; gives the port to advertise.
    package func listen(for member: Int, at peerPort: Int) throws -> Int {
        let (socket, port) = try Sockets.listen()
        shared.withLock {
            $0.listeners.append(Listener(socket: socket, member: member, peerPort: peerPort))
        }
        wake()
        return port
    }

    /// - Parameter id: as in `/v2/members`.
    package func know(_ id: String, as member: Int) {
        table.know(id, as: member)
        wake()
    }

    /// Links without a rule are open.
    package func set(_ rules: [Link: LinkRule]) {
        table.set(rules)
        wake()
    }

    private func wake() {
        var byte: UInt8 = 0
        // A full pipe wakes as well.
        _ = write(wakeWrite, &byte, 1)
    }

    private func listenersUntilStopped() -> [Listener]? {
        shared.withLock { $0.isStopped ? nil : $0.listeners }
    }
}

/// The proxy's thread.
struct ProxyLoop {
    private let table: LinkTable
    private let wake: Int32
    private var connections: [ProxiedConnection] = []

    init(table: LinkTable, wake: Int32) { (self.table, self.wake) = (table, wake) }

    mutating func close() {
        for connection in connections { connection.close() }
        connections = []
    }

    /// Waits for something to do, at most for a moment, and does it.
    mutating func turn(_ listeners: [PeerProxy.Listener]) {
        let content = table.now
        let now = MachineClock.monotonicNanoseconds
        for connection in connections { connection.follow(content, now) }
        connections.removeAll { $0.isClosed }
        var waits = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
        waits += listeners.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
        for connection in connections { waits += connection.waits(content, now) }
        let due = connections.compactMap { $0.nextDue(content, now) }.min()
        let timeout = due.map { max(1, min(100, ($0 - now) / Chaos.millisecond + 1)) } ?? 100
        guard poll(&waits, nfds_t(waits.count), Int32(timeout)) > 0 else { return }
        if waits[0].revents != 0 { Sockets.drain(wake) }
        let latest = MachineClock.monotonicNanoseconds
        let first = 1 + listeners.count
        for (i, connection) in connections.enumerated() {
            connection.handle(waits[first + 2 * i], waits[first + 2 * i + 1], content, latest)
        }
        for (i, listener) in listeners.enumerated() where waits[1 + i].revents != 0 {
            accept(listener)
        }
    }

    private mutating func accept(_ listener: PeerProxy.Listener) {
        while case let socket = Foundation.accept(listener.socket, nil, nil), socket >= 0 {
            Sockets.prepare(socket)
            connections.append(
                ProxiedConnection(
                    socket, target: listener.member, targetPort: listener.peerPort))
        }
    }
}
