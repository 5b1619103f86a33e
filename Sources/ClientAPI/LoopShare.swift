internal import NIOCore

/// What one connection may take of the loop before others have their turn.
///
/// A client may send hundreds of requests at once, for a megabyte each. Answering all that there is
/// room for in one go takes milliseconds, and a hundred such clients would keep everybody else
/// waiting for a second. So each connection has a share, counted in bytes of answers; who has used it
/// up goes on when its turn comes (`RestingConnections`):
///
///     answer, answer, answer ── share used up ──▶ rests ──▶ its turn: a new share
///                │
///                └── end of the batch, some of it left ──▶ a new share at once
///
/// So who asks for little never rests, and what it waits for is the shares of others, not all
/// that they want. An answer that is larger than a share is made at once, but sent a slice a turn.
/// Who has used up a share is not given another at once with its next request either: a hundred
/// clients that ask for a megabyte each, again and again, take turns as well.
///
/// The same on a port with TLS. A proxy needs none of it: it has one request of a connection under way
/// at a time, and reads of the answer what one read of a socket brings.
struct LoopShare {
    static let bytesMax = 64 << 10
    /// What a request costs beside the bytes of its answer, as if it were bytes too: copying so many
    /// takes about as long.
    static let requestBytes = 512
    /// What is sent of one answer in one turn.
    static let sliceBytesMax = 4 * bytesMax
    /// What is sent without slicing: a small rest is not worth a turn.
    static let wholeBytesMax = 6 * bytesMax

    private var left = bytesMax

    var isUsedUp: Bool { left <= 0 }
    /// More than `bytesMax` where one answer is larger.
    var spent: Int { Self.bytesMax - left }

    mutating func spend(bytes: Int) { left -= bytes + Self.requestBytes }

    mutating func renew() { left = Self.bytesMax }

    /// What was made of it is on its way.
    mutating func endBatch() { if !isUsedUp { renew() } }
}

/// Connections that have used up their share and have more to do, in the order in which they rest.
///
/// They go on a portion a turn of the loop, so that its sockets are looked at between two portions.
struct RestingConnections {
    /// Of all of them in one turn: up to 1 ms of work. Turns cost, too: with an eighth of it, sixteen clients
    /// that read 256 KiB at a time got up to a third fewer of them.
    static let portionBytes = 32 * LoopShare.bytesMax
    /// Tasks that are due run before the sockets are looked at; this one lets them go first.
    static let pause = TimeAmount.microseconds(10)

    private var line = CircularBuffer<ConnectionHandler>()
    private var willGoOn = false

    var isEmpty: Bool { line.isEmpty }

    /// - Returns: whether the caller has to see to it that a portion is done after all sockets have been
    ///   read.
    mutating func append(_ connection: ConnectionHandler) -> Bool {
        line.append(connection)
        defer { willGoOn = true }
        return !willGoOn
    }

    mutating func next() -> ConnectionHandler? { line.popFirst() }

    /// - Returns: whether the caller has to see to it that another portion is done after the pause.
    mutating func endPortion() -> Bool {
        willGoOn = !line.isEmpty
        return willGoOn
    }
}

extension ClientServer {
    func rest(_ connection: ConnectionHandler) {
        guard resting.append(connection) else { return }
        eventLoop.assumeIsolated().execute { [self] in doPortion() }
    }

    private func doPortion() {
        var left = RestingConnections.portionBytes
        while left > 0, let connection = resting.next() { left -= connection.goOn() }
        flush()
        guard resting.endPortion() else { return }
        _ = eventLoop.assumeIsolated().scheduleTask(in: RestingConnections.pause) { [self] in
            doPortion()
        }
    }
}
