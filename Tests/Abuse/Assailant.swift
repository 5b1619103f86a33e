package import BenchCore
import Glibc
import Synchronization

/// A thread that carries out an onslaught until it is told to stop, which it must be; then it drops
/// all connections.
package final class Assailant: Sendable {
    private let shouldStop = Atomic<Bool>(false)
    private let published = Mutex(Tally())
    private let thread = Mutex<WorkerThread?>(nil)

    /// - Parameter ports: where kvd listens.
    package init(
        _ onslaught: Onslaught, clientPort: Endpoint, peerPort: Endpoint
    ) throws(BenchError) {
        let started = try WorkerThread { [self] in
            yieldToOthers()
            do throws(BenchError) {
                var work = try AssailantWork(onslaught, client: clientPort, peer: peerPort)
                while !shouldStop.load(ordering: .relaxed) {
                    work.turn()
                    published.withLock { $0 = work.tally }
                }
            } catch {
                // Descriptors are short: what is there has been counted.
                published.withLock { $0.isComplete = true }
            }
        }
        thread.withLock { $0 = started }
    }

    /// As of now.
    package var tally: Tally { published.withLock { $0 } }

    /// Drops all connections; returns when none is left.
    package func stop() {
        shouldStop.store(true, ordering: .relaxed)
        thread.withLock { $0.take() }?.join()
    }
}

/// Who attacks does so from other machines, whose processors are not the victim's: here they are the
/// same, and those of the victim and of the light client come first.
private func yieldToOthers() {
    // On Linux 0 means the calling thread: each has a nice value of its own.
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
}

/// The thread's own: sockets and their state. Level-triggered epoll, one buffer for what comes.
private struct AssailantWork: ~Copyable {
    private struct Connection {
        var descriptor: Int32
        let script: Int
        var isConnecting = true
        var sentCount = 0
        /// When the next drip or the hanging up is due.
        var due = Nanoseconds.max
        var head: [UInt8] = []
        var wantsWriting = true
    }

    private let onslaught: Onslaught
    private let client: Endpoint
    private let peer: Endpoint
    private let poller: Poller
    private let room: UnsafeMutableRawBufferPointer
    private var connections: [Connection] = []
    /// Connections that are still sending, or connecting.
    private var busyCount = 0
    private let start = MonotonicClock.now()
    private var sweptAt: Nanoseconds = 0
    private(set) var tally = Tally()

    private static let turn: Nanoseconds = 5_000_000
    private static let sweep: Nanoseconds = 50_000_000
    /// `HTTP/1.1 200`
    private static let statusEnd = 12

    init(_ onslaught: Onslaught, client: Endpoint, peer: Endpoint) throws(BenchError) {
        (self.onslaught, self.client, self.peer) = (onslaught, client, peer)
        poller = try Poller()
        room = .allocate(byteCount: 64 << 10, alignment: 16)
        connections.reserveCapacity(onslaught.count)
    }

    deinit {
        for connection in connections where connection.descriptor >= 0 {
            Socket.reset(connection.descriptor)
        }
        room.deallocate()
    }

    mutating func turn() {
        let now = MonotonicClock.now()
        beginDue(now)
        if now - sweptAt >= Self.sweep {
            sweptAt = now
            for n in connections.indices where connections[n].due <= now { becomeDue(n, now) }
        }
        let count = poller.wait(timeout: Self.turn)
        for i in 0..<count { handle(poller[i]) }
        tally.isComplete = connections.count == onslaught.count && busyCount == 0
    }

    private func script(of n: Int) -> Script { onslaught.scripts[connections[n].script] }

    // MARK: Opening

    private mutating func beginDue(_ now: Nanoseconds) {
        let due = (now - start) * UInt64(onslaught.rate) / 1_000_000_000
        while connections.count < onslaught.count, connections.count < due {
            let number = connections.count
            let script = onslaught.scripts[number % onslaught.scripts.count]
            tally.begun += 1
            let endpoint = script.port == .client ? client : peer
            guard let socket = try? Socket.connecting(to: endpoint) else {
                connections.append(
                    Connection(descriptor: -1, script: number % onslaught.scripts.count))
                tally.refused += 1
                continue
            }
            if !script.reads { Socket.setReceiveBuffer(socket, bytes: 4096) }
            connections.append(
                Connection(descriptor: socket, script: number % onslaught.scripts.count))
            busyCount += 1
            poller.add(socket, token: number, forWriting: true, forReading: script.reads)
        }
    }

    // MARK: What happens to one

    private mutating func handle(_ event: Poller.Event) {
        let n = event.token
        guard connections[n].descriptor >= 0 else { return }
        if connections[n].isConnecting {
            guard Socket.pendingError(connections[n].descriptor) == 0 else {
                tally.refused += 1
                return drop(n)
            }
            connections[n].isConnecting = false
        }
        if event.isReadable { receive(n) }
        if connections[n].descriptor >= 0, event.isWritable, connections[n].wantsWriting {
            send(n)
        }
    }

    private mutating func send(_ n: Int) {
        let script = script(of: n)
        // A piece a turn: others want to send too.
        while connections[n].sentCount < script.byteCount {
            let (bytes, from) = piece(of: script, at: connections[n].sentCount)
            guard let count = sendSome(n, bytes, from: from) else { return cut(n) }
            connections[n].sentCount += count
            if from + count < bytes.count { return }
        }
        connections[n].wantsWriting = false
        busyCount -= 1
        poller.change(
            connections[n].descriptor, token: n, forWriting: false, forReading: script.reads)
        if script.endsInput { Socket.endInput(connections[n].descriptor) }
        let now = MonotonicClock.now()
        if !script.drip.isEmpty {
            connections[n].due = now + script.dripPause.nanosecondsClamped
        } else if case .hangsUp(let after) = script.ending {
            connections[n].due = now + after.nanosecondsClamped
        }
    }

    /// The array that byte number `offset` is in, and where.
    private func piece(of script: Script, at offset: Int) -> (bytes: [UInt8], from: Int) {
        if offset < script.opening.count { return (script.opening, offset) }
        return (script.filler, (offset - script.opening.count) % script.filler.count)
    }

    /// Nil: the connection is lost.
    private mutating func sendSome(_ n: Int, _ bytes: [UInt8], from: Int) -> Int? {
        let count = bytes.withUnsafeBytes {
            Socket.send(
                connections[n].descriptor, UnsafeRawBufferPointer(rebasing: $0[from...]))
        }
        if let count { tally.bytesSent += count }
        return count
    }

    private mutating func becomeDue(_ n: Int, _ now: Nanoseconds) {
        let script = script(of: n)
        guard !script.drip.isEmpty else {
            tally.left += 1
            return drop(n)
        }
        // What does not fit is lost: these bytes mean nothing to anybody, or are whole requests that
        // fit into any buffer.
        guard sendSome(n, script.drip, from: 0) != nil else { return cut(n) }
        connections[n].due = now + script.dripPause.nanosecondsClamped
    }

    private mutating func receive(_ n: Int) {
        guard script(of: n).reads else { return cut(n) }
        switch Socket.receive(connections[n].descriptor, into: room) {
        case .nothing: return
        case .ended, .failed: cut(n)
        case .bytes(let count):
            tally.bytesReceived += count
            let known = connections[n].head.count
            guard known < Self.statusEnd else { return }
            connections[n].head += room[..<min(count, Self.statusEnd - known)]
            guard connections[n].head.count == Self.statusEnd else { return }
            let digits = String(decoding: connections[n].head.suffix(3), as: UTF8.self)
            tally.statuses[Int(digits) ?? 0, default: 0] += 1
        }
    }

    private mutating func cut(_ n: Int) {
        tally.cut += 1
        drop(n)
    }

    private mutating func drop(_ n: Int) {
        if connections[n].wantsWriting { busyCount -= 1 }
        Socket.reset(connections[n].descriptor)
        connections[n].descriptor = -1
        connections[n].due = .max
        connections[n].wantsWriting = false
    }
}
