/// How often each thing happened that a simulation is there for.
package struct Coverage: Sendable {
    package enum Counter: Int, CaseIterable, Sendable {
        // The network.
        case messageDelivered, messageLost, messageDuplicated, messageReordered, messageCut
        case partitionSplit, partitionOneWay, partitionBridge, partitionFlapping, leaderIsolated
        // Ends and starts.
        case processKilled, powerLost, powerLostInCall, killedBeforeReport, leaderLost
        case restarted, startFailed, tornTailCut, memberPaused
        // Disks.
        case diskSlow, diskFull, diskBackAgain, diskError, memberStoppedByDisk
        case rotPlanted, rotRange, rotLostFile, rotRefused, rotSalvaged, rotHarmless, memberReplaced
        // Clocks.
        case wallClockJumped, clockDrifted
        // Members.
        case memberAdded, memberRemoved, memberUpdated, memberChangeRefused, memberChangeAmbiguous
        case leadershipTransferred
        // Snapshots and the log's segments.
        case snapshotSaved, snapshotFailed, snapshotSent, snapshotInstalled, snapshotTransferCut
        case segmentCut, segmentReleased, logTruncated, logCompacted
        // Raft.
        case followerAgain, preCandidate, candidate, leader, electionPutOff
        case voteGranted, voteRejected, voteIgnored, leaderChanged, quorumLost
        case higherTermSeen, lowerTermIgnored, transferStarted, transferAborted
        case snapshotNeeded, snapshotIgnored, confChangeRefused, removalPutOff, proposalsDropped
        case rejoined, acknowledgementsForgotten
        // Clients.
        case writeAcknowledged, writeRefusedByStore, writeAmbiguous, writeRefused
        case readLinearizable, readPlain, readGated, readFailed
        case watchEvent, watchRestarted, watchCleared, keyExpired
        case historyChecked, storesCompared, endedInAgreement
    }

    private var counts = [UInt64](repeating: 0, count: Counter.allCases.count)

    package init() {}

    package subscript(counter: Counter) -> UInt64 { counts[counter.rawValue] }

    package mutating func count(_ counter: Counter, _ times: UInt64 = 1) {
        counts[counter.rawValue] += times
    }

    package mutating func add(_ other: Coverage) {
        for i in counts.indices { counts[i] += other.counts[i] }
    }

    /// Those of `promised` that never happened.
    package func missing(of promised: [Counter]) -> [Counter] {
        promised.filter { self[$0] == 0 }
    }

    /// A table of all, for people.
    package var table: String {
        Counter.allCases.map { counter in
            let number = String(self[counter])
            let padding = String(repeating: " ", count: max(1, 12 - number.utf8.count))
            return "\(padding)\(number)  \(counter)"
        }.joined(separator: "\n")
    }
}
