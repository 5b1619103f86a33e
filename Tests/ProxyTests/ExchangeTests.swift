import Cluster
import NIOCore
import NIOHTTP1
import Testing

@testable import Proxy

/// What becomes of a request: who is tried next, and what is never sent twice.
@Suite struct ExchangeTests {
    private let a = EndpointURL(scheme: .http, host: "a", port: 1)
    private let b = EndpointURL(scheme: .http, host: "b", port: 1)

    private func exchange(_ method: String, keptBytesMax: Int = 8) -> Exchange {
        Exchange(method: method, keptBytesMax: keptBytesMax)
    }

    private func start(_ exchange: inout Exchange) -> Exchange.Action {
        exchange.start([a, b], otherwise: .noEndpoints(lastAnswer: "")).action
    }

    private func attempt(_ url: EndpointURL, _ problem: String) -> Refusal.Try {
        Refusal.Try(url: url, problem: problem)
    }

    @Test func nobodyIsKnown() {
        var exchange = exchange("GET")
        let refusal = Refusal.noEndpoints(lastAnswer: "x")
        #expect(exchange.start([], otherwise: refusal).action == .refuse(refusal))
    }

    @Test(arguments: ["GET", "PUT", "DELETE", "POST"])
    func whoCannotBeReachedIsPassedOver(_ method: String) {
        var exchange = exchange(method)
        #expect(start(&exchange) == .connect(a, mayReuse: true))
        let second = exchange.connectFailed("refused")
        #expect(second.action == .connect(b, mayReuse: true))
        #expect(second.failed == attempt(a, "refused"))
        let end = exchange.connectFailed("no route")
        let tries = [attempt(a, "refused"), attempt(b, "no route")]
        #expect(end.action == .refuse(.allFailed(tries)))
        #expect(end.failed == attempt(b, "no route"))
        #expect(
            Refusal.allFailed(tries).text
                == "proxy: unable to get response from 2 endpoint(s): http://a:1: refused; "
                + "http://b:1: no route")
    }

    @Test func theBodyWaitsForTheConnection() {
        var exchange = exchange("PUT")
        _ = start(&exchange)
        #expect(exchange.received(ByteBuffer(string: "1234")) == false)
        #expect(exchange.wantsInput)
        #expect(exchange.received(ByteBuffer(string: "56789")) == false)
        #expect(!exchange.wantsInput, "no more is held for a request that nobody has")
        _ = exchange.connectFailed("refused")
        #expect(exchange.connected(isReused: false).map(String.init(buffer:)) == ["1234", "56789"])
        #expect(exchange.wantsInput)
        #expect(exchange.keptBytes == 0, "a write is not sent again, so nothing is kept of it")
        #expect(exchange.received(ByteBuffer(string: "more")) == true)
        #expect(exchange.ended() == true)
    }

    @Test(arguments: ["PUT", "POST", "DELETE", "PATCH"], [false, true])
    func aWriteThatMayHaveArrivedIsNotSentAgain(_ method: String, isReused: Bool) {
        var exchange = exchange(method)
        _ = start(&exchange)
        _ = exchange.connected(isReused: isReused)
        let step = exchange.lost("it ended the connection")
        let gone = attempt(a, "it ended the connection")
        let refusal = Refusal.unanswered(method: method, gone)
        #expect(step.action == .refuse(refusal))
        #expect(refusal.status == .badGateway)
        #expect(refusal.text.contains("may have been carried out"))
        // An idle connection may end at any time, and says nothing of its endpoint.
        #expect(step.failed == (isReused ? nil : gone))
    }

    @Test func aReadGoesToTheNext() {
        var exchange = exchange("GET")
        _ = start(&exchange)
        _ = exchange.connected(isReused: false)
        let step = exchange.lost("gone")
        #expect(step.action == .connect(b, mayReuse: true))
        #expect(step.failed == attempt(a, "gone"))
    }

    @Test func aReadOnAnOldConnectionIsTriedOnANewOneFirst() {
        var exchange = exchange("GET")
        _ = start(&exchange)
        _ = exchange.connected(isReused: true)
        #expect(exchange.lost("gone") == .init(action: .connect(a, mayReuse: false)))
        _ = exchange.connected(isReused: false)
        #expect(exchange.lost("gone").action == .connect(b, mayReuse: true))
    }

    @Test func aReadThatAMemberDeclinesGoesToTheNext() {
        var exchange = exchange("GET")
        _ = start(&exchange)
        _ = exchange.connected(isReused: true)
        let step = exchange.declined("a loop")
        #expect(step?.action == .connect(b, mayReuse: true))
        #expect(step?.failed == attempt(a, "a loop"))
        _ = exchange.connected(isReused: false)
        #expect(exchange.declined("a loop") == nil, "its answer is passed on: nobody is left")
        var write = self.exchange("PUT")
        _ = start(&write)
        _ = write.connected(isReused: false)
        #expect(write.declined("a loop") == nil, "its body is gone")
    }

    @Test func aReadsBodyIsKeptIfItIsShort() {
        for (body, isSentAgain) in [(["1234", "5678"], true), (["1234", "56789"], false)] {
            var exchange = exchange("GET")
            _ = start(&exchange)
            _ = exchange.connected(isReused: false)
            for bytes in body {
                let goesOn = exchange.received(ByteBuffer(string: bytes))
                #expect(goesOn)
            }
            let step = exchange.lost("gone")
            #expect((step.action == .connect(b, mayReuse: true)) == isSentAgain)
            guard isSentAgain else { continue }
            let again = exchange.connected(isReused: false)
            #expect(again.map(String.init(buffer:)) == body)
        }
    }

    @Test func afterTheAnswerHasBegunItIsCut() {
        for method in ["GET", "PUT"] {
            var exchange = exchange(method)
            _ = start(&exchange)
            _ = exchange.connected(isReused: false)
            exchange.answered()
            #expect(exchange.lost("gone") == .init(action: .cut))
        }
    }

    @Test func refusalsBeginWithEtcdsWords() {
        #expect(
            Refusal.allRest([attempt(a, "refused")]).text.hasPrefix(
                "proxy: zero endpoints currently available"))
        #expect(Refusal.allRest([]).status == .serviceUnavailable)
        #expect(Refusal.allFailed([]).status == .serviceUnavailable)
        #expect(
            Refusal.noEndpoints(lastAnswer: "http://p:1 refused").text.contains("http://p:1"))
    }
}
