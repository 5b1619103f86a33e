import StorageIO

/// What stays the same for a whole run: how the network, the disks, the members and the clients are.
/// Drawn from the seed, within what the profile allows.
package struct Weather: Equatable, Sendable {
    // The network. Times in microseconds.
    package var lossPerMille = 0
    package var duplicatePerMille = 0
    package var delayMin = 100
    package var delayMax = 1000
    /// Whether messages between two members keep their order, as on a stream.
    package var keepsOrder = true
    package var answerLossPerMille = 0
    // Disks.
    package var syncMicroseconds = 500
    package var segmentBytes = 64 << 10
    // Members.
    package var members = 3
    package var electionTicks = 10
    package var turnMicroseconds = 50
    package var snapshotEntries: UInt64 = 1000
    package var snapshotFilesMax = 3
    package var catchUpEntries = 500
    package var verifyEntries: UInt64 = 100
    package var historyEventsMax = 10_000
    package var isStrictAboutMembers = false
    /// Whether members that die never remember who was a kvd: older ones did not.
    package var forgetsKvds = false
    // Clients.
    package var clients = 6
    package var watchers = 3
    package var thinkMicroseconds = 20_000
    package var keys = 6
    package var readPercent = 40
    package var ttlPercent = 3
    package var timeoutMilliseconds = 3000

    package init() {}

    init(_ profile: Profile, _ random: inout SplitMix64) {
        members = random.pick(profile.members)
        electionTicks = random.pick([10, 10, 5, 3])
        turnMicroseconds = random.pick([1, 50, 500])
        clients = random.pick([3, 6, 12])
        keys = random.pick([1, 4, 10])
        readPercent = random.pick([20, 40, 70])
        thinkMicroseconds = random.pick([2000, 20_000, 50_000])
        timeoutMilliseconds = random.pick([500, 3000, 8000])
        delayMax = random.pick([300, 1000, 5000])
        syncMicroseconds = random.pick([50, 500, 3000])
        verifyEntries = random.pick([0, 16, 100])
        historyEventsMax = random.pick([100, 10_000])
        isStrictAboutMembers = random.chance(percent: 30)
        if profile.network { drawNetwork(&random) }
        if profile.snapshots { drawSnapshots(&random) }
        forgetsKvds = random.chance(percent: 30)
    }

    private mutating func drawNetwork(_ random: inout SplitMix64) {
        lossPerMille = random.pick([0, 5, 20, 100])
        duplicatePerMille = random.pick([0, 10, 100])
        delayMax = random.pick([300, 5000, 30_000, 200_000])
        keepsOrder = random.coin()
        answerLossPerMille = random.pick([0, 5, 30])
    }

    private mutating func drawSnapshots(_ random: inout SplitMix64) {
        snapshotEntries = random.pick([10, 50, 300])
        snapshotFilesMax = random.pick([1, 2, 5])
        catchUpEntries = random.pick([0, 5, 50])
        segmentBytes = random.pick([16 << 10, 64 << 10, 256 << 10])
        historyEventsMax = random.pick([20, 100, 10_000])
    }

    /// The same, each with one thing made simpler: what a shorter run may do with.
    var simplifications: [Weather] {
        var all: [Weather] = []
        func add(_ change: (inout Weather) -> Void) {
            var simpler = self
            change(&simpler)
            if simpler != self { all.append(simpler) }
        }
        add { ($0.lossPerMille, $0.duplicatePerMille, $0.answerLossPerMille) = (0, 0, 0) }
        add { $0.keepsOrder = true }
        add { $0.delayMax = min($0.delayMax, 300) }
        add { $0.watchers = 0 }
        add { $0.clients = min($0.clients, 3) }
        add { $0.verifyEntries = 0 }
        add { $0.ttlPercent = 0 }
        add { $0.forgetsKvds = false }
        return all
    }
}
