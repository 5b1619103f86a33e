internal import KVServer
internal import KeyStore
internal import NIOCore
internal import NIOHTTP1

/// What becomes of a request.
enum Handling {
    /// The answer; its body lies in `ClientServer.body` until the next request is handled.
    case answer(Answer)
    /// The engine has it; an `Outcome` follows.
    case proposed
    /// It is to be handled again when the engine says `.readable`.
    case waitsToRead
    /// It is to be handled again, as if it had just come, when the engine says `.readable`.
    case waitsForStore
    /// The same, when its credentials have been checked.
    case waitsForCheck
    case changesAuth(PendingAuthChange)
    case watch(WatchOpening)
    case stream(BodyOpening)
    /// The engine has what a site wants written; with its `Outcome` one of the pages is sent.
    case pageAfterWrite(PageAfterWrite)
}

/// How a watch begins.
struct WatchOpening {
    /// The head, sent before any event.
    var answer: Answer
    var isStream: Bool
    /// What the history had.
    var events: [Event]
    /// Nil: it was not checked, because auth is off.
    var access: WatchAccess?
}

extension ClientServer {
    /// Deals with one request, whose turn it is.
    ///
    /// - Parameter isReadable: the engine has said `.readable` to this request.
    func handle(_ request: ClientRequest, ticket: Ticket, isReadable: Bool) -> Handling {
        body.removeAll()
        if let site { return handle(request, at: site, ticket: ticket, isReadable: isReadable) }
        return handle(request, target: request.head.uri, ticket, isReadable)
    }

    /// - Parameter target: what counts as the request line's.
    func handle(
        _ request: ClientRequest, target: String, _ ticket: Ticket, _ isReadable: Bool
    ) -> Handling {
        let handling = target.utf8.withContiguousStorageIfAvailable { line in
            handle(
                request, target: UnsafeRawBufferPointer(line), ticket: ticket,
                isReadable: isReadable)
        }
        guard let handling else { preconditionFailure("strings of ours are native") }
        return handling
    }

    private func handle(
        _ request: ClientRequest, target line: UnsafeRawBufferPointer, ticket: Ticket,
        isReadable: Bool
    ) -> Handling {
        let method = request.head.method
        if method == .OPTIONS, ByteSearch.equal(line, "*") { return .answer(Answer(.ok, nil)) }
        switch RouteTable.resolve(line, MethodSet(method), scratch: &pathScratch) {
        case .endpoint(.keys, let target):
            return handleKeys(request, target, ticket: ticket, isReadable: isReadable)
        case .endpoint(.backup, _):
            asked.kind = .backup
            return backup(request, ticket: ticket)
        case .badTarget: return .answer(badRequest(""))
        // On every path, known or not.
        case _ where method == .OPTIONS: return .answer(Answer(.ok, nil))
        case .endpoint(.members, let target):
            asked.kind = .members
            return members(request, target, ticket: ticket)
        case .endpoint(.auth(let page), let target):
            asked.kind = .auth
            return auth(page, request, target, ticket: ticket)
        case .endpoint(let endpoint, _):
            asked.kind = RequestKind(endpoint)
            return .answer(answer(endpoint, request))
        case .redirection(let target):
            return .answer(redirection(target, method))
        case .notFound: return .answer(notFound())
        case .methodNotAllowed(let route): return .answer(methodNotAllowed(route))
        }
    }

    private func answer(
        _ endpoint: Endpoint, _ request: ClientRequest
    ) -> Answer {
        switch endpoint {
        case .keys, .members, .backup, .auth: preconditionFailure("these are handled apart")
        case .machines: machines()
        case .statsSelf: statsSelf()
        case .statsStore: statsStore()
        case .statsLeader: statsLeader()
        case .metrics: metrics()
        case .invalidAuthPath: invalidAuthPath()
        case .version: version()
        case .health: health()
        case .status: status()
        case .debugVariables: debugVariables()
        case .logLevel: setLogLevel(request)
        }
    }

    // MARK: - Pages

    func notFound() -> Answer {
        body.append("404 page not found\n")
        return .page(.notFound)
    }

    private func methodNotAllowed(_ route: Route) -> Answer {
        body.append("Method Not Allowed\n")
        var answer = Answer.page(.methodNotAllowed)
        answer.allow = route.allow
        return answer
    }

    /// - Parameter reason: what follows the status in the body; may be empty.
    private func badRequest(_ reason: StaticString) -> Answer {
        body.append("400 Bad Request")
        body.append(reason)
        var answer = Answer(.badRequest, .plainText)
        answer.closes = true
        return answer
    }

    private func redirection(_ target: RequestTarget, _ method: HTTPMethod?) -> Answer {
        var location = PathCleaner.escaped(PathCleaner.cleaned(target.path))
        if !target.query.isEmpty {
            location.append(UInt8(ascii: "?"))
            location.append(contentsOf: target.query)
        }
        // Only a GET has a body, but a HEAD says what it would be.
        let isRead = method == .GET || method == .HEAD
        var answer = Answer(.movedPermanently, isRead ? .html : nil)
        if isRead {
            body.append("<a href=\"")
            for byte in location { appendHTML(byte) }
            body.append("\">Moved Permanently</a>.\n\n")
        }
        answer.location = location
        return answer
    }

    private func appendHTML(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "&"): body.append("&amp;")
        case UInt8(ascii: "<"): body.append("&lt;")
        case UInt8(ascii: ">"): body.append("&gt;")
        case UInt8(ascii: "\""): body.append("&#34;")
        case UInt8(ascii: "'"): body.append("&#39;")
        default: body.append(byte)
        }
    }

    /// The last answer of a connection.
    func answer(to fault: RequestFault) -> Answer {
        body.removeAll()
        switch fault {
        case .malformed: return badRequest("")
        case .missingHost: return badRequest(": missing required Host header")
        case .tooManyHosts: return badRequest(": too many Host headers")
        case .headersTooLarge:
            body.append("431 Request Header Fields Too Large")
            return Answer(.headersTooLarge, .plainText)
        case .unknownExpectation: return Answer(.expectationFailed, nil)
        case .tooSlow:
            body.append("408 Request Timeout")
            return Answer(.requestTimeout, .plainText)
        case .unknownMethod(let target, _, _): return answer(toUnknownMethodAt: target)
        }
    }

    private func answer(toUnknownMethodAt target: String) -> Answer {
        var target = target
        return target.withUTF8 { line in
            let line = UnsafeRawBufferPointer(line)
            switch RouteTable.resolve(line, .other, scratch: &pathScratch) {
            case .badTarget: return badRequest("")
            case .redirection(let target): return redirection(target, nil)
            case .methodNotAllowed(let route): return methodNotAllowed(route)
            // These take any method.
            case .endpoint(.invalidAuthPath, _): return invalidAuthPath()
            case .endpoint(.metrics, _): return metrics()
            case .endpoint, .notFound: return notFound()
            }
        }
    }

    // MARK: - Encoding

    /// Writes an answer, with the body that lies in `body`.
    func write(_ answer: Answer, framing: AnswerFraming, into out: inout ByteBuffer) {
        encoder.write(
            answer, body: body.bytes, framing: framing, unixSeconds: Self.unixSeconds(),
            into: &out)
    }

    func writeHeadOfStream(_ answer: Answer, framing: AnswerFraming, into out: inout ByteBuffer) {
        encoder.writeHeadOfStream(
            answer, framing: framing, unixSeconds: Self.unixSeconds(), into: &out)
    }
}
