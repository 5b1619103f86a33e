package import Cluster
package import Logging
internal import Logs
package import NIOCore
package import Transport

/// Carries a `DiscoveryJoin` out: sends its requests, sleeps its pauses, writes its lines.
///
/// Blocks the calling thread, for as long as the other members need to come. The process has
/// nothing else to do meanwhile, and a signal ends it.
package struct DiscoveryClient: Sendable {
    private let url: ServiceURL
    private let proxy: EndpointURL?
    private let eventLoop: any EventLoop
    private let http: PeerClient
    private let log = Logger(label: Discovery.logLabel)

    private static let requestTimeout = Duration.seconds(5)
    private static let connectTimeout = Duration.seconds(30)
    private static let redirectionsMax = 10

    /// - Parameter proxy: an HTTP proxy to go through.
    package init(
        _ url: ServiceURL, proxy: EndpointURL?, eventLoop: any EventLoop,
        security: TransportSecurity = TransportSecurity()
    ) {
        (self.url, self.proxy, self.eventLoop) = (url, proxy, eventLoop)
        http = PeerClient(eventLoop: eventLoop, security: security)
    }

    /// Registers and waits until the cluster is complete; without a registrant it only waits.
    /// Not to be called on an event loop.
    package func run(_ registrant: DiscoveryJoin.Registrant?) -> DiscoveryJoin.Outcome {
        if let proxy { log.info("using proxy \(proxy.description.quotedAsGo)") }
        var join = DiscoveryJoin(url, registrant: registrant)
        var step = join.start()
        while true {
            for note in step.notes { log.log(level: note.level.logLevel, "\(note.text)") }
            switch step.action {
            case .finish(let outcome): return outcome
            case .pause(let seconds):
                pause(.seconds(Int64(seconds)))
                step = join.resume()
            case .send(let request):
                do {
                    let answer = try send(request)
                    step = join.answered(
                        status: answer.status, storeIndex: answer.header("X-Etcd-Index"),
                        body: answer.body)
                } catch {
                    step = join.failed("\(error)")
                }
            }
        }
    }

    private func pause(_ time: TimeAmount) {
        // Cannot fail but by the loop's end, which comes after this.
        try? eventLoop.scheduleTask(in: time) {}.futureResult.wait()
    }

    /// Follows redirections, as etcd's client does.
    private func send(_ request: DiscoveryJoin.Request) throws -> PeerClient.Answer {
        var (endpoint, call) = (url.endpoint, call(for: request))
        for _ in 0...Self.redirectionsMax {
            let answer = try http.send(call, to: endpoint, through: proxy).wait()
            guard [301, 302, 307, 308].contains(answer.status),
                let location = answer.header("Location")
            else { return answer }
            let text = location.hasPrefix("/") ? "\(endpoint)\(location)" : location
            let target = try ServiceURL(text)
            (endpoint, call.target) = (target.endpoint, target.path + Self.query(of: text))
        }
        throw TooManyRedirections()
    }

    private struct TooManyRedirections: Error, CustomStringConvertible {
        let description = "it redirects more than \(redirectionsMax) times"
    }

    private static func query(of url: String) -> String {
        url.firstIndex(of: "?").map { String(url[$0...]) } ?? ""
    }

    private func call(for request: DiscoveryJoin.Request) -> HTTPCall {
        let plain = "quorum=false&recursive=false&sorted=false"
        switch request {
        case .size: return get("/_config/size?\(plain)")
        case .members: return get("?\(plain)")
        case .register(let id, let value):
            return HTTPCall(
                .put, "\(url.path)/\(id)?prevExist=false", form: "value=\(value.formEncoded)",
                connectTimeout: Self.connectTimeout, answerTimeout: Self.requestTimeout)
        case .confirm(let id, let index):
            return wait("/\(id)?recursive=false&wait=true&waitIndex=\(index)")
        case .next(let index): return wait("?recursive=true&wait=true&waitIndex=\(index)")
        }
    }

    private func get(_ rest: String) -> HTTPCall {
        HTTPCall(
            .get, url.path + rest, connectTimeout: Self.connectTimeout,
            answerTimeout: Self.requestTimeout)
    }

    private func wait(_ rest: String) -> HTTPCall {
        HTTPCall(
            .get, url.path + rest, connectTimeout: Self.connectTimeout, answerTimeout: nil)
    }
}

extension DiscoveryNote.Level {
    package var logLevel: Logger.Level {
        switch self {
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        case .info: .info
        }
    }
}

extension String {
    /// As the value of a form's field: all but RFC 3986's unreserved characters escaped.
    var formEncoded: String {
        let unreserved = Set("-._~".utf8)
        var result = ""
        for byte in utf8 {
            if byte.isASCIIAlphanumeric || unreserved.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }
}
