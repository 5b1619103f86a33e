import NIOCore
import NIOHTTP1
import Testing

@testable import ClientAPI

/// The two machines of a connection, without a channel.
@Suite struct RequestIntakeTests {
    private func head(
        _ method: HTTPMethod, _ headers: [(String, String)] = [("Host", "h")],
        minor: Int = 1
    ) -> HTTPServerRequestPart {
        .head(
            HTTPRequestHead(
                version: HTTPVersion(major: 1, minor: minor), method: method, uri: "/v2/keys/a",
                headers: HTTPHeaders(headers)))
    }

    private let form = ("Content-Type", "application/x-www-form-urlencoded")

    private func body(_ count: Int) -> HTTPServerRequestPart {
        .body(ByteBuffer(repeating: UInt8(ascii: "x"), count: count))
    }

    private func submitted(_ action: RequestIntake.Action) -> ClientRequest? {
        guard case .submit(let request) = action else { return nil }
        return request
    }

    @Test func putsABodyTogether() {
        var intake = RequestIntake.idle
        guard case .wait = intake.received(head(.PUT, [("Host", "h"), form])) else {
            Issue.record("a head is not a request yet")
            return
        }
        _ = intake.received(body(3))
        _ = intake.received(body(4))
        let request = submitted(intake.received(.end(nil)))
        #expect(request?.body?.readableBytes == 7)
        #expect(request?.facts.mediaType == MediaType(isForm: true))
        #expect(request?.isWrite == true)
        let isIdle = intake.isIdle
        #expect(isIdle)
    }

    @Test(arguments: [
        (RequestIntake.etcdFormBytesMax, true, false),
        (RequestIntake.etcdFormBytesMax + 1, true, true),
        (RequestIntake.otherBodyBytesMax, false, false),
        (RequestIntake.otherBodyBytesMax + 1, false, true),
    ])
    func boundsBodies(count: Int, isForm: Bool, isTooLarge: Bool) {
        var intake = RequestIntake.idle
        _ = intake.received(head(.PUT, isForm ? [("Host", "h"), form] : [("Host", "h")]))
        _ = intake.received(body(count - 1))
        _ = intake.received(body(1))
        _ = intake.received(body(100))
        let request = submitted(intake.received(.end(nil)))
        // The 100 bytes more are over any limit that the rest was within.
        #expect(request?.isBodyTooLarge == true)
        #expect(request?.body == nil)

        _ = intake.received(head(.PUT, isForm ? [("Host", "h"), form] : [("Host", "h")]))
        _ = intake.received(body(count))
        let exact = submitted(intake.received(.end(nil)))
        #expect(exact?.isBodyTooLarge == isTooLarge)
        #expect((exact?.body == nil) == isTooLarge)
    }

    @Test(arguments: [
        ([], 1, RequestFault.missingHost),
        ([("Host", "a"), ("host", "b")], 1, .tooManyHosts),
        ([("Host", "a"), ("Expect", "magic")], 1, .unknownExpectation),
    ])
    func refuses(headers: [(String, String)], minor: Int, fault: RequestFault) {
        var intake = RequestIntake.idle
        guard case .refuse(fault) = intake.received(head(.GET, headers, minor: minor)) else {
            Issue.record("\(headers) is refused with \(fault)")
            return
        }
        guard case .wait = intake.received(.end(nil)), case .wait = intake.failed(.malformed) else {
            Issue.record("after a fault nothing is looked at")
            return
        }
    }

    @Test func http10NeedsNoHost() {
        var intake = RequestIntake.idle
        _ = intake.received(head(.GET, [], minor: 0))
        let request = submitted(intake.received(.end(nil)))
        #expect(request?.framing == AnswerFraming(isHTTP10: true, keepsAlive: false))
    }

    @Test func expectContinue() {
        var intake = RequestIntake.idle
        let headers = [("Host", "a"), ("Expect", "100-Continue"), form]
        guard case .expectContinue = intake.received(head(.PUT, headers)) else {
            Issue.record("the client waits for 100 Continue")
            return
        }
    }

    @Test func upgradeEndsTheConnection() {
        var intake = RequestIntake.idle
        let headers = [("Host", "a"), ("Upgrade", "h2c"), ("Connection", "Upgrade")]
        _ = intake.received(head(.GET, headers))
        #expect(submitted(intake.received(.end(nil)))?.framing.keepsAlive == false)
    }
}

@Suite struct RequestOrderTests {
    private func request(
        _ method: HTTPMethod, keepsAlive: Bool = true
    ) -> RequestOrder.Arrival {
        var headers = HTTPHeaders([("Host", "h")])
        if !keepsAlive { headers.add(name: "Connection", value: "close") }
        let head = HTTPRequestHead(
            version: .http1_1, method: method, uri: "/v2/keys/a", headers: headers)
        return .request(ClientRequest(head: head, facts: HeadFacts(headers)))
    }

    /// What `next` says, as a short word.
    private func next(_ order: inout RequestOrder) -> String {
        switch order.next() {
        case .wait: "wait"
        case .start(.request(let request), let number): "\(request.head.method) \(number)"
        case .start(.fault(let fault), let number): "\(fault) \(number)"
        case .sendContinue: "continue"
        case .close(let lingers): lingers ? "linger" : "close"
        }
    }

    private func all(_ order: inout RequestOrder) -> [String] {
        var words: [String] = []
        while true {
            let word = next(&order)
            words.append(word)
            if word == "wait" || word == "close" || word == "linger" { return words }
        }
    }

    private func submit(_ methods: [HTTPMethod], to order: inout RequestOrder) {
        for method in methods { order.submit(request(method)) }
    }

    private let now = RequestOrder.Placement.now(AnswerFraming())
    private let later = RequestOrder.Placement.later(AnswerFraming())

    @Test func writesGoTogetherAndReadsWait() {
        var order = RequestOrder(firstNumber: 7, inFlightMax: 10)
        submit([.PUT, .POST, .GET, .PUT], to: &order)
        #expect(all(&order) == ["PUT 7", "POST 8", "wait"])
        #expect(order.placement(of: 7) == now)
        order.sent()
        #expect(all(&order) == ["wait"])
        order.sent()
        #expect(all(&order) == ["GET 9", "wait"])
        order.sent()
        #expect(all(&order) == ["PUT 10", "wait"])
    }

    @Test func startsAtOnceWhatNothingIsInTheWayOf() throws {
        var order = RequestOrder(firstNumber: 0, inFlightMax: 3)
        guard case .request(let put) = request(.PUT), case .request(let get) = request(.GET),
            case .request(let last) = request(.PUT, keepsAlive: false)
        else { return }
        #expect(order.startAtOnce(put) == 0)
        #expect(order.startAtOnce(put) == 1)
        #expect(order.startAtOnce(get) == nil)
        order.submit(.request(get))
        #expect(order.startAtOnce(put) == nil)
        order.sent()
        order.sent()
        #expect(all(&order) == ["GET 2", "wait"])
        order.sent()
        #expect(order.startAtOnce(last) == 3)
        #expect(order.startAtOnce(put) == nil)
        order.sent()
        #expect(all(&order) == ["close"])
    }

    @Test func answersLeaveInOrder() {
        var order = RequestOrder(firstNumber: .max, inFlightMax: 10)
        submit([.PUT, .PUT, .DELETE], to: &order)
        #expect(all(&order) == ["PUT \(UInt32.max)", "PUT 0", "DELETE 1", "wait"])
        #expect(order.placement(of: 1) == later)
        order.hold(ByteBuffer(string: "c"), of: 1)
        #expect(order.placement(of: 1) == .gone)
        #expect(order.placement(of: 0) == later)
        order.hold(ByteBuffer(string: "b"), of: 0)
        #expect(order.takeHeld() == nil)
        #expect(order.placement(of: .max) == now)
        order.sent()
        #expect(order.takeHeld() == ByteBuffer(string: "b"))
        #expect(order.takeHeld() == ByteBuffer(string: "c"))
        #expect(order.takeHeld() == nil)
        #expect(order.inFlightCount == 0)
    }

    @Test func staleNumbersAreGone() {
        var order = RequestOrder(firstNumber: 3, inFlightMax: 10)
        submit([.PUT], to: &order)
        #expect(all(&order) == ["PUT 3", "wait"])
        #expect(order.placement(of: 2) == .gone)
        #expect(order.placement(of: 4) == .gone)
        order.sent()
        #expect(order.placement(of: 3) == .gone)
    }

    @Test func connectionCloseIsTheLast() {
        var order = RequestOrder(firstNumber: 0, inFlightMax: 10)
        submit([.PUT], to: &order)
        order.submit(request(.PUT, keepsAlive: false))
        submit([.PUT], to: &order)
        #expect(all(&order) == ["PUT 0", "PUT 1", "wait"])
        order.sent()
        #expect(all(&order) == ["wait"])
        #expect(order.placement(of: 1) == .now(AnswerFraming(keepsAlive: false)))
        order.sent()
        #expect(all(&order) == ["close"])
        #expect(all(&order) == ["wait"])
    }

    @Test func aFaultIsAnsweredInItsTurn() {
        var order = RequestOrder(firstNumber: 0, inFlightMax: 10)
        submit([.PUT], to: &order)
        order.submit(.fault(.malformed))
        #expect(all(&order) == ["PUT 0", "wait"])
        order.sent()
        #expect(all(&order) == ["malformed 1", "wait"])
        order.sent()
        #expect(all(&order) == ["linger"])
        // What still comes is read and dropped.
        #expect(order.wantsInput)
    }

    @Test func boundsWhatIsInFlight() {
        var order = RequestOrder(firstNumber: 0, inFlightMax: 3)
        submit([.PUT, .PUT], to: &order)
        #expect(order.wantsInput)
        submit([.PUT, .PUT], to: &order)
        #expect(!order.wantsInput)
        #expect(all(&order) == ["PUT 0", "PUT 1", "PUT 2", "wait"])
        #expect(!order.wantsInput)
        order.sent()
        #expect(all(&order) == ["PUT 3", "wait"])
        order.sent()
        #expect(order.wantsInput)
    }

    @Test func continueWaitsForItsTurn() {
        var order = RequestOrder(firstNumber: 0, inFlightMax: 3)
        submit([.PUT], to: &order)
        #expect(all(&order) == ["PUT 0", "wait"])
        order.expectContinue()
        #expect(all(&order) == ["wait"])
        order.sent()
        #expect(all(&order) == ["continue", "wait"])
        // The body came without it: nothing is owed any more.
        order.expectContinue()
        submit([.PUT], to: &order)
        #expect(all(&order) == ["PUT 1", "wait"])
        order.sent()
        #expect(all(&order) == ["wait"])
    }

    @Test func endOfInputClosesAfterTheLastAnswer() {
        var order = RequestOrder(firstNumber: 0, inFlightMax: 3)
        submit([.PUT, .GET], to: &order)
        #expect(all(&order) == ["PUT 0", "wait"])
        order.inputEnded()
        #expect(all(&order) == ["wait"])
        order.sent()
        #expect(all(&order) == ["GET 1", "wait"])
        order.sent()
        #expect(all(&order) == ["close"])
    }

    @Test func endDropsWhatHasNotStarted() {
        var order = RequestOrder(firstNumber: 0, inFlightMax: 3)
        submit([.PUT, .GET], to: &order)
        #expect(all(&order) == ["PUT 0", "wait"])
        order.end()
        #expect(order.inFlightCount == 1)
        order.sent()
        #expect(all(&order) == ["close"])
    }
}
