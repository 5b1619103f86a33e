import BenchCore
import ProcessSupport
import RaftModel

/// Callers of the peer port that belong to no cluster, to another one, or say that they are anybody.
extension Scenario {
    static let strangers = [
        Scenario(
            name: "strangers", purpose: "unknown clusters, unknown members, made-up messages",
            onslaughts: { victim, scale in
                [scale.onslaught(callers(victim), count: 6000, rate: 600)]
            },
            check: { victim in
                let status = try victim.request("GET", "/v2/stats/self")
                return status.json["state"] as? String == "StateLeader"
                    ? nil : "the member lost its leadership to a stranger: \(status.text)"
            })
    ]

    private static func callers(_ victim: Victim) -> [Script] {
        var random = SplitMix64(seed: 11)
        var scripts: [Script] = []
        let leaves = Script.Ending.hangsUp(after: .milliseconds(200))
        for _ in 0..<150 {
            let stranger = MemberID(random.next() | 1)
            let other = String(random.next(), radix: 16)
            let urls = "X-PeerURLs: http://127.0.0.1:\(1 + random.next(below: 1000))\r\n"
            for kind in ["message", "msgapp"] {
                let stream =
                    "GET /raft/stream/\(kind)/\(String(stranger.rawValue, radix: 16)) HTTP/1.1\r\nHost: h\r\n"
                scripts += [
                    Script(
                        .peer, stream + victim.peerHeaders(cluster: other) + "\r\n", leaves),
                    Script(
                        .peer,
                        stream + victim.peerHeaders(cluster: victim.clusterID) + urls + "\r\n",
                        leaves),
                ]
            }
            for kind in [Message.Kind.vote, .append, .heartbeat, .snapshot, .timeoutNow] {
                var message = Message(kind)
                message.from = stranger
                message.to = MemberID(UInt64(victim.memberID, radix: 16) ?? 0)
                message.term = 1 << 40
                message.index = .max
                scripts.append(post(message, to: victim.clusterID, victim, leaves))
                message.from = message.to
                scripts.append(post(message, to: victim.clusterID, victim, leaves))
            }
            let lost = Message(.heartbeat, to: stranger, from: stranger, term: 5)
            scripts.append(post(lost, to: victim.clusterID, victim, leaves))
            scripts.append(post(lost, to: other, victim, leaves))
        }
        return scripts
    }

    private static func post(
        _ message: Message, to cluster: String, _ victim: Victim, _ ending: Script.Ending
    ) -> Script {
        let body = message.encoded()
        let head =
            "POST /raft HTTP/1.1\r\nHost: h\r\n" + victim.peerHeaders(cluster: cluster)
            + "Content-Length: \(body.count)\r\n\r\n"
        return Script(.peer, Array(head.utf8) + body, ending)
    }
}

extension Victim {
    /// What a member of `cluster` says of itself with every request.
    func peerHeaders(cluster: String) -> String {
        "X-Etcd-Cluster-ID: \(cluster)\r\nX-Server-Version: 2.3.8\r\n"
            + "X-Min-Cluster-Version: 2.0.0\r\nX-Raft-To: \(memberID)\r\n"
    }

    /// A message that is going to be taken, as far as its headers tell; without its length.
    var raftHead: String { post(to: "/raft") }

    func post(to path: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: h\r\n" + peerHeaders(cluster: clusterID)
    }
}
