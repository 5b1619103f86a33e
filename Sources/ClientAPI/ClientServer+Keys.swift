internal import KVServer
internal import KeyStore
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// `/v2/keys`. Source: `reference/client-api.md` §2 to §6.
extension ClientServer {
    func handleKeys(
        _ request: ClientRequest, _ target: RequestTarget, ticket: Ticket, isReadable: Bool
    ) -> Handling {
        guard let method = KeysMethod(request.head.method) else {
            preconditionFailure("the route table lets no other method through")
        }
        do throws(KeysFault) {
            return try withForm(of: request, method) { form throws(KeysFault) in
                let keys = try KeysRequest.parse(
                    method, query: target.query, form: form, scratch: &formScratch)
                count(keys, isResumed: request.isResumed)
                if engine.authRevision != gate.openRevision,
                    let instead = checkKeys(
                        request, key: target.keysPath, keys, ticket: ticket)
                {
                    return instead
                }
                return handle(keys, target, ticket: ticket, isReadable: isReadable)
            }
        } catch {
            return .answer(answer(to: error))
        }
    }

    /// Calls `body` with what counts as the request's form.
    private func withForm(
        of request: ClientRequest, _ method: KeysMethod,
        _ body: (FormBody) throws(KeysFault) -> Handling
    ) throws(KeysFault) -> Handling {
        guard method == .put || method == .post else { return try body(FormBody()) }
        let mediaType = request.facts.mediaType
        var form = FormBody()
        if mediaType.isForm, request.isBodyTooLarge {
            form.sizeFault = .formTooLarge(
                request.facts.bodyBytesCount, limit: configuration.formBytesMax)
        }
        form.mediaTypeProblem = mediaType.problem
        guard mediaType.isForm, let bytes = request.body else { return try body(form) }
        let result = bytes.withUnsafeReadableBytes { bytes -> Result<Handling, KeysFault> in
            form.bytes = bytes
            do throws(KeysFault) { return .success(try body(form)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func count(_ keys: KeysRequest, isResumed: Bool) {
        guard !isResumed else { return }
        asked.kind = RequestKind(keys)
        asked.omitsNode = keys.omitsNode
        meter.began(asked.kind)
    }

    private func handle(
        _ keys: KeysRequest, _ target: RequestTarget, ticket: Ticket, isReadable: Bool
    ) -> Handling {
        let path = storePath(target.keysPath)
        if keys.operation == .write || keys.operation == .watch {
            if let fault = keyFault(path) { return .answer(answer(to: fault)) }
        }
        switch keys.operation {
        case .write:
            engine.propose(
                keys.command(path: path, clusterTime: engine.clusterTime), ticket: ticket)
            gaveWork()
            return .proposed
        case .quorumRead:
            guard isReadable else {
                engine.readLinearizably(ticket: ticket)
                gaveWork()
                return .waitsToRead
            }
            return read(path, keys)
        case .read:
            guard isReadable || engine.isReadable(at: keys.minIndex) else {
                engine.whenReadable(at: keys.minIndex, ticket: ticket)
                gaveWork()
                return .waitsToRead
            }
            return read(path, keys)
        case .watch:
            guard isReadable || engine.isReadable else {
                engine.whenReadable(ticket: ticket)
                gaveWork()
                return .waitsToRead
            }
            return watch(path, keys, ticket)
        }
    }

    /// The store's path of a key: below `/1`, without a slash at its end.
    private func storePath(_ path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var key = path
        while key.last == UInt8(ascii: "/") {
            key = UnsafeRawBufferPointer(rebasing: key.dropLast())
        }
        keyScratch.removeAll()
        keyScratch.reserve(key.count + 2)
        keyScratch.append("/1")
        keyScratch.append(key)
        return keyScratch.bytes
    }

    /// What is wrong with the size of a store path (`/1/…`).
    private func keyFault(_ path: UnsafeRawBufferPointer) -> KeysFault? {
        let (bytes, depth) = (configuration.keyBytesMax, configuration.keyDepthMax)
        // An element takes two bytes: nearly no key needs to be looked into.
        guard path.count - 2 > min(bytes, depth * 2 - 1) else { return nil }
        if path.count - 2 > bytes { return .keyTooLong(path.count - 2, limit: bytes) }
        let slashes = path.count { $0 == UInt8(ascii: "/") }
        return slashes - 1 > depth ? .keyTooDeep(limit: depth) : nil
    }

    // MARK: - Watches

    private func watch(
        _ path: UnsafeRawBufferPointer, _ keys: KeysRequest, _ ticket: Ticket
    ) -> Handling {
        guard engine.store.watchersCount < configuration.watchersMax else {
            return .answer(answer(to: .tooManyWatchers(limit: configuration.watchersMax)))
        }
        do throws(StoreError) {
            let index = engine.store.currentIndex
            let start = try engine.store.watch(
                path, as: ticket.watcher, isRecursive: keys.isRecursive, isStream: keys.stream,
                sinceIndex: keys.waitIndex)
            return .watch(
                WatchOpening(
                    answer: .keys(.ok, storeIndex: index, at: appliedNow),
                    isStream: keys.stream, events: start.events, access: gate.watchAccess))
        } catch {
            if error.code == .eventIndexCleared { meter.clearedWatch() }
            return .answer(answer(to: error))
        }
    }

    var appliedNow: AppliedAt {
        AppliedAt(raftIndex: engine.appliedIndex, raftTerm: engine.term)
    }

    // MARK: - Answers

    /// - Parameter start: what the request is; perhaps none of keys, if it waited for the store.
    func answer(to outcome: Outcome, of start: RequestMeter.Start) -> Answer {
        body.removeAll()
        switch outcome {
        case .applied(let event, let at):
            if start.omitsNode {
                body.append(actionOf: event)
            } else {
                body.append(event: event)
            }
            return .keys(event.status, storeIndex: event.index, at: at)
        case .failed(let error): return answer(to: error)
        case .refused where start.kind.keysMethod == nil: return internalError()
        case .refused(let refusal):
            return keysError(.raftInternal, cause: refusal.description, index: 0)
        case .memberChange(let kind, let result): return answer(toChange: kind, result)
        case .readable: preconditionFailure("a write is not answered with leave to read")
        }
    }

    func answer(to error: StoreError) -> Answer {
        error.cause.withUnsafeBytes { cause in
            body.append(
                error: error.code, cause: ByteWriter.clientKey(cause), index: error.index)
        }
        return .keysError(error.code.status, storeIndex: error.index)
    }

    func answer(to fault: KeysFault) -> Answer {
        var answer = keysError(fault.code, cause: fault.cause, index: 0)
        if let status = fault.status { answer.status = status }
        return answer
    }

    func keysError(_ code: ErrorCode, cause: String, index: UInt64) -> Answer {
        var cause = cause
        cause.withUTF8 { cause in
            body.append(error: code, cause: UnsafeRawBufferPointer(cause), index: index)
        }
        return .keysError(code.status, storeIndex: index)
    }
}

extension KeysMethod {
    init?(_ method: HTTPMethod) {
        switch method {
        case .GET: self = .get
        case .HEAD: self = .head
        case .PUT: self = .put
        case .POST: self = .post
        case .DELETE: self = .delete
        default: return nil
        }
    }
}

extension Event {
    /// 201 if the write made a node, 200 otherwise.
    fileprivate var status: Status {
        switch action {
        case .create: .created
        case .set: previousNode == nil ? .created : .ok
        default: .ok
        }
    }
}
