import Cluster
import NIOHTTP1
import Testing

@testable import Proxy

@Suite struct ForwardedHeadTests {
    private let url = EndpointURL(scheme: .http, host: "10.0.0.1", port: 2379)

    private func forward(_ headers: HTTPHeaders, uri: String = "/") -> HTTPRequestHead {
        ForwardedHead.request(
            HTTPRequestHead(version: .http1_1, method: .PUT, uri: uri, headers: headers),
            to: url, client: "10.1.1.1", name: "me")
    }

    @Test func whatSpeaksOfTheConnectionStaysBehind() {
        let head = forward([
            "Host": "h", "Connection": "close, X-Mine", "X-Mine": "1", "Keep-Alive": "5",
            "Proxy-Connection": "x", "Proxy-Authorization": "x", "TE": "trailers", "Trailer": "t",
            "Upgrade": "h2c", "Expect": "100-continue", "Authorization": "Basic eA==",
            "Content-Length": "3",
        ])
        let names = Set(head.headers.map { $0.name.lowercased() })
        #expect(
            names == ["host", "authorization", "content-length", "x-forwarded-for", "via"])
        #expect(head.headers.first(name: "Host") == "h")
    }

    @Test func aConnectionHeaderCannotTakeTheLengthAway() {
        let head = forward(["Host": "h", "Connection": "content-length", "Content-Length": "3"])
        #expect(head.headers["content-length"] == ["3"])
    }

    @Test func chunksAreFramedAnew() {
        let head = forward(["Host": "h", "Transfer-Encoding": "chunked"])
        #expect(head.headers["transfer-encoding"] == ["chunked"])
    }

    @Test(arguments: [
        ([String](), "10.1.1.1"), (["1.1.1.1"], "1.1.1.1, 10.1.1.1"),
        (["1.1.1.1", "2.2.2.2"], "1.1.1.1, 2.2.2.2, 10.1.1.1"),
    ])
    func clientsAreNamed(_ before: [String], _ after: String) {
        var headers = HTTPHeaders(before.map { ("X-Forwarded-For", $0) })
        headers.add(name: "Host", value: "h")
        #expect(forward(headers).headers["x-forwarded-for"] == [after])
    }

    @Test func itKnowsWhatWasHereBefore() {
        let once = forward(["Host": "h", "Via": "1.1 other"])
        #expect(once.headers["via"] == ["1.1 other, 1.1 me"])
        #expect(ForwardedHead.hasPassed("me", once.headers))
        #expect(ForwardedHead.hasPassed("other", once.headers))
        #expect(!ForwardedHead.hasPassed("ther", ["Via": "1.1 me"]))
        #expect(!ForwardedHead.hasPassed("me", [:]))
    }

    @Test(arguments: [
        ("/v2/keys/a?wait=true", "/v2/keys/a?wait=true"), ("http://h:1/v2/keys", "/v2/keys"),
        ("http://h", "/"), ("HTTP://h?x=1", "/?x=1"), ("*", "*"),
    ])
    func theTargetIsAPath(_ target: String, _ expected: String) {
        #expect(forward(["Host": "h"], uri: target).uri == expected)
    }

    @Test(arguments: [
        // Head, HTTP/1.0, keeps alive; of the answer: length, chunked at the member; then: length,
        // chunked, kept alive.
        (false, false, true, true, false, true, false, true),
        (false, false, true, false, true, false, true, true),
        (false, false, true, false, false, false, true, true),
        (false, false, false, true, false, true, false, false),
        (false, true, true, true, false, true, false, true),
        (false, true, true, false, true, false, false, false),
        (true, false, true, false, true, false, false, true),
        (true, false, true, true, false, true, false, true),
    ])
    func answersAreFramedForTheClient(
        _ isHead: Bool, _ isHTTP10: Bool, _ keepsAlive: Bool, _ hasLength: Bool, _ isChunked: Bool,
        _ lengthAfter: Bool, _ chunkedAfter: Bool, _ keptAfter: Bool
    ) {
        var framing = ForwardedHead.Framing(
            isHead: isHead, isHTTP10: isHTTP10, keepsAlive: keepsAlive)
        var headers: HTTPHeaders = ["X-Etcd-Index": "5", "Connection": "keep-alive"]
        if hasLength { headers.add(name: "Content-Length", value: "7") }
        if isChunked { headers.add(name: "Transfer-Encoding", value: "chunked") }
        let answer = ForwardedHead.answer(
            HTTPResponseHead(version: .http1_1, status: .ok, headers: headers),
            framing: &framing)
        #expect(answer.headers.contains(name: "content-length") == lengthAfter)
        #expect(answer.headers.contains(name: "transfer-encoding") == chunkedAfter)
        #expect(framing.keepsAlive == keptAfter)
        #expect(answer.headers.first(name: "x-etcd-index") == "5")
        let connection = answer.headers["connection"]
        #expect(connection == (!keptAfter ? ["close"] : isHTTP10 ? ["keep-alive"] : []))
        #expect(answer.version == (isHTTP10 ? .http1_0 : .http1_1))
    }

    @Test func noContentHasNoFraming() {
        for status in [HTTPResponseStatus.noContent, .notModified] {
            var framing = ForwardedHead.Framing()
            let answer = ForwardedHead.answer(
                HTTPResponseHead(version: .http1_1, status: status), framing: &framing)
            #expect(answer.headers.isEmpty)
        }
    }
}
