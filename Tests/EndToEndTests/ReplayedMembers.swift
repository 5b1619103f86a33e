import Foundation
import ProcessSupport
import RaftModel
import Synchronization

/// Peer ports that answer as the captured etcd 2.3.8 members m1 and m3 did, for a kvd that takes the
/// place of m2. What kvd asks and says is kept; what they say to it is a test's to decide.
///
/// One object stands for both: they share the listing, and each request names its port.
final class ReplayedMembers: Sendable {
    static let m1 = MemberID(0x2e24_6aaa_25c0_f9d0)
    static let m2 = MemberID(0x5bc9_0d10_9e46_9951)
    static let m3 = MemberID(0x90ca_d651_021c_b5bf)
    static let cluster = "d1e696e5d3cb959e"

    struct Asked: Sendable {
        var by: Int
        /// Request line and headers.
        var head: String
    }

    private struct State {
        var asked: [Asked] = []
        /// Messages that kvd posted, in order of arrival.
        var posted: [Message] = []
        /// Bodies of POST /raft as they came.
        var bodies: [[UInt8]] = []
        var streams: [String: Int32] = [:]
        var sockets: [Int32] = []
        var isOver = false
        /// They are down: who connects is cut off.
        var areDown = false
    }

    private let state = Mutex(State())
    /// Of m1 and m3.
    let ports: [Int]
    let peerPort: Int
    let clientPort: Int

    init() throws {
        let free = try FreePorts.take(4).sorted()
        // What replaces captured ports has five digits, too.
        precondition(free.allSatisfy { $0 >= 10_000 })
        ports = [free[0], free[1]]
        (peerPort, clientPort) = (free[2], free[3])
        for port in ports { try listen(port) }
    }

    deinit { stop() }

    func stop() {
        // Locked: a socket that is closed meanwhile may be another test's by now.
        state.withLock { state in
            state.isOver = true
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            state.sockets = []
        }
    }

    var asked: [Asked] { state.withLock { $0.asked } }
    var posted: [Message] { state.withLock { $0.posted } }
    var bodies: [[UInt8]] { state.withLock { $0.bodies } }
    func areDown(_ areDown: Bool) { state.withLock { $0.areDown = areDown } }
    func forget() { state.withLock { ($0.posted, $0.bodies) = ([], []) } }

    // MARK: Captured bytes

    /// With the ports of this run in place of the captured ones.
    func captured(_ name: String) throws -> [UInt8] {
        let url = ProcessSupport.packageFolder.appendingPathComponent("Fixtures/peer/\(name)")
        var bytes = [UInt8](try Data(contentsOf: url))
        let pairs = [(22412, ports[0]), (22432, ports[1]), (22422, peerPort), (22420, clientPort)]
        for (old, new) in pairs {
            let (from, to) = (Array("127.0.0.1:\(old)".utf8), Array("127.0.0.1:\(new)".utf8))
            var place = 0
            while place + from.count <= bytes.count {
                if bytes[place] == from[0], bytes[place..<(place + from.count)].elementsEqual(from)
                {
                    bytes.replaceSubrange(place..<(place + from.count), with: to)
                }
                place += 1
            }
        }
        return bytes
    }

    private var listing: String {
        func member(_ id: MemberID, _ name: String, _ port: Int, isStarted: Bool) -> String {
            let rest = isStarted ? #","name":"\#(name)","clientURLs":["http://127.0.0.1:1"]"# : ""
            return #"{"id":\#(id.rawValue),"peerURLs":["http://127.0.0.1:\#(port)"]\#(rest)}"#
        }
        return "["
            + [
                member(Self.m1, "m1", ports[0], isStarted: true),
                member(Self.m2, "m2", peerPort, isStarted: false),
                member(Self.m3, "m3", ports[1], isStarted: true),
            ].joined(separator: ",") + "]\n"
    }

    // MARK: What they say

    /// Writes to the stream of this kind that kvd has dialled of the member at `port`; false: none.
    func write(_ bytes: [UInt8], to kind: String, of port: Int) -> Bool {
        guard let socket = state.withLock({ $0.streams["\(kind) \(port)"] }) else { return false }
        let chunk = Array((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + [13, 10]
        return send(chunk, to: socket)
    }

    func hasStream(_ kind: String, of port: Int) -> Bool {
        state.withLock { $0.streams["\(kind) \(port)"] != nil }
    }

    /// A message by POST, with the headers of a 2.3.8; gives the status.
    func post(_ message: Message) throws -> Int {
        let body = message.encoded()
        let head = """
            POST /raft HTTP/1.1\r
            Host: 127.0.0.1:\(peerPort)\r
            User-Agent: Go-http-client/1.1\r
            Content-Length: \(body.count)\r
            Content-Type: application/protobuf\r
            X-Etcd-Cluster-Id: \(Self.cluster)\r
            X-Min-Cluster-Version: 2.2.0\r
            X-Server-From: \(message.from)\r
            X-Server-Version: 2.3.8\r
            Accept-Encoding: gzip\r
            \r

            """
        let client = try LoopbackHTTP(port: peerPort)
        try client.send(Array(head.utf8) + body)
        return try client.readResponse(to: "POST").status
    }

    // MARK: The ports

    private func listen(_ port: Int) throws {
        let socket = try Sockets.listen(port)
        state.withLock { $0.sockets.append(socket) }
        Thread.detachNewThread { [weak self] in
            while true {
                let accepted = accept(socket, nil, nil)
                guard accepted >= 0, let self else { break }
                guard keep(accepted) else { break }
                Thread.detachNewThread { [weak self] in
                    self?.serve(accepted, port)
                    self?.drop(accepted)
                    close(accepted)
                }
            }
            close(socket)
        }
    }

    private func keep(_ socket: Int32) -> Bool {
        state.withLock { state in
            guard !state.isOver else { return false }
            if state.areDown { shutdown(socket, Int32(SHUT_RDWR)) }
            state.sockets.append(socket)
            return true
        }
    }

    private func drop(_ socket: Int32) {
        state.withLock { state in state.sockets.removeAll { $0 == socket } }
    }

    private func serve(_ socket: Int32, _ port: Int) {
        var input = Input(socket: socket)
        while let head = input.head() {
            state.withLock { $0.asked.append(Asked(by: port, head: head)) }
            let words = head.split(separator: " ").map(String.init)
            guard words.count > 2 else { return }
            switch (words[0], words[1]) {
            case ("GET", "/members"): answer(socket, "application/json", listing)
            case ("GET", "/version"):
                answer(
                    socket, "application/json",
                    #"{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}"#)
            case ("GET", "/raft/probing"):
                answer(
                    socket, "text/plain", "{\"OK\":true,\"Now\":\"2026-11-23T10:05:22.55Z\"}\n")
            case ("POST", "/raft"):
                guard let body = input.body(of: head), let message = try? Message.decode(body)
                else { return }
                state.withLock { state in
                    state.posted.append(message)
                    state.bodies.append(body)
                }
                let line = "HTTP/1.1 204 No Content\r\nX-Etcd-Cluster-Id: \(Self.cluster)\r\n\r\n"
                guard send(Array(line.utf8), to: socket) else { return }
            case ("GET", _) where words[1].hasPrefix("/raft/stream/"):
                let kind = words[1].split(separator: "/")[2]
                let line =
                    "HTTP/1.1 200 OK\r\nX-Etcd-Cluster-Id: \(Self.cluster)\r\n"
                    + "X-Server-Version: 2.3.8\r\nTransfer-Encoding: chunked\r\n\r\n"
                guard send(Array(line.utf8), to: socket) else { return }
                state.withLock { $0.streams["\(kind) \(port)"] = socket }
                _ = input.head()  // until kvd leaves
                state.withLock { state in
                    if state.streams["\(kind) \(port)"] == socket {
                        state.streams["\(kind) \(port)"] = nil
                    }
                }
                return
            default:
                _ = send(
                    Array("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".utf8), to: socket)
            }
        }
    }

    private func answer(_ socket: Int32, _ type: String, _ body: String) {
        let text =
            "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nX-Etcd-Cluster-Id: \(Self.cluster)\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        _ = send(Array(text.utf8), to: socket)
    }

    private func send(_ bytes: [UInt8], to socket: Int32) -> Bool {
        Sockets.send(bytes[...], to: socket)
    }
}

/// What comes in on a socket: heads, and bodies of a known length.
private struct Input {
    let socket: Int32
    private var bytes: [UInt8] = []

    init(socket: Int32) { self.socket = socket }

    /// Nil: the other side is gone.
    mutating func head() -> String? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            for place in bytes.indices.dropLast(3) where bytes[place..<(place + 4)] == end[...] {
                let text = String(decoding: bytes[..<place], as: UTF8.self)
                bytes.removeFirst(place + 4)
                return text
            }
            guard receive() else { return nil }
        }
    }

    mutating func body(of head: String) -> [UInt8]? {
        let line = head.lowercased().split(separator: "\r\n").first {
            $0.hasPrefix("content-length:")
        }
        guard let line, let count = Int(line.dropFirst("content-length: ".count)) else {
            return []
        }
        while bytes.count < count {
            guard receive() else { return nil }
        }
        defer { bytes.removeFirst(count) }
        return Array(bytes[..<count])
    }

    private mutating func receive() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        bytes += buffer[..<count]
        return true
    }
}
