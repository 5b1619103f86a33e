import Foundation

/// A connection of one member to another, in two halves with the proxy between them.
final class ProxiedConnection {
    private let near: Int32
    private var far: Int32 = -1
    private let target: Int
    private let targetPort: Int
    /// As it calls itself; who that is may be known later only.
    private var callerID: String?
    private var caller: Int?
    private var isNamed = false
    private var isConnecting = false
    private(set) var isClosed = false
    /// From the caller to the target, and back.
    private var forth = Pump()
    private var back = Pump()

    /// A head that has not ended by then is nobody's that we know.
    private static let headMax = 16_384

    init(_ socket: Int32, target: Int, targetPort: Int) {
        (near, self.target, self.targetPort) = (socket, target, targetPort)
    }

    deinit { close() }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        Foundation.close(near)
        if far >= 0 { Foundation.close(far) }
    }

    /// Does what the rules of now ask for by themselves.
    func follow(_ content: LinkTable.Content, _ now: Int64) {
        guard isNamed, !isClosed else { return }
        if caller == nil, let callerID { caller = content.numbers[callerID] }
        let (forthRule, backRule) = rules(content)
        if forthRule.passage == .closed || backRule.passage == .closed { return close() }
        if far < 0, forthRule.passage == .open { dial() }
        // An end that was told is passed on when all before it is.
        if forth.isOver || back.isOver { close() }
    }

    private func rules(_ content: LinkTable.Content) -> (forth: LinkRule, back: LinkRule) {
        (content.rule(from: caller, to: target), content.rule(from: target, to: caller))
    }

    /// Near, then far; a descriptor of -1 is passed over.
    func waits(_ content: LinkTable.Content, _ now: Int64) -> [pollfd] {
        let (forthRule, backRule) = rules(content)
        var nearEvents: Int32 = 0
        var farEvents: Int32 = 0
        if !isNamed || forth.wantsBytes(forthRule) { nearEvents |= POLLIN }
        if far >= 0 {
            if isConnecting || forth.hasDue(forthRule, now) { farEvents |= POLLOUT }
            if !isConnecting, back.wantsBytes(backRule) { farEvents |= POLLIN }
            if back.hasDue(backRule, now) { nearEvents |= POLLOUT }
        }
        // With no events asked for, a hang-up would be told again and again.
        return [
            pollfd(fd: nearEvents == 0 ? -1 : near, events: Int16(nearEvents), revents: 0),
            pollfd(fd: farEvents == 0 ? -1 : far, events: Int16(farEvents), revents: 0),
        ]
    }

    func nextDue(_ content: LinkTable.Content, _ now: Int64) -> Int64? {
        guard far >= 0 else { return nil }
        let (forthRule, backRule) = rules(content)
        return [forth.nextDue(forthRule, now), back.nextDue(backRule, now)].compactMap { $0 }.min()
    }

    func handle(
        _ nearWait: pollfd, _ farWait: pollfd, _ content: LinkTable.Content, _ now: Int64
    ) {
        let (forthRule, backRule) = rules(content)
        if isConnecting, farWait.revents != 0 {
            guard Sockets.hasConnected(far) else { return close() }
            isConnecting = false
        }
        if nearWait.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            guard forth.read(near, forthRule, now) else { return close() }
            if !isNamed { name(content) }
        }
        if isClosed || far < 0 || isConnecting { return }
        if farWait.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            guard back.read(far, backRule, now) else { return close() }
        }
        guard forth.write(far, forthRule, now), back.write(near, backRule, now) else {
            return close()
        }
    }

    /// Learns from the first request who has dialled.
    private func name(_ content: LinkTable.Content) {
        let text = String(decoding: forth.waitingBytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else {
            if forth.queuedBytes > Self.headMax || forth.hasEnded { close() }
            return
        }
        isNamed = true
        for line in text[..<end.lowerBound].split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "x-server-from" else { continue }
            callerID = parts[1].trimmingCharacters(in: .whitespaces)
        }
        caller = callerID.flatMap { content.numbers[$0] }
        forth.hold(for: rules(content).forth.delayNanoseconds)
    }

    private func dial() {
        guard let socket = Sockets.connect(to: targetPort) else { return close() }
        (far, isConnecting) = (socket, true)
    }
}

/// Bytes on their way through the proxy, in one direction.
struct Pump {
    private var queue: [(due: Int64, bytes: [UInt8])] = []
    private var sent = 0
    private(set) var queuedBytes = 0
    private(set) var hasEnded = false
    /// What a throttled link may still take, and since when it is counted.
    private var allowance = 0
    private var allowanceAt: Int64 = 0

    private static let queuedMax = 1 << 20
    private static let chunk = 65_536

    var isOver: Bool { hasEnded && queue.isEmpty }
    var waitingBytes: [UInt8] { queue.flatMap(\.bytes) }

    func wantsBytes(_ rule: LinkRule) -> Bool {
        rule.passage == .open && !hasEnded && queuedBytes < Self.queuedMax
    }

    func hasDue(_ rule: LinkRule, _ now: Int64) -> Bool {
        guard rule.passage == .open, let first = queue.first else { return false }
        return first.due <= now && allowance(rule, now) > 0
    }

    func nextDue(_ rule: LinkRule, _ now: Int64) -> Int64? {
        guard rule.passage == .open, let first = queue.first else { return nil }
        return first.due > now ? first.due : now + 5 * Chaos.millisecond
    }

    /// Makes what is queued wait for so much longer.
    mutating func hold(for nanoseconds: Int64) {
        for i in queue.indices { queue[i].due += nanoseconds }
    }

    /// False: the connection is broken.
    mutating func read(_ socket: Int32, _ rule: LinkRule, _ now: Int64) -> Bool {
        var buffer = [UInt8](repeating: 0, count: Self.chunk)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        guard count > 0 else {
            hasEnded = true
            return true
        }
        queue.append((now + rule.delayNanoseconds, Array(buffer[..<count])))
        queuedBytes += count
        return true
    }

    mutating func write(_ socket: Int32, _ rule: LinkRule, _ now: Int64) -> Bool {
        while hasDue(rule, now) {
            let left = allowance(rule, now)
            (allowance, allowanceAt) = (left, now)
            let bytes = queue[0].bytes
            let wanted = min(bytes.count - sent, left)
            let count = bytes.withUnsafeBytes {
                send(socket, $0.baseAddress! + sent, wanted, Int32(MSG_NOSIGNAL))
            }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            sent += count
            queuedBytes -= count
            if rule.bytesPerSecond != nil { allowance -= count }
            if sent == bytes.count {
                queue.removeFirst()
                sent = 0
            } else if count < wanted {
                return true
            }
        }
        return true
    }

    private func allowance(_ rule: LinkRule, _ now: Int64) -> Int {
        guard let rate = rule.bytesPerSecond else { return Self.chunk }
        let passed = min(now - allowanceAt, Chaos.second)
        let burst = max(1500, rate / 10)
        return min(burst, allowance + Int(passed * Int64(rate) / Chaos.second))
    }
}
