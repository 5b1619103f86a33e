internal import KVServer
internal import KeyStore
internal import NIOCore
internal import NIOHTTP1

/// A connection that is held by a watch.
extension ConnectionHandler {
    func open(_ start: WatchOpening, _ request: ClientRequest, _ number: UInt32) {
        let framing = request.framing
        server.writeHeadOfStream(start.answer, framing: framing, into: &outgoing)
        wantFlush()
        watch = Watch(
            number: number, access: start.access, isStream: start.isStream,
            isHTTP10: framing.isHTTP10)
        for event in start.events {
            server.sharedEvent.encode(event)
            take(server.sharedEvent, number: number)
        }
    }

    /// An event for this connection's watch.
    func take(_ event: SharedEvent, number: UInt32) {
        guard let watch, watch.number == number, let context else { return }
        if watch.isStream, unsentBytes > server.configuration.unsentBytesMax {
            // It has not taken what it got so far: it would never catch up, only use up memory.
            server.meter.cutStream()
            context.close(promise: nil)
            return
        }
        let bytes = event.slice(isStream: watch.isStream, isHTTP10: watch.isHTTP10)
        write(bytes, context)
        if !watch.isStream { finishWatch() }
    }

    /// Ends the watch with what is in `last`, if it is over for who asked for it.
    func endWatch(_ last: SharedEvent, where isOver: (WatchAccess?) -> Bool) {
        guard let watch, isOver(watch.access) else { return }
        cancelWatch()
        self.watch = watch
        endWatch(last, number: watch.number)
    }

    /// Ends the response without an event.
    func endWatch(number: UInt32) {
        guard let watch, watch.number == number else { return }
        if !watch.isHTTP10 { outgoing.writeString(ChunkEnd.text) }
        finishWatch()
    }

    /// Ends the response with what is in `last`.
    func endWatch(_ last: SharedEvent, number: UInt32) {
        guard let watch, watch.number == number, let context else { return }
        write(last.slice(isStream: false, isHTTP10: watch.isHTTP10), context)
        finishWatch()
    }

    func finishWatch() {
        guard let isHTTP10 = watch?.isHTTP10 else { return }
        watch = nil
        finishBody(isHTTP10: isHTTP10)
    }

    /// The answer that held the connection is out.
    func finishBody(isHTTP10: Bool) {
        // Its body ends where the connection does.
        if isHTTP10 { order.end() }
        order.sent()
        wantFlush()
        advance()
    }

    func cancelWatch() {
        guard let watch else { return }
        self.watch = nil
        let ticket = Ticket(connection: place, request: watch.number)
        server.engine.store.cancelWatch(ticket.watcher)
    }
}
