internal import KVServer
internal import KeyStore
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// What a `Site` says of requests, carried out.
extension ClientServer {
    /// Nobody waits for the answers to these: no connection has this place.
    private static let nobody = Ticket(connection: .max, request: 0)

    func handle(
        _ request: ClientRequest, at site: any Site, ticket: Ticket, isReadable: Bool
    ) -> Handling {
        switch site.route(SiteRequest(request), engine) {
        case .member: return handle(request, target: request.head.uri, ticket, isReadable)
        case .keys(let target): return handle(request, target: target, ticket, isReadable)
        case .page(let page): return .answer(answer(page))
        case .noSuchKey(let key):
            let index = engine.store.currentIndex
            return .answer(keysError(.keyNotFound, cause: key, index: index))
        case .write(let writes, let page, let otherwise):
            precondition(!writes.isEmpty, "there is something to write")
            for write in writes.dropLast() { propose(write, ticket: Self.nobody) }
            propose(writes[writes.count - 1], ticket: ticket)
            return .pageAfterWrite(PageAfterWrite(success: page, failure: otherwise))
        }
    }

    func answer(to outcome: Outcome, _ pages: PageAfterWrite) -> Answer {
        body.removeAll()
        guard case .applied = outcome else { return answer(pages.failure) }
        return answer(pages.success)
    }

    /// Makes the writes that a site wants after others.
    func followUp(_ answers: [(Ticket, Outcome)], _ site: any Site) {
        for case (_, .applied(let event, _)) in answers {
            for write in site.writes(after: event, engine) { propose(write, ticket: Self.nobody) }
        }
    }

    private func propose(_ write: SiteWrite, ticket: Ticket) {
        var (path, value) = ("/1" + write.key, write.value ?? "")
        path.withUTF8 { path in
            value.withUTF8 { value in
                var view = RequestView()
                view.method = .put
                view.path = UnsafeRawBufferPointer(path)
                view.value = UnsafeRawBufferPointer(value)
                view.isDirectory = write.value == nil
                view.previousExists = write.mustExist
                if let time = write.timeToLive {
                    view.expiration =
                        engine.clusterTime + time.components.seconds * 1_000_000_000
                }
                engine.propose(view, ticket: ticket)
            }
        }
        gaveWork()
    }

    private func answer(_ page: SitePage) -> Answer {
        body.append(text: page.body)
        var answer = Answer(page.status.status, .plainText)
        answer.extraLines = Array(page.headerLines.utf8)
        return answer
    }
}

/// What to answer when a site's write has been applied, and when it has not.
struct PageAfterWrite {
    var success: SitePage
    var failure: SitePage
}

extension SitePage.Status {
    fileprivate var status: Status {
        switch self {
        case .ok: .ok
        case .badRequest: .badRequest
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .serviceUnavailable: .serviceUnavailable
        }
    }
}

extension SiteRequest {
    fileprivate init(_ request: ClientRequest) {
        let target = request.head.uri
        let mark = target.firstIndex(of: "?") ?? target.endIndex
        let form = request.facts.mediaType.isForm ? request.body : nil
        self.init(
            method: request.head.method.rawValue, path: String(target[..<mark]),
            query: String(target[mark...].dropFirst()),
            form: form.map { String(buffer: $0) } ?? "",
            host: request.head.headers.first(name: "Host") ?? "")
    }
}
