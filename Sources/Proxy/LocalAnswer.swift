internal import ClientAPI
internal import Cluster
internal import Metrics
internal import NIOCore
internal import NIOHTTP1

/// An answer that the proxy gives itself.
struct LocalAnswer {
    var status: HTTPResponseStatus
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []

    private init(
        _ status: HTTPResponseStatus, _ type: String? = nil, _ body: [UInt8] = []
    ) {
        (self.status, self.body) = (status, body)
        if let type { fields.append(("Content-Type", type)) }
    }

    private static let plain = "text/plain; charset=utf-8"

    private static func message(_ status: HTTPResponseStatus, _ text: String) -> LocalAnswer {
        var json = JSONText()
        json.raw("{\"message\":")
        json.string(text)
        json.raw("}")
        return LocalAnswer(status, "application/json", json.bytes)
    }

    init(_ refusal: Refusal) {
        self = Self.message(refusal.status, refusal.text)
        if refusal.status == .serviceUnavailable { fields.append(("Retry-After", "1")) }
    }

    /// `OPTIONS`, which etcd's proxy answers itself.
    static let options = LocalAnswer(.ok)

    /// What a `readonly` proxy says to everything but GET.
    static let notImplemented = LocalAnswer(.notImplemented)

    /// `/v2/config/local/proxy`
    static func endpoints(_ urls: [EndpointURL]) -> LocalAnswer {
        var json = JSONText()
        json.raw("{\"endpoints\":")
        json.strings(urls.map(\.description))
        json.raw("}\n")
        return LocalAnswer(.ok, plain, json.bytes)
    }

    static func onlyGet() -> LocalAnswer { notAllowed("GET") }

    /// - Parameter methods: those that are.
    static func notAllowed(_ methods: String) -> LocalAnswer {
        var answer = LocalAnswer(.methodNotAllowed, plain, Array("Method Not Allowed\n".utf8))
        answer.fields.append(("Allow", methods))
        return answer
    }

    static func metrics(_ page: MetricsPage) -> LocalAnswer {
        LocalAnswer(.ok, "\(Metrics.contentType)", page.bytes)
    }

    static func malformed(_ problem: String) -> LocalAnswer {
        LocalAnswer(.badRequest, plain, Array("400 Bad Request\(problem)".utf8))
    }

    static let headersTooLarge = LocalAnswer(
        .requestHeaderFieldsTooLarge, plain, Array("431 Request Header Fields Too Large".utf8))

    static let unknownExpectation = LocalAnswer(.expectationFailed)

    static let tooSlow = LocalAnswer(
        .requestTimeout, plain, Array("408 Request Timeout".utf8))

    static func loop() -> LocalAnswer {
        message(
            .loopDetected,
            "proxy: this request has been at this proxy before: a client URL that the cluster tells "
                + "leads to a proxy")
    }
}

extension LocalAnswer {
    init(_ fault: RequestFault) {
        self =
            switch fault {
            case .missingHost: .malformed(": missing required Host header")
            case .tooManyHosts: .malformed(": too many Host headers")
            case .unknownExpectation: .unknownExpectation
            case .headersTooLarge: .headersTooLarge
            case .tooSlow: .tooSlow
            case .malformed: .malformed("")
            case .unknownMethod: fault.allowedMethods.map(Self.notAllowed) ?? .malformed("")
            }
    }
}
