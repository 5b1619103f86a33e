/// Connections that are opened and then used slowly, or not at all.
extension Scenario {
    static let waiting = [
        Scenario(
            name: "slowloris", purpose: "heads that never end, a line every three seconds",
            endsWithin: .seconds(45)
        ) { _, scale in
            let ports: [Script.Port] = [.client, .peer]
            let scripts = ports.map { port in
                var script = Script(port, "GET /version HTTP/1.1\r\nHost: h\r\n")
                script.drip = Array("X-A: b\r\n".utf8)
                script.dripPause = .seconds(3)
                return script
            }
            return [scale.onslaught(scripts, count: 1000, rate: 1000)]
        },
        Scenario(
            name: "slow-bodies", purpose: "bodies that come a byte a second, on both ports"
        ) { victim, scale in
            let form =
                "PUT /v2/keys/slow HTTP/1.1\r\nHost: h\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\n"
            var scripts = [
                Script(.client, form + "Content-Length: 1000000\r\n\r\nvalue="),
                Script(.client, form + "Transfer-Encoding: chunked\r\n\r\nfffff\r\nvalue="),
                Script(.peer, victim.raftHead + "Content-Length: 1000000\r\n\r\n"),
                Script(.peer, victim.raftHead + "Transfer-Encoding: chunked\r\n\r\nfffff\r\n"),
            ]
            for n in scripts.indices { scripts[n].drip = [UInt8(ascii: "x")] }
            return [scale.onslaught(scripts, count: 1000, rate: 1000)]
        },
        Scenario(
            name: "idle", purpose: "half of them say nothing, half ask once and stay"
        ) { _, scale in
            let scripts = [
                Script(.client), Script(.client, "GET /version HTTP/1.1\r\nHost: h\r\n\r\n"),
            ]
            return [scale.onslaught(scripts, count: 10_000, rate: 3000)]
        },
        Scenario(
            name: "idle-peers", purpose: "the same on the peer port"
        ) { _, scale in
            let scripts = [
                Script(.peer), Script(.peer, "GET /version HTTP/1.1\r\nHost: h\r\n\r\n"),
            ]
            return [scale.onslaught(scripts, count: 5000, rate: 3000)]
        },
        Scenario(
            name: "peer-crowd", purpose: "more idle connections to the peer port than descriptors",
            flags: ["--max-connections", "500"], prepare: { try $0.limitDescriptors(to: 700) }
        ) { _, scale in
            // Fewer would prove nothing.
            [Onslaught([Script(.peer)], count: 4000, rate: 1000)]
        },
        Scenario(
            name: "hang-ups", purpose: "begun requests, watches and bodies, then a reset"
        ) { victim, scale in
            let begun = [
                "", "GE", "GET /version HTTP/1.1\r\n", "GET /version HTTP/1.1\r\nHost: h\r\n\r\n",
                "GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\n\r\n",
                "PUT /v2/keys/hung HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nvalue",
                "GET /v2/keys/w?quorum=true HTTP/1.1\r\nHost: h\r\n\r\n",
            ]
            let scripts =
                begun.map { Script(.client, $0, .hangsUp(after: .zero)) }
                + ["", victim.raftHead, victim.raftHead + "Content-Length: 9\r\n\r\nxx"].map {
                    Script(.peer, $0, .hangsUp(after: .zero))
                }
            return [scale.onslaught(scripts, count: 8000, rate: 800)]
        },
    ]
}
