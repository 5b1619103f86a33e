internal import Glibc

/// One connection that is opened again when it gets lost: socket, what of an answer came half,
/// what of the requests did not fit into the kernel. Belongs to one worker, which runs it.
final class Link {
    enum Phase: Equatable {
        case closed(retryAt: Nanoseconds)
        case connecting(since: Nanoseconds)
        case open
    }

    let endpoint: Endpoint
    /// The worker's number for it.
    let token: Int
    private(set) var phase = Phase.closed(retryAt: 0)
    private(set) var descriptor: Int32 = -1
    var parser = MessageParser(.responses)
    /// The last time something came, or something was asked after a silence.
    var lastProgress: Nanoseconds = 0
    private var partial: [UInt8] = []
    private var unsent: [UInt8] = []
    private var wantsWritable = false
    /// How often the connection stood.
    private(set) var openCount = 0

    init(_ endpoint: Endpoint, token: Int) {
        self.endpoint = endpoint
        self.token = token
    }

    var isOpen: Bool { phase == .open }

    /// Earlier bytes wait for room in the kernel: nothing new should be rendered.
    var isBlocked: Bool { !unsent.isEmpty }

    func startConnecting(_ poller: borrowing Poller, now: Nanoseconds) throws(BenchError) {
        precondition(descriptor < 0, "closed before it is opened again")
        descriptor = try Socket.connecting(to: endpoint)
        phase = .connecting(since: now)
        wantsWritable = true
        poller.add(descriptor, token: token, forWriting: true)
    }

    /// To be called when a connecting socket turned writable: nil if the connection stands.
    func finishConnecting(_ poller: borrowing Poller, now: Nanoseconds) -> Int32? {
        let code = Socket.pendingError(descriptor)
        guard code == 0 else { return code }
        phase = .open
        openCount += 1
        lastProgress = now
        setWantsWritable(false, poller)
        return nil
    }

    func close(retryAt: Nanoseconds) {
        if descriptor >= 0 { Socket.close(descriptor) }
        descriptor = -1
        phase = .closed(retryAt: retryAt)
        parser = MessageParser(.responses)
        partial.removeAll(keepingCapacity: true)
        unsent.removeAll(keepingCapacity: true)
    }

    /// Receives once. `.bytes` counts what is to be parsed, at the start of `room`: the rest kept
    /// from last time and what came now.
    func receive(into room: UnsafeMutableRawBufferPointer) -> Socket.Received {
        let keptCount = partial.count
        precondition(keptCount < room.count, "an unfinished line is shorter than the buffer")
        if keptCount > 0 {
            partial.withUnsafeBytes { room.copyMemory(from: $0) }
        }
        let received = Socket.receive(
            descriptor, into: UnsafeMutableRawBufferPointer(rebasing: room[keptCount...]))
        guard case .bytes(let count) = received else { return received }
        partial.removeAll(keepingCapacity: true)
        return .bytes(keptCount + count)
    }

    /// Keeps what the parser could not use yet.
    func keep(_ rest: UnsafeRawBufferPointer) { partial.append(contentsOf: rest) }

    /// Sends as much as goes and keeps the rest. False: the connection is lost.
    func send(_ bytes: UnsafeRawBufferPointer, _ poller: borrowing Poller) -> Bool {
        precondition(!isBlocked, "the rest of earlier bytes goes first")
        guard let count = Socket.send(descriptor, bytes) else { return false }
        if count < bytes.count {
            unsent.append(contentsOf: bytes[count...])
            setWantsWritable(true, poller)
        }
        return true
    }

    /// The socket turned writable: sends more of what was kept. False: the connection is lost.
    func sendRest(_ poller: borrowing Poller) -> Bool {
        guard let count = unsent.withUnsafeBytes({ Socket.send(descriptor, $0) }) else {
            return false
        }
        unsent.removeFirst(count)
        if unsent.isEmpty { setWantsWritable(false, poller) }
        return true
    }

    private func setWantsWritable(_ wants: Bool, _ poller: borrowing Poller) {
        guard wants != wantsWritable else { return }
        wantsWritable = wants
        poller.change(descriptor, token: token, forWriting: wants)
    }
}
