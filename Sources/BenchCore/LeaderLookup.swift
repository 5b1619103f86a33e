internal import FoundationEssentials
internal import Glibc

/// Asks a cluster who leads it. Blocking, before a run.
package enum LeaderLookup {
    private struct Member: Decodable {
        var name: String
        var clientURLs: [String]
    }

    /// The leader's endpoint: one of `endpoints` if it is among them, else the first client URL
    /// that the cluster knows of it.
    ///
    /// Asks each endpoint in turn, and all again until `patience` is over: an election may be under
    /// way. Throws `.noLeader`, with the last reason.
    package static func leader(
        of endpoints: [Endpoint], patience: Duration = .seconds(10)
    ) throws(BenchError) -> Endpoint {
        let deadline = MonotonicClock.now() + patience.nanosecondsClamped
        var reason = "nobody answered"
        repeat {
            for endpoint in endpoints {
                do throws(BenchError) {
                    let answer = try HTTPExchange.get("/v2/members/leader", at: endpoint)
                    guard answer.status == 200 else {
                        reason = "status \(answer.status) from \(endpoint.url)"
                        continue
                    }
                    if let leader = try endpointOfLeader(answer.body, among: endpoints) {
                        return leader
                    }
                    reason = "the leader has not published a client URL"
                } catch {
                    reason = error.problem
                }
            }
            usleep(100_000)
        } while MonotonicClock.now() < deadline
        throw BenchError(
            .noLeader(urls: endpoints.map(\.url), reason: reason),
            advice: "Start a majority of the members, or leave --target-leader out.")
    }

    static func endpointOfLeader(
        _ body: [UInt8], among endpoints: [Endpoint]
    ) throws(BenchError) -> Endpoint? {
        guard let member = try? JSONDecoder().decode(Member.self, from: Data(body)) else {
            return nil
        }
        var published: [Endpoint] = []
        for url in member.clientURLs { published.append(try Endpoint(url: url)) }
        return endpoints.first { given in published.contains { $0.address == given.address } }
            ?? published.first
    }
}

/// One request and its whole answer, on a connection of its own.
enum HTTPExchange {
    struct Answer {
        var status: Int
        var body: [UInt8]
    }

    private static let timeout: Nanoseconds = 5_000_000_000
    private static let bodyBytesMax = 1 << 20

    static func get(_ path: String, at endpoint: Endpoint) throws(BenchError) -> Answer {
        let poller = try Poller(eventCountMax: 1)
        let link = Link(endpoint, token: 0)
        defer { link.close(retryAt: .max) }
        let deadline = MonotonicClock.now() + timeout
        try link.startConnecting(poller, now: MonotonicClock.now())
        while !link.isOpen {
            try awaitReady(poller, endpoint, deadline)
            if let code = link.finishConnecting(poller, now: MonotonicClock.now()) {
                throw .noConnection(endpoint, errnoText(code))
            }
        }
        let request = "GET \(path) HTTP/1.1\r\nHost: \(endpoint.hostAndPort)\r\n\r\n"
        guard Array(request.utf8).withUnsafeBytes({ link.send($0, poller) }) else {
            throw .noConnection(endpoint, "closed by the server")
        }
        return try receive(link, poller, deadline)
    }

    private static func receive(
        _ link: Link, _ poller: borrowing Poller, _ deadline: Nanoseconds
    ) throws(BenchError) -> Answer {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bodyBytesMax, alignment: 16)
        defer { room.deallocate() }
        var answer = Answer(status: 0, body: [])
        while true {
            try awaitReady(poller, link.endpoint, deadline)
            switch link.receive(into: room) {
            case .nothing: continue
            case .failed(let code): throw .noConnection(link.endpoint, errnoText(code))
            case .ended:
                if link.parser.connectionEnded() { return answer }
                throw .noConnection(link.endpoint, "closed by the server")
            case .bytes(let count):
                let bytes = UnsafeRawBufferPointer(rebasing: room[..<count])
                if try take(bytes, link, &answer) { return answer }
            }
        }
    }

    /// True: the answer is complete.
    private static func take(
        _ bytes: UnsafeRawBufferPointer, _ link: Link, _ answer: inout Answer
    ) throws(BenchError) -> Bool {
        var position = 0
        do throws(MessageParser.Malformed) {
            while true {
                switch try link.parser.next(bytes, &position) {
                case .head(let status): answer.status = status
                case .body(let range):
                    guard answer.body.count + range.count <= bodyBytesMax else {
                        throw MessageParser.Malformed(description: "an answer beyond 1 MiB")
                    }
                    answer.body += bytes[range]
                case .end: return true
                case .needMore:
                    link.keep(UnsafeRawBufferPointer(rebasing: bytes[position...]))
                    return false
                }
            }
        } catch {
            throw .noConnection(link.endpoint, "not an HTTP server (\(error))")
        }
    }

    private static func awaitReady(
        _ poller: borrowing Poller, _ endpoint: Endpoint, _ deadline: Nanoseconds
    ) throws(BenchError) {
        let now = MonotonicClock.now()
        guard now < deadline, poller.wait(timeout: deadline - now) > 0 else {
            throw .noConnection(endpoint, "no answer within 5 seconds")
        }
    }
}
