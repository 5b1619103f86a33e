import Cluster
import KVServer
import Raft
import RaftModel
import Storage
import StorageIO

/// Faults as they come: whom they hit, and what they do.
extension World {
    /// Whether members of this run die at all.
    var crashes: Bool { !isMended && scenario.profile.faults.contains { $0.kind == .kill } }

    func begin(_ fault: Fault, number: Int) {
        guard !isMended else { return }
        var random = SplitMix64(seed: fault.draw)
        trace.note(now) { "fault: \(fault.kind.rawValue)" }
        switch fault.kind {
        case .split, .oneWay, .bridge, .flapping, .isolateLeader: cut(fault, number, &random)
        case .kill, .powerLoss, .powerLossAtCall, .killLeader, .powerLossOfAll:
            end(fault, &random)
        case .diskFull, .diskSlow, .diskError: spoilDisk(fault, number, &random)
        case .rot: rot(&random)
        case .pause: pause(fault, &random)
        case .clockJump, .clockDrift: turnClock(fault, &random)
        case .addMember, .removeMember, .updateMember, .transfer, .snapshot:
            act(fault, &random)
        }
    }

    func end(_ fault: Fault, number: Int) {
        if let pairs = cutPairs.removeValue(forKey: number) { network.heal(pairs) }
        if let slot = diskFaults.removeValue(forKey: number) {
            hosts[slot].diskSlowFactor = 1
            hosts[slot].storage.capacityBytes = nil
        }
        if fault.kind == .flapping, !isMended, let left = flappings[number], left > 0 {
            flappings[number] = left - 1
            begin(fault, number: number)
        }
    }

    private func pickHost(_ random: inout SplitMix64, running: Bool = true) -> Host? {
        let some = hosts.filter { !$0.isGone && $0.isRunning == running }
        return some.isEmpty ? nil : random.pick(some)
    }

    /// Of those that think they lead, the one of the latest term.
    var leaderHost: Host? {
        hosts.filter { $0.engine?.isLeader == true }
            .max { ($0.engine?.term ?? 0) < ($1.engine?.term ?? 0) }
    }

    // MARK: The network

    private func cut(_ fault: Fault, _ number: Int, _ random: inout SplitMix64) {
        let slots = hosts.filter { !$0.isGone }.map(\.slot)
        guard slots.count > 1 else { return }
        var pairs: [Int] = []
        func cutBetween(_ a: Int, _ b: Int) {
            pairs += [Network.pair(a, b), Network.pair(b, a)]
        }
        switch fault.kind {
        case .split:
            let side = slots.map { _ in random.coin() }
            for i in slots.indices {
                for j in slots.indices where i < j && side[i] != side[j] {
                    cutBetween(slots[i], slots[j])
                }
            }
            coverage.count(.partitionSplit)
        case .oneWay:
            let from = random.pick(slots)
            for to in slots where to != from && random.chance(percent: 70) {
                pairs.append(
                    random.coin() ? Network.pair(from, to) : Network.pair(to, from))
            }
            coverage.count(.partitionOneWay)
        case .bridge:
            // Two halves that only one member sees both of.
            guard slots.count > 2 else { return }
            let bridge = random.pick(slots)
            let rest = slots.filter { $0 != bridge }
            let middle = 1 + random.below(rest.count - 1)
            for a in rest[..<middle] { for b in rest[middle...] { cutBetween(a, b) } }
            coverage.count(.partitionBridge)
        case .flapping:
            let (a, b) = (random.pick(slots), random.pick(slots))
            if a != b { cutBetween(a, b) }
            flappings[number, default: 6] += 0
            coverage.count(.partitionFlapping)
        default:
            guard let leader = leaderHost else { return }
            for other in slots where other != leader.slot { cutBetween(leader.slot, other) }
            coverage.count(.leaderIsolated)
        }
        network.cut(pairs)
        cutPairs[number] = pairs
        let duration = fault.kind == .flapping ? fault.duration / 8 : fault.duration * 2
        add(.faultEnds(number), after: duration)
    }

    // MARK: Ends

    private func end(_ fault: Fault, _ random: inout SplitMix64) {
        let host = fault.kind == .killLeader ? leaderHost : pickHost(&random)
        guard let host else { return }
        switch fault.kind {
        case .powerLossOfAll:
            for host in hosts where host.isRunning { losePower(host, fault, &random) }
        case .powerLoss: losePower(host, fault, &random)
        case .powerLossAtCall:
            host.storage.inject(StorageFault(nth: 1 + random.below(60), .powerFailure))
        case .killLeader where random.coin(): losePower(host, fault, &random)
        default:
            coverage.count(.processKilled)
            host.kill()
            restart(host, fault)
        }
    }

    private func losePower(_ host: Host, _ fault: Fault, _ random: inout SplitMix64) {
        coverage.count(.powerLost)
        let survivors: SimulatedStorage.Survivors =
            switch random.below(4) {
            case 0: .nothing
            case 1: .everything
            default: .any
            }
        host.losePower(keeping: survivors)
        restart(host, fault)
    }

    private func restart(_ host: Host, _ fault: Fault) {
        guard host.isStartable else { return }
        host.isStarting = true
        add(.start(host.slot), after: fault.duration)
    }

    // MARK: Disks

    private func spoilDisk(_ fault: Fault, _ number: Int, _ random: inout SplitMix64) {
        guard let host = pickHost(&random) else { return }
        switch fault.kind {
        case .diskFull:
            host.diskFullUntil = now + fault.duration * 3
            host.storage.capacityBytes = host.storage.usedBytes + random.below(8192)
        case .diskSlow:
            coverage.count(.diskSlow)
            host.diskSlowFactor = random.pick([10, 100, 1000])
        default:
            coverage.count(.diskError)
            trace.note(now) { "a call to the disk of \(host.id) is to fail" }
            host.expectsDiskError = true
            let operation: StorageOperation = random.pick([
                .sync, .write, .rename, .open, .syncDirectory,
            ])
            host.storage.inject(StorageFault(operation, nth: 1 + random.below(4), .fail(5)))
            return
        }
        diskFaults[number] = host.slot
        add(.faultEnds(number), after: fault.duration * 3)
    }

    /// Of a file of one member that is down, or that is put down for it. Never of a second one before the
    /// first is whole again, and only where a majority is left.
    private func rot(_ random: inout SplitMix64) {
        guard judge.oracle.membership.ids.count > 2, allKnowTheMembers,
            work.isDone(judge.oracle.membership),
            !hosts.contains(where: \.isRotten),
            !hosts.contains(where: { $0.isGone && judge.oracle.membership[$0.id] != nil }),
            let host = pickHost(&random), judge.oracle.membership[host.id] != nil,
            let place = host.placeToRot(&random)
        else { return }
        host.kill()
        host.isRotten = true
        host.rot(place, &random)
        host.restartLater()
    }

    /// Who has not heard yet that another one is gone may need its vote, and that of the rotten one.
    private var allKnowTheMembers: Bool {
        let ids = judge.oracle.membership.ids
        return ids.allSatisfy { id in
            slot(of: id).flatMap { hosts[$0].engine }?.membership.ids == ids
        }
    }

    private func pause(_ fault: Fault, _ random: inout SplitMix64) {
        let host = random.coin() ? leaderHost : pickHost(&random)
        guard let host else { return }
        coverage.count(.memberPaused)
        host.pausedUntil = now + fault.duration * 3
    }

    private func turnClock(_ fault: Fault, _ random: inout SplitMix64) {
        guard let host = pickHost(&random) else { return }
        if fault.kind == .clockJump {
            coverage.count(.wallClockJumped)
            host.jumpWall(by: random.between(-3600, 3600) * Simulation.second)
        } else {
            coverage.count(.clockDrifted)
            host.setDrift(perMillion: random.between(-200_000, 200_000))
        }
    }
}

extension Host {
    struct PlaceToRot {
        var path: String
        /// Of bytes whose change a recovery must notice or can do without: nothing that only a torn write
        /// could have left as it is.
        var end: Int
        /// Whether a recovery must notice that the whole file is gone, or can do without it. Without the
        /// log's last segment it is as if it had never been.
        var isMissed: Bool
    }

    func placeToRot(_ random: inout SplitMix64) -> PlaceToRot? {
        guard let running, let vouched else { return nil }
        let directory = running.directory
        var paths =
            (try? storage.list(directory.walPath))?.filter { WALSegmentName($0) != nil }
            .map { "\(directory.walPath)/\($0)" } ?? []
        let lastSegment = paths.last
        paths += (try? running.snapshots.list())?.map { running.snapshots.path(of: $0) } ?? []
        paths += [directory.markPath, directory.votePath]
        let path = random.pick(paths)
        var end = storage.contents(of: path).lastIndex { $0 != 0 } ?? 0
        if path.utf8.elementsEqual("\(directory.walPath)/\(vouched.segment)".utf8) {
            end = vouched.bytes - 1
        }
        let isMissed = path != lastSegment && !path.hasSuffix("\(vouched.segment)")
        return end > 0 ? PlaceToRot(path: path, end: end, isMissed: isMissed) : nil
    }

    /// Mostly a bit; at times all that is written in a part of the file; or it is gone.
    func rot(_ place: PlaceToRot, _ random: inout SplitMix64) {
        let path = place.path
        let kind = random.below(10)
        if kind == 0, place.isMissed {
            storage.loseFile(path)
            world.coverage.count(.rotLostFile)
            world.trace.note(world.now) { "\(path) of \(id) is lost" }
        } else if kind <= 2 {
            var bytes = storage.contents(of: path)
            let start = random.below(place.end)
            let range = start...(start + random.below(place.end - start))
            for offset in range { bytes[offset] ^= 1 + UInt8(random.below(255)) }
            storage.replaceContents(of: path, with: bytes)
            world.coverage.count(.rotRange)
            world.trace.note(world.now) { "bytes \(range) of \(path) of \(id) rot" }
        } else {
            let offset = random.below(place.end)
            storage.flipBit(random.below(8), ofByte: offset, in: path)
            world.trace.note(world.now) { "byte \(offset) of \(path) of \(id) rots" }
        }
        world.coverage.count(.rotPlanted)
    }
}
