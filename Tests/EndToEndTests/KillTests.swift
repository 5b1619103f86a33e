import Chaos
import Foundation
import ProcessSupport
import Testing

/// `kill -9` in the middle of a load, again and again: no acknowledged write is ever lost.
///
/// A pause before each kill is drawn from a seed; it is no waiting for a condition.
@Suite(.serialized) struct KillTests {
    private var random = SeededRandom(seed: 20_261_123)

    @Test func oneMemberTwoHundredTimes() throws {
        let report = try SingleKills.run(count: 200, seed: 20_261_123)
        #expect(report.acknowledged > 1000, "the load was real")
    }

    @Test mutating func randomMembersOfThreeFiftyTimes() throws {
        let cluster = try KvdCluster(size: 3)
        let writes = AcknowledgedWrites()
        try cluster.startAll()
        try cluster.waitReady()
        for round in 0..<50 {
            let ports = (0..<6).map { cluster.clientPorts[$0 % 3] }
            let writers = writes.start(round: round, ports: ports)
            pause(milliseconds: 20...200)
            let victim = Int(random.next() % 3)
            cluster.killNine(victim)
            pause(milliseconds: 0...300)
            try cluster.start(victim)
            try cluster.waitReady()
            stop(writers, writes, cluster)
            try check(writes, round: round, cluster: cluster, on: round % 3)
        }
        for round in 0..<50 { try check(writes, round: round, cluster: cluster, on: 0) }
        #expect(writes.count > 1000 / Patience.factor, "the load was real")
    }

    @Test mutating func allThreeAtOnceTenTimes() throws {
        let cluster = try KvdCluster(size: 3)
        let writes = AcknowledgedWrites()
        try cluster.startAll()
        for round in 0..<10 {
            try cluster.waitReady()
            let ports = (0..<6).map { cluster.clientPorts[$0 % 3] }
            let writers = writes.start(round: round, ports: ports)
            pause(milliseconds: 50...300)
            for n in 0..<3 { cluster.killNine(n) }
            writers.wait()
            try cluster.startAll()
            try cluster.waitReady()
            for n in 0..<3 { try check(writes, round: round, cluster: cluster, on: n) }
        }
        #expect(writes.count > 500 / Patience.factor, "the load was real")
    }

    private func check(
        _ writes: AcknowledgedWrites, round: Int, cluster: KvdCluster, on member: Int
    ) throws {
        let missing = try writes.missing(round: round, port: cluster.clientPorts[member])
        #expect(
            missing.isEmpty, "round \(round): \(missing.count) lost, such as \(missing.prefix(3))")
    }

    /// Ends the writers of members that were not killed, by ending what they write to.
    private func stop(
        _ writers: DispatchGroup, _ writes: AcknowledgedWrites, _ cluster: KvdCluster
    ) {
        writes.stop()
        writers.wait()
        writes.resume()
    }

    private mutating func pause(milliseconds: ClosedRange<UInt64>) {
        let span = milliseconds.upperBound - milliseconds.lowerBound + 1
        usleep(UInt32(milliseconds.lowerBound + random.next() % span) * 1000)
    }
}

/// SplitMix64: the same numbers on every machine and toolchain.
struct SeededRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
