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
        // Only of a client that is far behind: what lies in the kernel's buffers is not seen.
        guard !isWritable else { return patience.isTaking() }
        let options = context.channel.syncOptions
        let unsent = (try? options?.getOption(.bufferedWritableBytes)) ?? 0
        guard
            patience.isAnswerUnread(unsent: unsent, server.configuration, now: now)
        else { return }
        server.cutReader()
        context.close(promise: nil)
    }

    /// Makes room for another.
    func evict() { context?.close(promise: nil) }
}
