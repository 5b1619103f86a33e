import NIOCore
import NIOEmbedded
import Testing

@testable import ClientAPI

/// What one connection's requests cost the others. The loop is turned by hand: what has been answered
/// between two turns is what somebody else would have waited for.
@Suite struct LoopShareTests {
    /// A member on a loop that stands still.
    private final class Member {
        let loop = EmbeddedEventLoop()
        private let node: SingleNodeLoop

        init() throws {
            node = SingleNodeLoop(loop, port: 1, ClientServerConfiguration())
            node.tick()
            // Until it leads.
            for _ in 0..<100 { loop.advanceTime(by: .milliseconds(20)) }
        }

        /// One more turn, if something is to be done in it.
        func turn() { loop.advanceTime(by: RestingConnections.pause) }

        /// - Parameter sendTime: passes whenever something is sent to it.
        func client(sendTime: TimeAmount = .zero) throws -> Client {
            try Client(node.server, loop, sendTime)
        }
    }

    private final class Client {
        private let channel: EmbeddedChannel

        init(_ server: ClientServer, _ loop: EmbeddedEventLoop, _ sendTime: TimeAmount) throws {
            channel = EmbeddedChannel(handler: SlowSocket(loop, sendTime), loop: loop)
            try server.initialize(channel)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

        func get(_ key: String, count: Int = 1) throws {
            try send(
                String(repeating: "GET /v2/keys/\(key) HTTP/1.1\r\nHost: h\r\n\r\n", count: count))
        }

        func put(_ key: String, valueBytes: Int) throws {
            try send(
                "PUT /v2/keys/\(key) HTTP/1.1\r\nHost: h\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\n"
                    + "Content-Length: \(valueBytes + 6)\r\n\r\nvalue="
                    + String(repeating: "v", count: valueBytes))
        }

        /// Answers since the last call.
        func answersCount() throws -> Int { try count("HTTP/1.1 200 OK") }

        /// Bytes sent since the last call.
        func bytesCount() throws -> Int {
            var count = 0
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                count += bytes.readableBytes
            }
            return count
        }

        func eventsCount() throws -> Int { try count("\"action\":\"set\"") }

        private func count(_ mark: String) throws -> Int {
            var text = ""
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                text += String(buffer: bytes)
            }
            return text.split(separator: mark, omittingEmptySubsequences: false).count - 1
        }
    }

    private final class SlowSocket: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private let loop: EmbeddedEventLoop
        private let sendTime: TimeAmount

        init(_ loop: EmbeddedEventLoop, _ sendTime: TimeAmount) {
            (self.loop, self.sendTime) = (loop, sendTime)
        }

        func flush(context: ChannelHandlerContext) {
            context.flush()
            if sendTime > .zero { loop.advanceTime(by: sendTime) }
        }
    }

    private let portionBytes = RestingConnections.portionBytes

    private func withMember(valueBytes: Int, _ body: (Member) throws -> Void) throws {
        let member = try Member()
        let writer = try member.client()
        try writer.put("large", valueBytes: valueBytes)
        try writer.put("small", valueBytes: 1)
        member.loop.run()
        let reader = try member.client()
        try reader.get("large")
        try #require(try reader.answersCount() == 1)
        try body(member)
    }

    @Test func aPipelineIsAnsweredAShareATurn() throws {
        try withMember(valueBytes: 64 << 10) { member in
            let heavy = try member.client()
            let light = try member.client()
            try heavy.get("large", count: 100)
            #expect(try heavy.answersCount() == 1)
            var answered = 1
            while answered < 100 {
                // Whoever comes now does not stand behind what is left.
                try light.get("small")
                #expect(try light.answersCount() == 1)
                member.turn()
                let more = try heavy.answersCount()
                #expect((1...portionBytes / LoopShare.bytesMax).contains(more))
                guard more > 0 else { break }
                answered += more
            }
            #expect(answered == 100)
        }
    }

    @Test func aLargeAnswerIsSentASliceATurn() throws {
        let size = 4 * portionBytes
        try withMember(valueBytes: size) { member in
            let heavy = try member.client()
            let light = try member.client()
            try heavy.get("large", count: 2)
            var (sent, turns) = (try heavy.bytesCount(), 0)
            #expect(sent < size / 2)
            while sent < 2 * size, turns < 100 {
                try light.get("small")
                #expect(try light.answersCount() == 1)
                member.turn()
                let more = try heavy.bytesCount()
                #expect(more < size / 2)
                (sent, turns) = (sent + more, turns + 1)
            }
            #expect(sent > 2 * size)
            // Who hangs up gets it all before.
            try heavy.send(
                "GET /v2/keys/large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            sent = 0
            for _ in 0..<100 where sent < size {
                member.turn()
                sent += try heavy.bytesCount()
            }
            #expect(sent > size)
        }
    }

    /// Small answers too: it is their number that costs.
    @Test func soAreManySmallRequests() throws {
        try withMember(valueBytes: 1) { member in
            let heavy = try member.client()
            try heavy.get("small", count: 1000)
            var answered = try heavy.answersCount()
            #expect((1...200).contains(answered))
            var turns = 0
            while answered < 1000, turns < 1000 {
                member.turn()
                answered += try heavy.answersCount()
                turns += 1
            }
            #expect(answered == 1000)
        }
    }

    /// Sending takes time, too: telling the next ones may not be due when it is over.
    @Test func manyWatchersAreToldAPortionATurn() throws {
        try withMember(valueBytes: 1) { member in
            let watchers = try (0..<100).map { _ in
                let watcher = try member.client(sendTime: .microseconds(60))
                try watcher.send(
                    "GET /v2/keys/small?wait=true HTTP/1.1\r\nHost: h\r\n\r\n")
                _ = try watcher.answersCount()
                return watcher
            }
            let writer = try member.client()
            let light = try member.client()
            try writer.put("small", valueBytes: 1)
            member.loop.run()
            var told = 0
            for _ in 0..<10 where told < 100 {
                try light.get("small")
                #expect(try light.answersCount() == 1)
                let more = try watchers.map { try $0.eventsCount() }.reduce(0, +)
                #expect((1...40).contains(more))
                told += more
                // Sending took the time of the pause, and more.
                member.loop.advanceTime(by: .milliseconds(2))
            }
            #expect(told == 100)
        }
    }

    /// Clients that ask one thing at a time, all at once.
    @Test func manyWhoAskForMuchTakeTurns() throws {
        try withMember(valueBytes: 256 << 10) { member in
            let crowd = try (0..<20).map { _ in try member.client() }
            let portion = portionBytes / (256 << 10)
            func answersCount() throws -> Int {
                try crowd.map { try $0.answersCount() }.reduce(0, +)
            }
            // Nothing is known of them yet.
            for client in crowd { try client.get("large") }
            #expect(try answersCount() == crowd.count)
            member.turn()

            for client in crowd { try client.get("large") }
            #expect(try answersCount() == 0)
            member.loop.run()
            #expect(try answersCount() == portion)
            var answered = portion
            while answered < crowd.count {
                member.turn()
                let more = try answersCount()
                #expect(more == min(portion, crowd.count - answered))
                guard more > 0 else { break }
                answered += more
            }
            // Who asks for little after that has a share like anybody.
            for client in crowd { try client.get("small") }
            answered = 0
            for _ in 0..<100 where answered < crowd.count {
                member.turn()
                answered += try answersCount()
            }
            #expect(answered == crowd.count)
            for client in crowd { try client.get("small") }
            #expect(try answersCount() == crowd.count)
        }
    }
}
