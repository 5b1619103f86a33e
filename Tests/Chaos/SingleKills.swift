import Foundation
import ProcessSupport
import StorageIO

/// `kill -9` of a cluster of one in the middle of a load, again and again: what was acknowledged is
/// there after the start that follows, and at the end.
package enum SingleKills {
    package struct Report: Sendable {
        package var kills = 0
        package var acknowledged = 0

        package var summary: String {
            "\(kills) times kill -9: \(acknowledged) acknowledged writes, none lost"
        }
    }

    package static func run(count: Int, seed: UInt64) throws -> Report {
        var random = SplitMix64(seed: seed, purpose: Chaos.Purpose.kills)
        // Snapshots are being taken most of the time.
        let cluster = try KvdCluster(
            size: 1,
            extra: [
                "--heartbeat-interval", "20", "--election-timeout", "200", "--snapshot-count",
                "200", "--max-snapshots", "2",
            ])
        let writes = AcknowledgedWrites()
        let port = cluster.clientPorts[0]
        try cluster.start(0)
        for round in 0..<count {
            try cluster.waitReady()
            if round > 0 { try check(writes, round: round - 1, port: port) }
            let writers = writes.start(round: round, ports: Array(repeating: port, count: 4))
            // Not a wait for anything: the moment of the kill.
            MachineClock.sleep(nanoseconds: random.between(5, 120) * Chaos.millisecond)
            cluster.killNine(0)
            writers.wait()
            try cluster.start(0)
        }
        try cluster.waitReady()
        for round in 0..<count { try check(writes, round: round, port: port) }
        return Report(kills: count, acknowledged: writes.count)
    }

    private static func check(_ writes: AcknowledgedWrites, round: Int, port: Int) throws {
        let missing = try writes.missing(round: round, port: port)
        guard missing.isEmpty else {
            throw ChaosFailure(
                "after kill \(round): \(missing.count) acknowledged writes are lost, such as "
                    + "\(missing.prefix(3))")
        }
    }
}
