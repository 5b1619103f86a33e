extension Worker {
    // MARK: Sending

    /// Sends what is due to connections with room, one request each in turn.
    ///
    /// In the closed loop this matters at the start only: from then on a connection sends its next
    /// request when an answer came.
    mutating func sendDue(now: Nanoseconds) {
        guard let due = pacer.nextDue, due <= now else { return }
        let slotCount = loads.count * plan.pipelineDepth
        guard inFlightCount < slotCount else { return }
        guard pacer.isOpenLoop else {
            if inFlightCount == 0 { for load in loads { fill(load, now: now) } }
            return
        }
        var fruitless = 0
        while fruitless < loads.count, let due = pacer.nextDue, due <= now, remainingShare > 0 {
            let load = loads[cursor]
            cursor = cursor + 1 == loads.count ? 0 : cursor + 1
            if load.hasRoom {
                fill(load, now: now, countMax: 1)
                fruitless = 0
            } else {
                fruitless += 1
            }
        }
    }

    /// Renders and sends requests as long as they are due and the connection takes them.
    mutating func fill(_ load: LoadConnection, now: Nanoseconds, countMax: Int = .max) {
        var count = 0
        while load.hasRoom, !isStopping {
            var length = 0
            let wasEmpty = load.inFlight.isEmpty
            while !load.inFlight.isFull, count < countMax, let intended = takeDue(now: now) {
                let (operation, key) = workload.next()
                let template = load.templates[operation.rawValue]
                length += template.render(
                    key: key, stamp: intended,
                    into: UnsafeMutableRawBufferPointer(rebasing: sendRoom[length...]))
                load.inFlight.push(InFlightQueue.Request(operation, intended: intended))
                inFlightCount += 1
                count += 1
                if sendRoom.count - length < template.sizeBytes { break }
            }
            if length == 0 { return }
            if wasEmpty { load.link.lastProgress = now }
            recorder.bytesSent += length
            let bytes = UnsafeRawBufferPointer(rebasing: sendRoom[..<length])
            guard load.link.send(bytes, poller) else {
                return lose(load, .connectionLost, now: now)
            }
        }
    }

    /// The intended send time of the next request, if one is due and the run has one left.
    private mutating func takeDue(now: Nanoseconds) -> Nanoseconds? {
        guard remainingShare > 0, let intended = pacer.take(now: now) else { return nil }
        if intended >= recorder.measureFrom { remainingShare -= 1 }
        return intended
    }

    // MARK: Receiving

    mutating func handle(_ event: Poller.Event, _ load: LoadConnection) {
        let link = load.link
        if case .connecting = link.phase {
            let now = MonotonicClock.now()
            if let code = link.finishConnecting(poller, now: now) {
                if openingError == nil {
                    openingError = .noConnection(link.endpoint, errnoText(code))
                }
                return lose(load, .connectionLost, now: now)
            }
            if link.openCount > 1 { recorder.reconnectCount += 1 }
            return fill(load, now: now)
        }
        guard link.isOpen else { return }
        if event.isWritable, link.isBlocked {
            guard link.sendRest(poller) else {
                return lose(load, .connectionLost, now: MonotonicClock.now())
            }
            if !link.isBlocked { fill(load, now: MonotonicClock.now()) }
        }
        if event.isReadable { receive(load) }
    }

    private mutating func receive(_ load: LoadConnection) {
        let received = load.link.receive(into: receiveRoom)
        let now = MonotonicClock.now()
        switch received {
        case .nothing: break
        case .ended, .failed: lose(load, .connectionLost, now: now)
        case .bytes(let count):
            let bytes = UnsafeRawBufferPointer(rebasing: receiveRoom[..<count])
            guard take(bytes, load, now: now) else { return }
            fill(load, now: now)
        }
    }

    /// Accounts for every answer that ends in `bytes`. False: the connection was given up.
    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ load: LoadConnection, now: Nanoseconds
    ) -> Bool {
        let link = load.link
        link.lastProgress = now
        var position = 0
        // A local copy: every access to a class's variable is checked for exclusivity.
        var parser = link.parser
        do throws(MessageParser.Malformed) {
            while true {
                switch try parser.next(bytes, &position) {
                case .needMore:
                    link.parser = parser
                    if position < bytes.count {
                        link.keep(UnsafeRawBufferPointer(rebasing: bytes[position...]))
                    }
                    recorder.bytesReceived += position
                    return true
                case .head(let status): load.status = status
                case .body: break
                case .end:
                    guard let request = load.inFlight.pop() else {
                        throw MessageParser.Malformed(description: "an answer to nothing")
                    }
                    answered(request, load.status, now: now)
                    if parser.closesConnection {
                        lose(load, .connectionLost, now: now, retryAt: now)
                        return false
                    }
                }
            }
        } catch {
            lose(load, .malformedAnswer, now: now)
            return false
        }
    }

    private mutating func answered(
        _ request: InFlightQueue.Request, _ status: Int, now: Nanoseconds
    ) {
        inFlightCount -= 1
        if recorder.answered(request, status: status, now: now) {
            successCount += 1
        } else {
            failureCount += 1
        }
    }

    /// Gives the connection up, with everything that was asked on it.
    mutating func lose(
        _ load: LoadConnection, _ failure: Failure, now: Nanoseconds, retryAt: Nanoseconds? = nil
    ) {
        while let request = load.inFlight.pop() {
            inFlightCount -= 1
            failureCount += 1
            recorder.failed(failure, request)
        }
        load.link.close(retryAt: retryAt ?? now + Self.reconnectPause)
    }
}
