internal import KVServer

/// How long a connection has been at what it does: sending a request, or taking an answer.
///
/// Clients that open many connections and then send a byte now and then, or take an answer a byte
/// at a time, would use up the server's descriptors and memory. Watches and idle connections may
/// wait for as long as they like. All times are monotonic nanoseconds.
package struct ConnectionPatience {
    private var headSince: Int64?
    private var bodySince: Int64?
    private var bodyBytesAt: Int64 = 0
    private var unsentSince: Int64?
    private var unsent = 0
    package private(set) var lastUsedAt: Int64

    package init(now: Int64) { lastUsedAt = now }

    /// Some of a request's headers have come, and not all.
    package var isHeadOpen: Bool { headSince != nil }

    /// A read from the socket has been decoded.
    ///
    /// - Parameters:
    ///   - partsCount: heads, pieces of bodies and ends that were in it.
    ///   - isIdle: no request is half there, as far as the decoder has told.
    ///   - hadBytes: there was anything in it.
    package mutating func received(partsCount: Int, isIdle: Bool, hadBytes: Bool, now: Int64) {
        guard hadBytes else { return }
        if isIdle {
            bodySince = nil
            // Bytes that end no head: the start of one. (Behind a request's end it is seen with the
            // next bytes only.)
            headSince = partsCount == 0 ? headSince ?? now : nil
        } else {
            headSince = nil
            bodySince = bodySince ?? now
            bodyBytesAt = now
        }
    }

    /// A request is being dealt with.
    package mutating func began(at now: Int64) { lastUsedAt = now }

    package mutating func ended() { (headSince, bodySince) = (nil, nil) }

    package func isRequestTooSlow(_ limits: ClientServerConfiguration, now: Int64) -> Bool {
        if let headSince, now - headSince > limits.headTimeout.inNanoseconds { return true }
        guard let bodySince else { return false }
        return now - bodySince > limits.bodyTimeout.inNanoseconds
            || now - bodyBytesAt > limits.bodyPauseMax.inNanoseconds
    }

    /// The client takes what it is sent.
    package mutating func isTaking() { unsentSince = nil }

    /// - Parameter unsent: bytes that wait for the client.
    package mutating func isAnswerUnread(
        unsent: Int, _ limits: ClientServerConfiguration, now: Int64
    ) -> Bool {
        guard let since = unsentSince, unsent >= self.unsent else {
            (unsentSince, self.unsent) = (now, unsent)
            return false
        }
        return now - since > limits.unreadAnswerTimeout.inNanoseconds
    }
}
