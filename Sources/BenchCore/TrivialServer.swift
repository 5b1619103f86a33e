internal import CEpoll
internal import Glibc
internal import Synchronization

/// Answers every request with the same bytes, those of an etcd's answer to a small put.
///
/// It exists to measure the generator: as little work as a server can do that still takes whole
/// requests, keeps connections and pipelines. Its parser is the generator's, so both sides cost
/// about the same. One thread; `run()` blocks.
package final class TrivialServer: Sendable {
    /// The URL it listens at, with the port it got.
    package let url: String
    private let listener: Int32
    private let stopDescriptor: Int32
    private let answered = Atomic<Int>(0)
    private static let roomBytes = 256 << 10

    /// `answerCountAtOnce` answers back to back: pipelined requests are answered in one call.
    private static let answers = (0..<answerCountAtOnce).flatMap { _ in answer }
    private static let answerCountAtOnce = 64
    private static let answer: [UInt8] = {
        let body =
            #"{"action":"set","node":{"key":"/bench/0000000000000001","value":""# + "x"
            + #"","modifiedIndex":5,"createdIndex":5}}"# + "\n"
        return Array(
            """
            HTTP/1.1 200 OK\r
            Content-Type: application/json\r
            X-Etcd-Cluster-Id: cdf818194e3a8c32\r
            X-Etcd-Index: 5\r
            X-Raft-Index: 6\r
            X-Raft-Term: 2\r
            Date: Mon, 23 Nov 2026 09:54:22 GMT\r
            Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """.utf8)
    }()

    private final class Client {
        let descriptor: Int32
        var parser = MessageParser(.requests)
        var partial: [UInt8] = []
        var unsent: [UInt8] = []
        init(_ descriptor: Int32) { self.descriptor = descriptor }
    }

    /// Binds; port 0 takes a free one. Throws `.badURL` or `.system`.
    package init(listen: String) throws(BenchError) {
        let endpoint = try Endpoint(url: listen)
        let (descriptor, port) = try Socket.listening(at: endpoint)
        listener = descriptor
        stopDescriptor = eventfd(0, Int32(EFD_CLOEXEC))
        guard stopDescriptor >= 0 else {
            Socket.close(descriptor)
            throw .system("eventfd", errno)
        }
        let host = endpoint.hostAndPort.split(separator: ":").dropLast().joined(separator: ":")
        url = "http://\(host):\(port)"
    }

    deinit {
        Socket.close(listener)
        Socket.close(stopDescriptor)
    }

    /// Requests answered so far. From any thread.
    package var answerCount: Int { answered.load(ordering: .relaxed) }

    /// Makes `run()` return. From any thread.
    package func stop() { SignalWatch.workerDone(stopDescriptor) }

    /// Serves until `stop()`, then drops all connections. May be called again.
    package func run() throws(BenchError) {
        let poller = try Poller()
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.roomBytes, alignment: 16)
        defer { room.deallocate() }
        var clients: [Int: Client] = [:]
        defer { for client in clients.values { Socket.close(client.descriptor) } }
        poller.add(listener, token: Int(listener), forWriting: false)
        poller.add(stopDescriptor, token: Int(stopDescriptor), forWriting: false)
        while true {
            for number in 0..<poller.wait(timeout: 1_000_000_000) {
                let event = poller[number]
                if event.token == Int(stopDescriptor) {
                    var count: UInt64 = 0
                    _ = read(stopDescriptor, &count, MemoryLayout<UInt64>.size)
                    return
                }
                if event.token == Int(listener) {
                    while let descriptor = Socket.accepted(listener) {
                        clients[Int(descriptor)] = Client(descriptor)
                        poller.add(descriptor, token: Int(descriptor), forWriting: false)
                    }
                } else if let client = clients[event.token], !serve(client, event, room, poller) {
                    Socket.close(client.descriptor)
                    clients[event.token] = nil
                }
            }
        }
    }

    /// False: the connection is over.
    private func serve(
        _ client: Client, _ event: Poller.Event, _ room: UnsafeMutableRawBufferPointer,
        _ poller: borrowing Poller
    ) -> Bool {
        if event.isWritable, !client.unsent.isEmpty {
            return send(UnsafeRawBufferPointer(start: nil, count: 0), client, poller)
        }
        let kept = client.partial.count
        guard kept < room.count else { return false }
        client.partial.withUnsafeBytes { room.copyMemory(from: $0) }
        switch Socket.receive(
            client.descriptor, into: UnsafeMutableRawBufferPointer(rebasing: room[kept...]))
        {
        case .nothing: return true
        case .ended, .failed: return false
        case .bytes(let count):
            client.partial.removeAll(keepingCapacity: true)
            let bytes = UnsafeRawBufferPointer(rebasing: room[..<(kept + count)])
            guard let requestCount = take(bytes, client) else { return false }
            return answer(requestCount, client, poller)
        }
    }

    private func answer(
        _ requestCount: Int, _ client: Client, _ poller: borrowing Poller
    ) -> Bool {
        answered.add(requestCount, ordering: .relaxed)
        var rest = requestCount
        while rest > 0 {
            let count = min(rest, Self.answerCountAtOnce)
            rest -= count
            let isSent = Self.answers.withUnsafeBytes {
                let bytes = $0[..<(count * Self.answer.count)]
                return send(UnsafeRawBufferPointer(rebasing: bytes), client, poller)
            }
            if !isSent { return false }
        }
        return true
    }

    /// How many requests ended in `bytes`; nil: these are no requests.
    private func take(_ bytes: UnsafeRawBufferPointer, _ client: Client) -> Int? {
        var position = 0
        var requestCount = 0
        // A local copy: every access to a class's variable is checked for exclusivity.
        var parser = client.parser
        defer { client.parser = parser }
        while true {
            guard let step = try? parser.next(bytes, &position) else { return nil }
            switch step {
            case .head, .body: break
            case .end: requestCount += 1
            case .needMore:
                client.partial.append(contentsOf: bytes[position...])
                return requestCount
            }
        }
    }

    private func send(
        _ bytes: UnsafeRawBufferPointer, _ client: Client, _ poller: borrowing Poller
    ) -> Bool {
        let hadUnsent = !client.unsent.isEmpty
        if hadUnsent {
            client.unsent += bytes
            guard let count = client.unsent.withUnsafeBytes({ Socket.send(client.descriptor, $0) })
            else { return false }
            client.unsent.removeFirst(count)
        } else {
            guard let count = Socket.send(client.descriptor, bytes) else { return false }
            client.unsent += bytes[count...]
        }
        if hadUnsent != !client.unsent.isEmpty {
            poller.change(
                client.descriptor, token: Int(client.descriptor),
                forWriting: !client.unsent.isEmpty)
        }
        return true
    }
}
