import RaftModel

@testable import Raft

/// A command's words: plain ones, and `name=value` ones.
struct Arguments {
    var plain: [String] = []
    var named: [String: String] = [:]

    init(_ words: ArraySlice<String>) throws {
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { named[parts[0]] = parts[1] } else { plain.append(word) }
        }
    }

    var ids: [UInt64] { plain.compactMap { UInt64($0) } }

    func id(_ position: Int = 0) throws -> UInt64 { try number(position) }

    func number(_ position: Int) throws -> UInt64 {
        guard position < plain.count, let number = UInt64(plain[position]) else {
            throw Interaction.BadCommand(description: "argument \(position + 1) is no number")
        }
        return number
    }

    func number(_ name: String, default fallback: UInt64 = 0) throws -> UInt64 {
        guard let text = named[name] else { return fallback }
        if text == "max" { return .max }
        guard let number = UInt64(text) else {
            throw Interaction.BadCommand(description: "\(name)= is no number")
        }
        return number
    }
}

extension Interaction {
    // MARK: Setting up

    ///     members 1 2 3 [features=etcd23] [prevote=off] [checkquorum=off] [inflight=N]
    ///             [uncommitted=BYTES] [message=BYTES] [rounds=N]
    ///     members 1 2 bootstrap=yes           as above, and the log begins with their conf changes
    ///     join 4                              a member with an empty disk, that knows nobody
    ///     restore 1 term=3 vote=2 commit=2 log=1,1,2 [snapshot=INDEX/TERM] [rejoin=yes]
    ///     restart 1, down 1, features 1 kvd|etcd23
    ///     kvds 1 2 3                          1 knows that 2 and 3 are kvds
    mutating func handleWorld(_ name: String, _ arguments: Arguments) throws -> Bool {
        switch name {
        case "members":
            try configure(arguments)
            if arguments.named["bootstrap"] == "yes" {
                for id in arguments.ids {
                    start(id, disk: TestDisk.bootstrapped(arguments.ids.count))
                }
                return true
            }
            let metadata = SnapshotMetadata(
                confState: ConfState(members: arguments.ids.map { MemberID($0) }))
            for id in arguments.ids {
                start(id, disk: TestDisk(snapshot: Snapshot(metadata: metadata)))
                try takeReadies(id)
            }
            output = []
        case "join":
            for id in arguments.ids { start(id, disk: TestDisk(snapshot: Snapshot())) }
        case "restore":
            let id = try arguments.id()
            start(id, disk: try disk(of: id, arguments))
        case "restart":
            for id in arguments.ids {
                guard let disk = members[id]?.disk else {
                    throw BadCommand(description: "no member \(id)")
                }
                start(id, disk: disk)
            }
        case "down":
            for id in arguments.ids { try with(id) { $0.isDown = true } }
        case "kvds":
            try with(arguments.id()) { member in
                for id in arguments.ids.dropFirst() { member.raft.setIsKvd(MemberID(id), true) }
            }
        case "features":
            let features: Raft.Features = arguments.plain.last == "etcd23" ? .etcd23 : .kvd
            for id in arguments.ids { try with(id) { $0.raft.setFeatures(features) } }
        default: return false
        }
        return true
    }

    private mutating func configure(_ arguments: Arguments) throws {
        if arguments.named["features"] == "etcd23" { configuration.features = .etcd23 }
        if arguments.named["prevote"] == "off" { configuration.features.preVote = false }
        if arguments.named["checkquorum"] == "off" { configuration.features.checkQuorum = false }
        configuration.inFlightMessagesMax = Int(try arguments.number("inflight", default: 512))
        configuration.uncommittedBytesMax = Int(
            try arguments.number("uncommitted", default: 1 << 20))
        configuration.messageBytesMax = Int(try arguments.number("message", default: 1 << 20))
        configuration.readRoundsMax = Int(try arguments.number("rounds", default: 4))
    }

    private func disk(of id: UInt64, _ arguments: Arguments) throws -> TestDisk {
        var metadata = SnapshotMetadata(confState: ConfState(members: ids.map { MemberID($0) }))
        if let known = members[id]?.disk.snapshot.metadata.confState { metadata.confState = known }
        if let text = arguments.named["snapshot"] {
            let numbers = text.split(separator: "/").compactMap { UInt64($0) }
            (metadata.index, metadata.term) = (numbers[0], numbers[1])
        }
        let terms = (arguments.named["log"] ?? "").split(separator: ",").compactMap { UInt64($0) }
        let entries = terms.enumerated().map { position, term in
            Entry(term: term, index: metadata.index + UInt64(position) + 1)
        }
        var disk = TestDisk(
            hardState: HardState(
                term: try arguments.number("term", default: terms.last ?? 0),
                vote: MemberID(try arguments.number("vote")),
                commit: try arguments.number("commit")),
            snapshot: Snapshot(metadata: metadata), entries: entries)
        disk.isRejoining = arguments.named["rejoin"] == "yes"
        return disk
    }

    // MARK: Calls on one member

    ///     campaign 1, timeout 1 12, tick 1 [count], propose 1 a b, conf 1 add|remove|update 4
    ///     nonvoters 1 4 5                     who else gets the log
    ///     read 1 7, transfer 1 2, compact 1 5, unreachable 1 2, void 1
    ///     snapshot 1 2, report 1 2 ok|failed
    ///     step append from=2 to=1 term=3 ...
    mutating func handleMember(_ name: String, _ arguments: Arguments) throws -> Bool {
        switch name {
        case "campaign":
            try with(arguments.id()) { $0.raft.campaign() }
        case "timeout":
            let ticks = Int(try arguments.number(1))
            try with(arguments.id()) { $0.electionTimeoutTicks = ticks }
        case "tick":
            let count = arguments.plain.count > 1 ? try arguments.number(1) : 1
            try with(arguments.id()) { for _ in 0..<count { $0.raft.tick() } }
        case "propose":
            let entries = arguments.plain.dropFirst().map { Entry(data: Array($0.utf8)) }
            try propose(Array(entries), on: arguments.id())
        case "conf":
            let kinds: [String: ConfChange.Kind] = [
                "add": .add, "remove": .remove, "update": .update,
            ]
            guard let kind = kinds[arguments.plain[1]] else {
                throw BadCommand(description: "no such change")
            }
            let change = ConfChange(kind: kind, member: MemberID(try arguments.number(2)))
            try propose([Entry(kind: .confChange, data: change.encoded())], on: arguments.id())
        case "nonvoters":
            let ids = arguments.ids.dropFirst().map { MemberID($0) }
            try with(arguments.id()) { $0.raft.setNonVoters(ids) }
        case "read":
            let context = try arguments.number(1)
            let answer = try with(arguments.id()) { $0.raft.readIndex(context: context) }
            if answer != .asked { output.append("\(answer)") }
        case "transfer":
            let target = MemberID(try arguments.number(1))
            do {
                try with(arguments.id()) { try $0.raft.transferLeadership(to: target) }
            } catch let error as TransferError { output.append("refused: \(error)") }
        case "step":
            let message = try message(arguments)
            try with(message.to.rawValue) { $0.raft.step(message) }
        default: return try handleLog(name, arguments)
        }
        return true
    }

    private mutating func handleLog(_ name: String, _ arguments: Arguments) throws -> Bool {
        switch name {
        case "compact":
            let index = try arguments.number(1)
            try with(arguments.id()) { $0.raft.compact(through: index) }
        case "void":
            try with(arguments.id()) { $0.raft.voidState() }
        case "unreachable":
            let other = MemberID(try arguments.number(1))
            try with(arguments.id()) { $0.raft.unreachable(other) }
        case "snapshot":
            let target = MemberID(try arguments.number(1))
            let message = try with(arguments.id()) { member -> Message? in
                let index = member.raft.appliedIndex
                guard let term = member.raft.term(at: index) else {
                    throw BadCommand(description: "applied index is compacted")
                }
                let metadata = SnapshotMetadata(
                    confState: member.raft.confState, index: index, term: term)
                return member.raft.sendSnapshot(Snapshot(metadata: metadata), to: target)
            }
            if let message { send(message) } else { output.append("not wanted") }
        case "report":
            let target = MemberID(try arguments.number(1))
            let succeeded = arguments.plain.last == "ok"
            try with(arguments.id()) {
                $0.raft.snapshotReported(for: target, succeeded: succeeded)
            }
        default: return false
        }
        return true
    }

    private mutating func propose(_ entries: [Entry], on id: UInt64) throws {
        do {
            try with(id) { try $0.raft.propose(entries) }
        } catch let error as ProposalError { output.append("refused: \(error)") }
    }

    /// A message that no member need have sent.
    private func message(_ arguments: Arguments) throws -> Message {
        guard let name = arguments.plain.first,
            let kind = Message.Kind.allCases.first(where: { "\($0)" == name })
        else { throw BadCommand(description: "no such kind of message") }
        var message = Message(
            kind, to: MemberID(try arguments.number("to")),
            from: MemberID(try arguments.number("from")), term: try arguments.number("term"),
            logTerm: try arguments.number("logterm"), index: try arguments.number("index"),
            commit: try arguments.number("commit"))
        message.reject = arguments.named["reject"] == "yes"
        message.rejectHint = try arguments.number("hint")
        if arguments.named["context"] != nil {
            message.context = Raft.bytes(of: try arguments.number("context"))
        }
        for (offset, term) in (arguments.named["entries"] ?? "").split(separator: ",").enumerated()
        {
            message.entries.append(
                Entry(term: UInt64(term) ?? 0, index: message.index &+ UInt64(offset) &+ 1))
        }
        if let text = arguments.named["snapshot"] {
            let numbers = text.split(separator: "/").compactMap { UInt64($0) }
            let metadata = SnapshotMetadata(
                confState: ConfState(members: ids.map { MemberID($0) }), index: numbers[0],
                term: numbers[1])
            message.snapshot = Snapshot(metadata: metadata)
        }
        return message
    }

    // MARK: Disks and links

    ///     ready 1, persist 1 [batches], stabilize [1 2]
    ///     deliver [1->2 | 2], drop [1->2 | 2], duplicate 1->2, reverse 1->2
    ///     cut 1 2, isolate 1, heal
    mutating func handleNetwork(_ name: String, _ arguments: Arguments) throws -> Bool {
        let isWanted = try selection(arguments.plain.first)
        switch name {
        case "ready": for id in arguments.ids { try takeReadies(id) }
        case "persist":
            let count = arguments.plain.count > 1 ? Int(try arguments.number(1)) : .max
            try persist(arguments.id(), count: count)
        case "stabilize":
            try stabilize(arguments.plain.isEmpty ? ids : arguments.ids)
        case "deliver": try deliver(where: isWanted)
        case "drop": network.removeAll(where: isWanted)
        case "duplicate": network += network.filter(isWanted)
        case "reverse":
            let reversed = network.filter(isWanted).reversed()
            network.removeAll(where: isWanted)
            network += reversed
        case "cut":
            cutLinks.formUnion([
                [try arguments.id(0), try arguments.id(1)],
                [try arguments.id(1), try arguments.id(0)],
            ])
        case "isolate":
            for other in ids where other != (try arguments.id()) {
                cutLinks.formUnion([[try arguments.id(), other], [other, try arguments.id()]])
            }
        case "heal": cutLinks = []
        default: return false
        }
        return true
    }

    /// `1->2`: that link; `2`: all to 2; nothing: all.
    private func selection(_ text: String?) throws -> (Message) -> Bool {
        guard let text else { return { _ in true } }
        let ends = text.split(separator: "-").flatMap { $0.split(separator: ">") }
            .compactMap { UInt64($0) }.map { MemberID($0) }
        if text.contains("->"), ends.count == 2 {
            return { $0.from == ends[0] && $0.to == ends[1] }
        }
        return { ends.first == $0.to }
    }
}
