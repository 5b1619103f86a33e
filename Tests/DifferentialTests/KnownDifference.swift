import Foundation
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
                && kvd["Content-Type"] == "text/plain; version=0.0.4"
                && etcd["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        },
        KnownDifference(
            name: "unknown-method-closes",
            why: "the decoder reads nothing behind a method that it does not know"
        ) { request, etcd, kvd in
            RequestGenerator.unknownMethods.contains(request.method) && etcd.status == kvd.status
                && etcd.body == kvd.body && kvd["Connection"] == "close"
        },
        KnownDifference(
            name: "options-star", why: "kvd names the allowed origins here as everywhere"
        ) { request, etcd, kvd in
            request.method == "OPTIONS" && request.target == "*" && etcd.status == kvd.status
        },
        KnownDifference(
            name: "json-texts", why: "texts of Go's JSON and URL readers, which change with Go"
        ) { request, etcd, kvd in
            path(request).hasPrefix("/v2/members") && etcd.status == 400 && sameHead(etcd, kvd)
                && kvd.text.hasPrefix("{\"message\":\"")
        },
        KnownDifference(
            name: "members-charset",
            why: "3.4 takes application/json with parameters, 2.3.8 does not"
        ) { request, etcd, kvd in
            path(request).hasPrefix("/v2/members") && kvd.status == 415
                && request.headers.contains { $0.value.hasPrefix("application/json;") }
        },
        KnownDifference(
            name: "stream-told-twice",
            why: "etcd tells a stream twice of the deletion of the very key it watches"
        ) { request, etcd, kvd in
            request.watch?.isStream == true && etcd.events.droppingRepeats == kvd.events
                && etcd.events != kvd.events
        },
        KnownDifference(
            name: "no-value-flag",
            why: "2.3.8 does not know noValueOnSuccess: whatever stands there is no error"
        ) { _, etcd, kvd in
            etcd.text.contains("invalid value for \\\"noValueOnSuccess\\\"")
                && kvd.text != etcd.text
        },
        KnownDifference(
            name: "history-cleared",
            why: "kvd refuses only whom an event was dropped for; etcd everyone who is late"
        ) { request, etcd, kvd in
            request.watch != nil && etcd.text.hasPrefix("{\"errorCode\":401,") && kvd.status == 200
        },
        KnownDifference(
            name: "history-prefix",
            why: "to etcd's history, the deletion of directory /a was one of /ab, too"
        ) { request, etcd, kvd in
            guard let watch = request.watch, let event = GoldenJSON(etcd.text),
                let key = event["node"]?["key"]?.text,
                let watched = watch.key.removingPercentEncoding
            else { return false }
            return ["delete", "expire"].contains(event["action"]?.text)
                && watched.hasPrefix(key) && watched != key && !watched.hasPrefix(key + "/")
        },
    ]

    private static func path(_ request: TestRequest) -> Substring {
        request.target.prefix { $0 != "?" }
    }

    private static func sameHead(_ a: RawClient.Response, _ b: RawClient.Response) -> Bool {
        a.status == b.status && AnswerComparison.headers(a) == AnswerComparison.headers(b)
    }
}

extension RawClient.Response {
    /// Without what may differ between two right answers.
    fileprivate var events: [[UInt8]] {
        body.split(separator: 10).map { CanonicalJSON(Array($0))?.text ?? Array($0) }
    }
}

extension [[UInt8]] {
    fileprivate var droppingRepeats: Self {
        reduce(into: []) { kept, event in
            if kept.last != event { kept.append(event) }
        }
    }
}
