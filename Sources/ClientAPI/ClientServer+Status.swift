internal import Cluster
internal import KVServer
internal import KeyStore
internal import RaftModel

/// How this member is. Source: `reference/client-api.md` §9 and §10.
extension ClientServer {
    func version() -> Answer {
        body.append(MemberVersions.json(server: .served, cluster: engine.clusterVersion))
        return Answer(.ok, .json)
    }

    /// From the engine's state, at once: a member is healthy that knows a leader and serves.
    func health() -> Answer {
        if engine.isHealthy, engine.isReadable {
            body.append("{\"health\": \"true\"}")
            return Answer(.ok, .plainText)
        }
        body.append("{\"health\": \"false\"}\n")
        return .page(.serviceUnavailable)
    }

    func statsSelf() -> Answer {
        let leadership = engine.leadership
        let counters = engine.counters
        body.append("{\"name\":")
        body.append(jsonString: engine.configuration.attributes.name)
        body.append(",\"id\":\"")
        body.append(hex: engine.configuration.member.rawValue)
        body.append("\",\"state\":\"")
        body.append(leadership.role == .leader ? "StateLeader" : "StateFollower")
        body.append("\",\"startTime\":\"")
        body.append(rfc3339: startedAt)
        body.append("\",\"leaderInfo\":{\"leader\":\"")
        body.append(hex: leadership.leader.rawValue)
        body.append("\",\"uptime\":\"")
        body.append(duration: max(0, Self.unixNanoseconds() - leadership.sinceWall))
        body.append("\",\"startTime\":\"")
        body.append(rfc3339: leadership.sinceWall)
        body.append("\"},\"recvAppendRequestCnt\":")
        body.append(decimal: counters.appendsReceived)
        body.append(",\"sendAppendRequestCnt\":")
        body.append(decimal: counters.appendsSent)
        body.append("}")
        return Answer(.ok, .json)
    }
}

extension ClientServer {
    /// What the store has counted. Unlike etcd's, a failure is never counted as a success.
    func statsStore() -> Answer {
        let statistics = engine.store.statistics
        body.append("{")
        for (name, count) in zip(StoreStatistics.counterNames, statistics.counters) {
            body.append(jsonString: name)
            body.append(":")
            body.append(decimal: count)
            body.append(",")
        }
        body.append("\"watchers\":")
        body.append(decimal: statistics.watchers)
        body.append("}")
        return Answer(.ok, .json)
    }

    /// How long the followers take to answer. Only a leader knows.
    func statsLeader() -> Answer {
        guard engine.leadership.role == .leader else {
            return message("not current leader", Answer(.forbidden, .json))
        }
        body.append("{\"leader\":\"")
        body.append(hex: engine.configuration.member.rawValue)
        body.append("\",\"followers\":{")
        for (position, peer) in (reporter?.peerLatencies() ?? []).enumerated() {
            body.append(position == 0 ? "\"" : ",\"")
            body.append(hex: peer.member.rawValue)
            body.append("\":")
            body.append(text: peer.json)
        }
        body.append("}}")
        return Answer(.ok, .json)
    }
}

extension ByteWriter {
    /// As Go prints durations: `1h2m3.5s`, `434.746026ms`, `17µs`, `0s`.
    mutating func append(duration nanoseconds: Int64) {
        precondition(nanoseconds >= 0, "durations here are not negative")
        let total = UInt64(nanoseconds)
        if total < 1_000_000_000 {
            appendBelowSecond(total)
            return
        }
        let seconds = total / 1_000_000_000
        if seconds >= 3600 {
            append(decimal: seconds / 3600)
            append("h")
        }
        if seconds >= 60 {
            append(decimal: seconds / 60 % 60)
            append("m")
        }
        append(decimal: seconds % 60)
        append(fraction: total % 1_000_000_000, digits: 9)
        append("s")
    }

    private mutating func appendBelowSecond(_ nanoseconds: UInt64) {
        switch nanoseconds {
        case 0: append("0s")
        case 1..<1000:
            append(decimal: nanoseconds)
            append("ns")
        case 1000..<1_000_000:
            append(decimal: nanoseconds / 1000)
            append(fraction: nanoseconds % 1000, digits: 3)
            append("µs")
        default:
            append(decimal: nanoseconds / 1_000_000)
            append(fraction: nanoseconds % 1_000_000, digits: 6)
            append("ms")
        }
    }
}
