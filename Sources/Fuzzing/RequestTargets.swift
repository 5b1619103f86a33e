import ClientAPI
import NIOCore
import NIOEmbedded

extension FuzzTarget {
    private static let httpTokens = [
        "GET ", "PUT ", "POST ", "DELETE ", "HEAD ", "PATCH ", " HTTP/1.1\r\n", " HTTP/1.0\r\n",
        "\r\n", "\r\n\r\n", "\n", "Host: a\r\n", "Content-Length: ", "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Connection: Upgrade\r\n",
        "Upgrade: h2c\r\n", "Expect: 100-continue\r\n", "0\r\n\r\n", "5\r\nhello\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n", "/v2/keys/", "http://h", "\u{e9}",
        "ffffffffffffffff\r\n", "5;x=y\r\n", "Trailer: x\r\n",
    ]

    static let httpRequest = {
        var target = FuzzTarget("http-request", "a client's connection", tokens: httpTokens) {
            input in
            let whole = try read { channel throws(FuzzFinding) in try write(input, to: channel) }
            // Above ASCII a line is escaped and read again, which only the first of a read is.
            guard input.allSatisfy({ $0 < 0x80 }) else { return !whole.isEmpty }
            let cut = try read { channel throws(FuzzFinding) in
                var cuts = FuzzCuts(of: input)
                try cuts.forEach(of: input) { piece throws(FuzzFinding) in
                    try write(piece, to: channel)
                }
            }
            try require(whole == cut, "in one piece: \(whole); cut: \(cut)")
            return whole.contains { $0 != .refused }
        }
        target.beginningsMax = 128
        // The texts of requests, for comparison, are most of it.
        target.memoryPerByte = 1024
        return target
    }()

    private static func read(
        _ write: (EmbeddedChannel) throws(FuzzFinding) -> Void
    ) throws(FuzzFinding) -> [RequestBytes.Reading] {
        let channel = EmbeddedChannel()
        let readings = Readings()
        do {
            try RequestBytes.addReaders(to: channel) { readings.all.append($0) }
        } catch {
            throw FuzzFinding("no readers: \(error)")
        }
        try write(channel)
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return readings.all
    }

    private final class Readings {
        var all: [RequestBytes.Reading] = []
    }

    /// An error is the reader's refusal, which its readings have too.
    private static func write(
        _ bytes: UnsafeRawBufferPointer, to channel: EmbeddedChannel
    ) throws(FuzzFinding) {
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    private static let formTokens = [
        "value=", "ttl=", "prevValue=", "prevIndex=", "prevExist=", "refresh=", "dir=",
        "recursive=", "sorted=", "wait=", "waitIndex=", "quorum=", "stream=", "noValueOnSuccess=",
        "minIndex=", "limit=", "after=", "version=", "keysOnly=", "count=", "true", "false", "&",
        ";",
        "%", "%41", "%zz", "%7", "+", "\n",
    ]

    /// A byte for the method, a query up to the line's end, a form.
    static let keysForm = {
        var target = FuzzTarget(
            "keys-form", "parameters of a key: query and form", tokens: formTokens
        ) { input in
            let method = input.first ?? 0
            let rest = UnsafeRawBufferPointer(rebasing: input.dropFirst())
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
            let query = UnsafeRawBufferPointer(rebasing: rest[..<end])
            let form = UnsafeRawBufferPointer(rebasing: rest[min(end + 1, rest.count)...])
            guard
                let read = RequestBytes.keysParameters(method, query: query, form: form)
            else { return false }
            try require(read.isSettled, "written again it is something else: \(read.text)")
            return true
        }
        target.memoryPerByte = 256
        return target
    }()

    /// A byte for the method, then the target of a request line.
    static let requestTarget = FuzzTarget(
        "request-target", "the target of a request",
        tokens: [
            "/v2/keys/", "/v2/members/", "/v2/auth/users/", "..", ".", "//", "/", "%2f", "%2e", "%",
            "?", "http://h", "/v2/stats/", "%00", "%ff",
        ]
    ) { input in
        let line = UnsafeRawBufferPointer(rebasing: input.dropFirst())
        let route = RequestBytes.route(line, method: input.first ?? 0)
        return route != "bad" && route != "absent"
    }
}
