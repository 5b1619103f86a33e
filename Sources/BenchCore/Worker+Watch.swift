extension WatchConnection {
    var isWatching: Bool { phase == .watching }
}

extension Worker {
    mutating func handle(_ event: Poller.Event, _ watch: WatchConnection) {
        let link = watch.link
        if case .connecting = link.phase {
            let now = MonotonicClock.now()
            if let code = link.finishConnecting(poller, now: now) {
                if openingError == nil {
                    openingError = .noConnection(link.endpoint, errnoText(code))
                }
                return lose(watch, now: now)
            }
            if link.openCount > 1 { recorder.reconnectCount += 1 }
            return ask(watch, now: now)
        }
        guard link.isOpen else { return }
        if event.isWritable, link.isBlocked, !link.sendRest(poller) {
            return lose(watch, now: MonotonicClock.now())
        }
        if event.isReadable { receive(watch) }
    }

    private mutating func ask(_ watch: WatchConnection, now: Nanoseconds) {
        let sent = watch.request().withUnsafeBytes { bytes in
            recorder.bytesSent += bytes.count
            return watch.link.send(bytes, poller)
        }
        if !sent { lose(watch, now: now) }
    }

    private mutating func receive(_ watch: WatchConnection) {
        let received = watch.link.receive(into: receiveRoom)
        let now = MonotonicClock.now()
        switch received {
        case .nothing: break
        case .ended, .failed: lose(watch, now: now)
        case .bytes(let count):
            do throws(MessageParser.Malformed) {
                try take(UnsafeRawBufferPointer(rebasing: receiveRoom[..<count]), watch, now: now)
            } catch {
                recorder.failed(.malformedAnswer, now: now)
                lose(watch, now: now)
            }
        }
    }

    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ watch: WatchConnection, now: Nanoseconds
    ) throws(MessageParser.Malformed) {
        let link = watch.link
        var position = 0
        while true {
            switch try link.parser.next(bytes, &position) {
            case .needMore:
                if position < bytes.count {
                    link.keep(UnsafeRawBufferPointer(rebasing: bytes[position...]))
                }
                recorder.bytesReceived += position
                return
            case .head(let status):
                watch.status = status
                if status == 200 { watch.phase = .watching }
            case .body(let range):
                if watch.status == 200 {
                    scan(UnsafeRawBufferPointer(rebasing: bytes[range]), watch, now: now)
                }
            case .end:
                guard answerEnded(watch, now: now) else { return }
            }
        }
    }

    private mutating func scan(
        _ bytes: UnsafeRawBufferPointer, _ watch: WatchConnection, now: Nanoseconds
    ) {
        var lastIndex = watch.lastIndex
        watch.scanner.scan(bytes) { event in
            lastIndex = event.index ?? lastIndex
            guard let stamp = event.stamp else { return }
            if recorder.event(written: stamp, now: now) { lastEvent = now }
        }
        watch.lastIndex = lastIndex
    }

    /// A long poll's answer ends with its event; a stream's should not end at all. False: the
    /// connection was given up.
    private mutating func answerEnded(_ watch: WatchConnection, now: Nanoseconds) -> Bool {
        if watch.status != 200 {
            // The history may have run past: begin anew, without an index.
            watch.lastIndex = nil
            recorder.failed(.status(watch.status), now: now)
            if !watch.isWatching, openingError == nil {
                openingError = BenchError(
                    .watchRefused(url: watch.link.endpoint.url, reason: "status \(watch.status)"),
                    advice: "Check that the server speaks the v2 API and that reads need no login.")
            }
            lose(watch, now: now, counting: false)
            return false
        }
        if plan.watchMode == .stream {
            lose(watch, now: now)
            return false
        }
        if watch.link.parser.closesConnection {
            lose(watch, now: now, retryAt: now, counting: false)
            return false
        }
        ask(watch, now: now)
        return watch.link.isOpen
    }

    /// Gives the connection up; it is opened and asked again.
    mutating func lose(
        _ watch: WatchConnection, now: Nanoseconds, retryAt: Nanoseconds? = nil,
        counting: Bool = true
    ) {
        if counting, watch.isWatching { recorder.failed(.watchEnded, now: now) }
        watch.phase = .opening
        watch.scanner.reset()
        watch.link.close(retryAt: retryAt ?? now + Self.reconnectPause)
    }
}
