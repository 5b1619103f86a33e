package import Cluster
package import KeyStore
package import Logging
import Raft
package import RaftModel

/// What an `Engine` needs to know that does not change while it runs. Durations in nanoseconds of
/// the monotonic clock.
package struct EngineConfiguration: Sendable {
    package var member: MemberID
    package var cluster: ClusterID
    /// What this member publishes about itself.
    package var attributes: MemberAttributes
    /// Ticks of a heartbeat interval each until an election; the timeout is drawn from this to
    /// twice this.
    package var electionTicks: Int
    package var heartbeatInterval: Duration
    /// Seeds the election jitter; any number, best different on every member.
    package var seed: UInt64
    /// Clients that may wait at once; more are refused.
    package var pendingMax = 65_536
    /// Commands in the log that are not committed yet, in bytes; more wait before the log.
    package var uncommittedBytesMax = 256 << 20
    package var store = Store.Options()
    /// `--snapshot-count` and `--snapshot-bytes`: see `SnapshotPolicy`.
    package var snapshotEntryCount: UInt64 = 10_000
    package var snapshotLogBytes = 64 << 20
    /// Entries that stay in memory behind a snapshot, for followers that are a little behind; etcd's.
    package var catchUpEntries = 5000
    /// Entries between comparisons of the members' stores; 0: never.
    package var verifyEntryCount: UInt64 = 10_000
    /// `--strict-reconfig-check`: see `Membership.keepsQuorum`.
    package var refusesUnsafeReconfiguration = false
    package var serverLog = Logger(label: "etcdserver")
    package var raftLog = Logger(label: "raft")

    package init(
        member: MemberID, cluster: ClusterID, attributes: MemberAttributes, electionTicks: Int,
        heartbeatInterval: Duration, seed: UInt64
    ) {
        precondition(member != .none, "id 0 is nobody")
        precondition(electionTicks > 1, "an election takes longer than a heartbeat")
        self.member = member
        self.cluster = cluster
        self.attributes = attributes
        self.electionTicks = electionTicks
        self.heartbeatInterval = heartbeatInterval
        self.seed = seed
    }

    /// How long a request waits for its answer: 5 s and two election timeouts, as etcd's.
    package var requestTimeout: Duration {
        .seconds(5) + heartbeatInterval * (2 * electionTicks)
    }
}

extension EngineConfiguration {
    var raft: Raft.Configuration {
        var raft = Raft.Configuration(id: member, electionTicks: electionTicks, seed: seed)
        raft.fastForwardsFirstElection = true
        raft.features = .etcd23
        raft.uncommittedBytesMax = uncommittedBytesMax
        return raft
    }
}

extension Duration {
    /// Whole nanoseconds; kvd's durations are far below the 292 years that fit.
    package var inNanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
