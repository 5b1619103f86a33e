package import Cluster
package import NIOCore
internal import NIOHTTP1
package import RaftModel

/// Asks members for what they answer by GET: versions, members, and whether they are there; and
/// other servers by any `HTTPCall`.
///
/// Each request has a connection of its own. May be used from any thread; futures are of the
/// event loop given.
package struct PeerClient: Sendable {
    private let eventLoop: any EventLoop
    private let security: TransportSecurity
    private let answerBytesMax: Int

    package init(
        eventLoop: any EventLoop, security: TransportSecurity = TransportSecurity(),
        answerBytesMax: Int = TransportConfiguration.Bounds().answerBytesMax
    ) {
        self.eventLoop = eventLoop
        self.security = security
        self.answerBytesMax = answerBytesMax
    }

    package struct Answer: Sendable {
        package var status: Int
        package var clusterID: ClusterID?
        package var body: [UInt8]
        /// From the request's last byte to the answer's.
        package var roundTrip: Duration
        var headers = HTTPHeaders()

        /// The first header called so, in any case.
        package func header(_ name: String) -> String? { headers.first(name: name) }
    }

    /// Any answer is a success, a refusal too. Fails with a `PeerClientError`.
    ///
    /// - Parameter timeout: for the connection, and again for the answer.
    package func get(
        _ path: String, from url: EndpointURL, timeout: TimeAmount
    ) -> EventLoopFuture<Answer> {
        let limit = Duration.nanoseconds(timeout.nanoseconds)
        return send(
            HTTPCall(.get, path, connectTimeout: limit, answerTimeout: limit), to: url)
    }

    /// For which a connection may be silent while an answer without a time limit is waited for.
    private static let silenceMax: TimeAmount = .seconds(30)

    /// Any answer is a success, a refusal too. Fails with a `PeerClientError`.
    ///
    /// - Parameter proxy: an HTTP proxy to hand the request to, or to have a tunnel from, for an `https`
    ///   URL.
    package func send(
        _ call: HTTPCall, to url: EndpointURL, through proxy: EndpointURL? = nil
    ) -> EventLoopFuture<Answer> {
        let promise = eventLoop.makePromise(of: Answer.self)
        let timeout = call.answerTimeout.map { TimeAmount($0) }
        let dialer = Dialer(
            eventLoop: eventLoop, security: security, silenceMax: timeout ?? Self.silenceMax)
        let bytesMax = answerBytesMax
        let head = Self.head(of: call, to: url, throughProxy: proxy != nil && url.scheme == .http)
        dialer.connect(
            to: url, through: proxy, timeout: TimeAmount(call.connectTimeout)
        ).whenComplete { result in
            switch result {
            case .success(let channel):
                do {
                    let operations = channel.pipeline.syncOperations
                    try operations.addHTTPClientHandlers()
                    try operations.addHandler(
                        HTTPCallHandler(
                            url, head, form: call.form, bytesMax: bytesMax, timeout: timeout,
                            promise: promise))
                } catch {
                    promise.fail(PeerClientError(url: url, problem: "\(error)"))
                    channel.close(promise: nil)
                }
            case .failure(let error):
                promise.fail(PeerClientError(url: url, problem: DialError.text(of: error)))
            }
        }
        return promise.futureResult
    }

    private static func head(
        of call: HTTPCall, to url: EndpointURL, throughProxy: Bool
    ) -> HTTPRequestHead {
        var headers: HTTPHeaders = ["Connection": "close"]
        if let form = call.form {
            headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            headers.add(name: "Content-Length", value: "\(form.utf8.count)")
        }
        let target = throughProxy ? "\(url)\(call.target)" : call.target
        return .toPeer(
            HTTPMethod(rawValue: call.method.rawValue), target, at: url, headers: headers)
    }

    /// As `get`, of the first of `urls` that gives an answer which `accept` takes: see `FirstAnswer`.
    private func getFirst<Value: Sendable>(
        _ path: String, from urls: [EndpointURL], timeout: TimeAmount,
        accept: @escaping @Sendable (Answer) throws -> Value
    ) -> EventLoopFuture<Value> {
        let promise = eventLoop.makePromise(of: Value.self)
        eventLoop.execute { [self] in
            FirstAnswer(of: urls, promise, on: eventLoop) { url in
                get(path, from: url, timeout: timeout).flatMapThrowing(accept)
            }.start()
        }
        return promise.futureResult
    }

    /// Each peer's versions, from the first of its URLs that answers; nil where none did.
    ///
    /// A 404 is a 2.0, which has no such path. Never fails.
    package func fetchVersions(
        of peers: [Peer], timeout: TimeAmount = .seconds(1)
    ) -> EventLoopFuture<[MemberID: MemberVersions?]> {
        let answers = peers.map { peer -> EventLoopFuture<(MemberID, MemberVersions?)> in
            getFirst("/version", from: peer.urls, timeout: timeout) { answer in
                if answer.status == 404 { return MemberVersions.endpointMissing }
                guard answer.status == 200 else { throw Unexpected(status: answer.status) }
                return try MemberVersions(json: answer.body)
            }
            .map { (peer.id, $0) }
            .recover { _ in (peer.id, nil) }
        }
        return EventLoopFuture.whenAllSucceed(answers, on: eventLoop).map { pairs in
            var versions: [MemberID: MemberVersions?] = [:]
            for (id, answer) in pairs { versions.updateValue(answer, forKey: id) }
            return versions
        }
    }

    /// A running cluster's id and members, from the first of `urls` that tells them; one that is silent
    /// does not hold up the next.
    ///
    /// Fails, when none does, with a `PeerClientError` whose first words are etcd's.
    package func fetchMembers(
        from urls: [EndpointURL], timeout: TimeAmount = .seconds(10)
    ) -> EventLoopFuture<(cluster: ClusterID, members: [Member])> {
        getFirst("/members", from: urls, timeout: timeout) { answer in
            guard answer.status == 200, let cluster = answer.clusterID else {
                throw Unexpected(status: answer.status)
            }
            return (cluster, try MemberJSON.members(fromPeerList: answer.body))
        }
        .flatMapErrorThrowing { error in
            throw PeerClientError(
                url: nil,
                problem: "could not retrieve cluster information from the given urls "
                    + "(\(urls.map(\.description).joined(separator: ", "))); the last answer: "
                    + "\(error)")
        }
    }

    private struct Unexpected: Error, CustomStringConvertible {
        let status: Int
        var description: String { "status \(status), or no member list of a cluster" }
    }
}

/// Why a member could not be asked.
package struct PeerClientError: Error, Equatable, CustomStringConvertible {
    /// Nil when all of several URLs are meant.
    package let url: EndpointURL?
    package let problem: String

    package var description: String {
        guard let url else { return problem }
        return "\(url): \(problem)"
    }
}
