internal import NIOCore

/// What a connection may not take too long for. Watches and those between two requests may.
extension ConnectionHandler {
    /// Nothing asked for, nothing under way.
    var isIdle: Bool {
        order.inFlightCount == 0 && intake.isIdle && !patience.isHeadOpen && watch == nil
            && transfer == nil
    }

    /// Monotonic nanoseconds.
    var lastUsedAt: Int64 { patience.lastUsedAt }

    /// Ends what takes too long; called about once a second.
    func patrol(now: Int64) {
        guard let context else { return }
        if patience.isRequestTooSlow(server.configuration, now: now) {
            patience.ended()
            run(intake.failed(.tooSlow))
        }
        // Only of a client that is far behind: what lies in the kernel's buffers is not seen. A watcher
        // may be, as far as it goes.
        let unsent = unsentBytes
        guard unsent > (watch == nil ? 0 : server.configuration.unsentBytesMax) else {
            return patience.isTaking()
        }
        guard
            patience.isAnswerUnread(unsent: unsent, server.configuration, now: now)
        else { return }
        server.cutReader()
        context.close(promise: nil)
    }

    /// Bytes that wait in this process; few enough count as none.
    var unsentBytes: Int {
        guard !isWritable, let options = context?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Makes room for another.
    func evict() { context?.close(promise: nil) }
}
