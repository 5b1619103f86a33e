/// Everything that can be too large.
extension Scenario {
    static let oversized = [
        Scenario(
            name: "oversized-client",
            purpose: "heads, bodies, keys, depths, targets, chunks, counts"
        ) { _, scale in
            [scale.onslaught(parts(.client, put) + clientBodies, count: 100, rate: 10)]
        },
        Scenario(
            name: "oversized-peer", purpose: "the same on the peer port, and claims of 500 MB"
        ) { victim, scale in
            let scripts = parts(.peer, victim.raftHead) + peerBodies(victim)
            return [scale.onslaught(scripts, count: 50, rate: 5)]
        },
    ]

    private static let mebibyte = 1 << 20
    private static let form = "Content-Type: application/x-www-form-urlencoded\r\n"
    private static let put = "PUT /v2/keys/large HTTP/1.1\r\nHost: h\r\n" + form
    private static let leaves = Script.Ending.hangsUp(after: .seconds(2))

    /// `opening` and then `count` times `filler`.
    private static func long(
        _ port: Script.Port, _ opening: String, _ filler: String, _ count: Int
    ) -> Script {
        var script = Script(port, opening, leaves)
        // In pieces that are worth a system call.
        let times = max(1, min(count, 65_536 / filler.utf8.count))
        script.filler = Array(String(repeating: filler, count: times).utf8)
        script.fillerCount = count / times
        return script
    }

    private static func letters(_ count: Int) -> String { String(repeating: "x", count: count) }

    /// What any HTTP server may be sent.
    private static func parts(_ port: Script.Port, _ head: String) -> [Script] {
        let kibibyte = letters(1024)
        return [
            long(port, "GET /", kibibyte, 4096),
            long(port, "GET /v2/keys/a?x=", kibibyte, 4096),
            long(port, letters(64), kibibyte, 4096),
            long(port, "GET / HTTP/1.1\r\nHost: h\r\nX-Long: ", kibibyte, 4096),
            long(port, "GET / HTTP/1.1\r\nHost: h\r\n" + letters(64), kibibyte, 4096),
            long(port, "GET / HTTP/1.1\r\nHost: h\r\n", "X-A: b\r\n", 200_000),
            long(port, "GET / HTTP/1.1\r\nHost: h\r\n", "X-A: \(kibibyte)\r\n", 4096),
            // A chunk's extension, chunks of one byte, trailers.
            long(port, head + "Transfer-Encoding: chunked\r\n\r\n5;x=", kibibyte, 4096),
            long(
                port, head + "Transfer-Encoding: chunked\r\n\r\n", "1;x=\(kibibyte)\r\nv\r\n", 4096),
            long(port, head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nv\r\n", 200_000),
            long(port, head + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-A: b\r\n", 200_000),
            long(port, head + "Transfer-Encoding: chunked\r\n\r\n000000000000", "0", 100_000),
        ]
    }

    private static var clientBodies: [Script] {
        let piece = letters(64 << 10)
        let deep = String(repeating: "/a", count: 2000)
        let json = "POST /v2/members HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        let user = "PUT /v2/auth/users/u HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        let nested = String(repeating: "[", count: 100_000)
        return [
            long(.client, put + "Content-Length: \(64 * mebibyte)\r\n\r\nvalue=", piece, 1024),
            long(.client, put + "Content-Length: 9000000000000000000\r\n\r\nvalue=", piece, 512),
            long(.client, put + "Transfer-Encoding: chunked\r\n\r\n4000000\r\n", piece, 1024),
            long(.client, put + "Content-Length: \(20 * mebibyte)\r\n\r\n", "a=b&", 5 * mebibyte),
            long(.client, json + "Content-Length: \(64 * mebibyte)\r\n\r\n", piece, 1024),
            long(.client, user + "Content-Length: 100000\r\n\r\n", nested, 1),
            long(.client, user + "Content-Length: \(64 * mebibyte)\r\n\r\n", piece, 1024),
            Script(
                .client, "PUT /v2/keys/\(letters(40_000))?value=1 HTTP/1.1\r\nHost: h\r\n\r\n",
                leaves),
            Script(
                .client, "GET /v2/keys/\(letters(900_000)) HTTP/1.1\r\nHost: h\r\n\r\n", leaves),
            Script(.client, "PUT /v2/keys\(deep)?value=1 HTTP/1.1\r\nHost: h\r\n\r\n", leaves),
            Script(.client, "GET /v2/keys\(deep)?wait=true HTTP/1.1\r\nHost: h\r\n\r\n", leaves),
            Script(
                .client,
                "GET /v2/keys/a?waitIndex=99999999999999999999&wait=true HTTP/1.1\r\nHost: h\r\n\r\n",
                leaves),
        ]
    }

    private static func peerBodies(_ victim: Victim) -> [Script] {
        let piece = letters(64 << 10)
        let snapshot = victim.post(to: "/raft/snapshot")
        return [
            long(.peer, victim.raftHead + "Content-Length: \(500 * mebibyte)\r\n\r\n", piece, 1024),
            long(.peer, victim.raftHead + "Content-Length: \(64 * mebibyte)\r\n\r\n", piece, 1024),
            long(
                .peer, victim.raftHead + "Content-Length: 9000000000000000000\r\n\r\n", piece, 1024),
            long(
                .peer, victim.raftHead + "Transfer-Encoding: chunked\r\n\r\n4000000\r\n", piece,
                1024),
            long(.peer, snapshot + "Content-Length: 9000000000000000000\r\n\r\n", piece, 1024),
            long(.peer, snapshot + "Content-Length: \(64 * mebibyte)\r\n\r\n", piece, 1024),
        ]
    }
}
