internal import ClientAPI
internal import NIOCore

/// What a connection may not take too long for, and its end when the proxy ends.
extension FrontHandler {
    var isIdle: Bool { current == nil && isBetweenRequests && !patience.isHeadOpen }
    var lastUsedAt: Int64 { patience.lastUsedAt }

    /// Called several times a second.
    func patrol(now: Int64) {
        guard let context, !isEnding else { return }
        let limits = server.configuration.port
        if let problem = current?.backend?.overdue(
            write: server.writeTimeout, read: server.readTimeout)
        {
            current?.backend?.giveUp(problem)
        }
        // Of a client that is not read from nobody knows how slow it is.
        if !isReadHeld, patience.isRequestTooSlow(limits, now: now) {
            patience.ended()
            if current?.exchange.isAnswering == true { return cut() }
            return refuse(.tooSlow)
        }
        guard !context.channel.isWritable else { return patience.isTaking() }
        let unsent = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard patience.isAnswerUnread(unsent: unsent, limits, now: now) else { return }
        server.cutReader()
        cut()
    }

    /// Makes room for another.
    func evict() { context?.close(promise: nil) }

    /// Ends the connection as soon as what is asked for has been answered; a watch at once.
    func stop() {
        guard let current, !current.isWatch else {
            context?.close(promise: nil)
            return
        }
    }

    func closeNow() { context?.close(promise: nil) }
}
