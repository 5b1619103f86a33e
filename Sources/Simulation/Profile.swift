import StorageIO

/// A kind of run: which faults there are, how often, and what must have happened in the end.
package struct Profile: Sendable {
    package var name: String
    package var purpose: String
    /// How many members a cluster may begin with.
    package var members: [Int]
    /// Faults, with the mean time between two of a kind, in milliseconds of virtual time.
    package var faults: [(kind: Fault.Kind, everyMilliseconds: Int)]
    /// Whether messages may be lost, repeated, late and out of order.
    package var network: Bool
    /// Whether snapshots are frequent and the log is short.
    package var snapshots: Bool
    package var promises: [Coverage.Counter]

    package static func named(_ name: String) -> Profile? { all.first { $0.name == name } }

    package static let all: [Profile] = [
        everything, calm, network, crashes, disks, membership, snapshots, clocks, rot,
    ]

    static let everything = Profile(
        name: "everything", purpose: "all that can go wrong, in one run", members: [1, 3, 3, 5, 7],
        faults: [
            (.split, 4000), (.oneWay, 6000), (.bridge, 8000), (.flapping, 8000),
            (.isolateLeader, 5000), (.kill, 2500), (.powerLoss, 2500), (.powerLossAtCall, 2500),
            (.killLeader, 3500), (.powerLossOfAll, 20_000), (.diskFull, 3000), (.diskSlow, 5000),
            (.diskError, 8000), (.pause, 5000), (.clockJump, 5000), (.clockDrift, 9000),
            (.addMember, 6000), (.removeMember, 7000), (.updateMember, 9000), (.transfer, 5000),
            (.snapshot, 5000), (.rot, 6000),
        ],
        network: true, snapshots: true,
        promises: calm.promises + network.promises + crashes.promises + disks.promises
            + membership.promises + snapshots.promises + clocks.promises)

    static let calm = Profile(
        name: "calm", purpose: "nothing goes wrong", members: [1, 3, 5], faults: [],
        network: false, snapshots: false,
        promises: [
            .messageDelivered, .leader, .writeAcknowledged, .writeRefusedByStore,
            .readLinearizable, .readPlain, .watchEvent, .historyChecked, .storesCompared,
            .endedInAgreement,
        ])

    static let network = Profile(
        name: "network", purpose: "messages are lost, late, repeated, overtaken and cut off",
        members: [3, 3, 4, 5, 7],
        faults: [
            (.split, 1500), (.oneWay, 2000), (.bridge, 3000), (.flapping, 3000),
            (.isolateLeader, 2000),
        ],
        network: true, snapshots: false,
        promises: [
            .messageLost, .messageDuplicated, .messageReordered, .messageCut, .partitionSplit,
            .partitionOneWay, .partitionBridge, .partitionFlapping, .leaderIsolated, .preCandidate,
            .candidate, .voteGranted, .voteRejected, .voteIgnored, .leaderChanged, .quorumLost,
            .higherTermSeen, .lowerTermIgnored, .logTruncated, .writeAmbiguous,
        ])

    static let crashes = Profile(
        name: "crashes", purpose: "members die at any moment, power fails inside any call",
        members: [1, 3, 3, 5],
        faults: [
            (.kill, 800), (.powerLoss, 800), (.powerLossAtCall, 600), (.killLeader, 1500),
            (.powerLossOfAll, 6000),
        ],
        network: false, snapshots: true,
        promises: [
            .processKilled, .powerLost, .powerLostInCall, .killedBeforeReport, .leaderLost,
            .restarted, .tornTailCut, .watchRestarted,
        ])

    static let disks = Profile(
        name: "disks", purpose: "disks are full, slow, and fail calls", members: [3, 3, 5],
        faults: [
            (.diskFull, 2000), (.diskSlow, 1500), (.diskError, 1500), (.powerLossAtCall, 2000),
        ],
        network: false, snapshots: true,
        promises: [
            .diskSlow, .diskFull, .diskBackAgain, .diskError, .memberStoppedByDisk, .segmentCut,
        ])

    static let membership = Profile(
        name: "membership", purpose: "members come and go while others fail",
        members: [1, 2, 3, 3, 4],
        faults: [
            (.addMember, 1200), (.removeMember, 1500), (.updateMember, 3000), (.transfer, 2500),
            (.kill, 2500), (.powerLoss, 3000), (.split, 4000), (.isolateLeader, 4000),
        ],
        network: true, snapshots: true,
        promises: [
            .memberAdded, .memberRemoved, .memberUpdated, .leadershipTransferred, .transferStarted,
        ])

    static let snapshots = Profile(
        name: "snapshots", purpose: "snapshots and compaction at the worst moments",
        members: [3, 3, 5],
        faults: [
            (.snapshot, 500), (.split, 1500), (.isolateLeader, 2500), (.kill, 1500),
            (.powerLossAtCall, 1200), (.oneWay, 3000), (.addMember, 4000), (.removeMember, 5000),
        ],
        network: true, snapshots: true,
        promises: [
            .snapshotSaved, .snapshotSent, .snapshotInstalled, .snapshotNeeded, .segmentReleased,
            .logCompacted, .watchCleared,
        ])

    static let clocks = Profile(
        name: "clocks", purpose: "clocks jump and drift, members stand still", members: [3, 3, 5],
        faults: [
            (.clockJump, 800), (.clockDrift, 1500), (.pause, 1000), (.killLeader, 4000),
        ],
        network: false, snapshots: false,
        promises: [.wallClockJumped, .clockDrifted, .memberPaused, .keyExpired])

    static let rot = Profile(
        name: "rot", purpose: "one member's files lose bits, or more, while it is down",
        members: [3, 3, 5],
        faults: [(.rot, 1200), (.kill, 3000), (.powerLoss, 4000), (.snapshot, 3000)],
        network: false, snapshots: true,
        promises: [.rotPlanted, .rotRefused, .rotSalvaged, .rotHarmless, .rejoined])
}
