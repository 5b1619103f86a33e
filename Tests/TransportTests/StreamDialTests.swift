import NIOCore
import NIOHTTP1
import Testing

@testable import Transport

@Suite struct StreamDialTests {
    private let short = TimeAmount.milliseconds(100)
    private let long = TimeAmount.seconds(1)

    @Test func redialsForEver() {
        var dial = StreamDial(delay: short, delayMax: long)
        #expect(dial.start() == .dial(attempt: 1))
        #expect(dial.start() == .none)
        var delays: [TimeAmount] = []
        for attempt: UInt64 in 1...30 {
            guard case .wait(let delay, attempt) = dial.failed(attempt: attempt) else {
                Issue.record("attempt \(attempt) was not followed by another")
                return
            }
            delays.append(delay)
            #expect(dial.woken(attempt: attempt) == .dial(attempt: attempt + 1))
        }
        #expect(delays.prefix(10).allSatisfy { $0 == short })
        #expect(delays[10...13].map(\.nanoseconds) == [200, 400, 800, 1000].map { $0 * 1_000_000 })
        #expect(delays.suffix(17).allSatisfy { $0 == long })
    }

    @Test func forgetsFailuresOnceOpen() {
        var dial = StreamDial(delay: short, delayMax: long)
        _ = dial.start()
        for attempt: UInt64 in 1...20 {
            _ = dial.failed(attempt: attempt)
            _ = dial.woken(attempt: attempt)
        }
        dial.opened(attempt: 21)
        #expect(dial.state == .open)
        #expect(dial.failed(attempt: 21) == .wait(short, attempt: 21))
        #expect(dial.woken(attempt: 21) == .dial(attempt: 22))
        #expect(dial.failed(attempt: 22) == .wait(short, attempt: 22))
    }

    @Test func ignoresWhatIsOver() {
        var dial = StreamDial(delay: short, delayMax: long)
        _ = dial.start()
        _ = dial.failed(attempt: 1)
        #expect(dial.failed(attempt: 1) == .none)
        #expect(dial.woken(attempt: 0) == .none)
        _ = dial.woken(attempt: 1)
        dial.opened(attempt: 1)
        #expect(dial.state == .dialling)
        dial.stop()
        #expect(dial.failed(attempt: 2) == .none)
        #expect(dial.woken(attempt: 2) == .none)
        #expect(dial.peerIsAlive() == .none)
        #expect(dial.start() == .none)
    }

    @Test func aCallCutsLongDelaysOnly() {
        var dial = StreamDial(delay: short, delayMax: long)
        _ = dial.start()
        _ = dial.failed(attempt: 1)
        #expect(dial.peerIsAlive() == .none)
        for attempt: UInt64 in 1...10 {
            _ = dial.woken(attempt: attempt)
            _ = dial.failed(attempt: attempt + 1)
        }
        #expect(dial.peerIsAlive() == .dial(attempt: 12))
        // The delay that was cut short comes to its end later, and must not dial again.
        #expect(dial.woken(attempt: 11) == .none)
    }
}

@Suite struct StreamAnswerTests {
    private func head(_ status: HTTPResponseStatus, _ headers: HTTPHeaders = [:])
        -> HTTPResponseHead
    {
        HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    }

    @Test func opensAndReads() {
        var answer = StreamAnswer.awaited
        let opened = answer.received(.head(head(.ok, ["x-kvd-features": "readindex, new"])))
        #expect(opened == .open(.readIndex))
        #expect(answer.received(.body(ByteBuffer(string: "x"))) == .read(ByteBuffer(string: "x")))
        #expect(answer.received(.end(nil)) == .fail(.ended))
        #expect(answer.closed(.ended) == .wait, "a failure is told once")
    }

    @Test func anEtcdMemberHasNoFeatures() {
        var answer = StreamAnswer.awaited
        #expect(answer.received(.head(head(.ok))) == .open([]))
    }

    @Test(arguments: [
        (404, DialFault.notRecognised("why")), (410, .removed), (412, .mismatch("why")),
        (500, .status(500, "why")), (204, .status(204, "why")),
    ])
    func tellsWhyItWasRefused(_ code: Int, _ fault: DialFault) {
        var answer = StreamAnswer.awaited
        #expect(answer.received(.head(head(.init(statusCode: code)))) == .wait)
        #expect(answer.received(.body(ByteBuffer(string: "why\nmore"))) == .wait)
        #expect(answer.received(.end(nil)) == .fail(fault))
    }

    @Test func theTextMayBeCutOff() {
        var answer = StreamAnswer.awaited
        _ = answer.received(.head(head(.notFound)))
        for _ in 0..<10_000 { _ = answer.received(.body(ByteBuffer(string: "0123456789"))) }
        guard case .fail(.notRecognised(let text)) = answer.closed(.ended) else {
            Issue.record("a refusal whose end is missing is a refusal")
            return
        }
        #expect(text.utf8.count <= 1040)
    }

    @Test func closesBeforeAnAnswer() {
        var answer = StreamAnswer.awaited
        #expect(answer.closed(.connection("reset")) == .fail(.connection("reset")))
    }
}
