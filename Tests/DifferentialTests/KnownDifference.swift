import GoldenSupport

/// Something that kvd answers otherwise than etcd 3.4 does, on purpose: because etcd 2.3.8, which
/// the recordings in `Fixtures/golden` show, does so, or because kvd is to be better there.
///
/// Each is matched as narrowly as it can be. One that nothing matches in a long run fails the test.
struct KnownDifference: Sendable {
    let name: String
    let why: String
    /// Whether it explains what differs.
    let explains:
        @Sendable (TestRequest, _ etcd: RawClient.Response, _ kvd: RawClient.Response) -> Bool

    static let all: [KnownDifference] = [
        KnownDifference(
            name: "health-text", why: "2.3.8 puts a space before \"true\""
        ) { request, etcd, kvd in
            path(request) == "/health" && etcd.text == "{\"health\":\"true\"}"
                && kvd.text == "{\"health\": \"true\"}" && sameHead(etcd, kvd)
        },
        KnownDifference(
            name: "version-numbers", why: "kvd says the version whose API it serves"
        ) { request, etcd, kvd in
            path(request) == "/version" && etcd.text.hasPrefix("{\"etcdserver\":\"3.4.")
                && kvd.text.hasPrefix("{\"etcdserver\":\"2.3.") && sameHead(etcd, kvd)
        },
        KnownDifference(
            name: "metrics-charset", why: "2.3.8 names no charset; the recordings have it so"
        ) { request, etcd, kvd in
            path(request) == "/metrics" && etcd.status == kvd.status
        },
        KnownDifference(
            name: "unknown-method-closes",
            why: "the decoder reads nothing behind a method that it does not know"
        ) { request, etcd, kvd in
            etcd.status == kvd.status && etcd.body == kvd.body && kvd["Connection"] == "close"
        },
    ]

    private static func path(_ request: TestRequest) -> Substring {
        request.target.prefix { $0 != "?" }
    }

    private static func sameHead(_ a: RawClient.Response, _ b: RawClient.Response) -> Bool {
        a.status == b.status && AnswerComparison.headers(a) == AnswerComparison.headers(b)
    }
}
