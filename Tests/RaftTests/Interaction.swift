import RaftModel

@testable import Raft

/// A cluster under the hand of a text file: nothing moves unless a command says so.
///
/// Batches are durable when `persist` or `stabilize` says so; a restart forgets the others.
/// Messages wait in the network until delivered; those over a cut link are lost when they are sent.
struct Interaction {
    struct Member {
        var raft: Raft
        var disk: TestDisk
        var batches: [Raft.PersistBatch] = []
        var isDown = false
        /// Only the cases that are about timeouts let them pass.
        var electionTimeoutTicks = 1000
    }

    struct BadCommand: Error, CustomStringConvertible {
        var description: String
    }

    var members: [UInt64: Member] = [:]
    var configuration = Raft.Configuration(id: MemberID(1), electionTicks: 10, seed: 1)
    var network: [Message] = []
    var cutLinks: Set<[UInt64]> = []
    /// What the command under way leads to.
    var output: [String] = []

    var ids: [UInt64] { members.keys.sorted() }

    /// Runs one command and returns its lines.
    mutating func handle(_ line: String) throws -> [String] {
        output = []
        var words = line.split(separator: " ").map(String.init)
        let isQuiet = words.first == "quietly"
        if isQuiet { words.removeFirst() }
        guard let name = words.first else { throw BadCommand(description: "no command") }
        let arguments = try Arguments(words.dropFirst())
        guard
            try handleWorld(name, arguments) || handleMember(name, arguments)
                || handleNetwork(name, arguments) || handleReport(name, arguments)
        else { throw BadCommand(description: "no such command") }
        return isQuiet ? [] : output.map { $0.last == " " ? String($0.dropLast()) : $0 }
    }

    // MARK: Moving the world

    mutating func start(_ id: UInt64, disk: TestDisk) {
        var configuration = configuration
        configuration.id = MemberID(id)
        configuration.seed = id
        let raft = Raft(configuration, restored: disk.restored)
        members[id] = Member(raft: raft, disk: disk)
    }

    /// Calls `body` with a member that is up.
    mutating func with<Result>(
        _ id: UInt64, _ body: (inout Member) throws -> Result
    ) throws -> Result {
        guard var member = members[id] else { throw BadCommand(description: "no member \(id)") }
        members[id] = nil  // so that its log is not copied
        defer { members[id] = member }
        guard !member.isDown else { throw BadCommand(description: "\(id) is down") }
        member.raft.electionTimeoutDrawn(ticks: member.electionTimeoutTicks)
        return try body(&member)
    }

    /// Takes all that is ready at a member; prints it, sends its messages, applies its entries.
    /// Returns whether there was anything.
    @discardableResult
    mutating func takeReadies(_ id: UInt64) throws -> Bool {
        var isAny = false
        while let ready = try with(id, { $0.raft.takeReady() }) {
            isAny = true
            output += describe(ready, of: id)
            if let batch = ready.persist { try with(id) { $0.batches.append(batch) } }
            for message in ready.messages { send(message) }
            for entry in ready.committed where entry.kind == .confChange {
                let change = try entry.data.withUnsafeBytes { try ConfChange.decode($0) }
                try with(id) { $0.raft.applyConfChange(change) }
            }
            if let last = ready.committed.last {
                try with(id) { $0.raft.applied(through: last.index) }
            }
        }
        return isAny
    }

    mutating func persist(_ id: UInt64, count: Int = .max) throws {
        try with(id) { member in
            for batch in member.batches.prefix(count) {
                member.disk.write(batch)
                member.raft.persisted(through: batch.sequence)
            }
            member.batches.removeFirst(min(count, member.batches.count))
        }
    }

    mutating func send(_ message: Message) {
        let (from, to) = (message.from.rawValue, message.to.rawValue)
        let isLost = cutLinks.contains([from, to]) || (members[to]?.isDown ?? true)
        output.append(describe(message) + (isLost ? " (lost)" : ""))
        if !isLost { network.append(message) }
    }

    /// Delivers what is under way, oldest first, to members of `to`.
    mutating func deliver(where isWanted: (Message) -> Bool) throws {
        let wanted = network.filter(isWanted)
        network.removeAll(where: isWanted)
        for message in wanted {
            try with(message.to.rawValue) { $0.raft.step(message) }
        }
    }

    /// Lets these members do all they can, their disks and links included, until they rest.
    mutating func stabilize(_ chosen: [UInt64]) throws {
        for _ in 0..<200 {
            var isMoving = false
            for id in chosen where members[id]?.isDown == false {
                while true {
                    let isAny = try takeReadies(id)
                    let isWriting = !(members[id]?.batches.isEmpty ?? true)
                    guard isAny || isWriting else { break }
                    isMoving = true
                    try persist(id)
                }
            }
            if !network.contains(where: { chosen.contains($0.to.rawValue) }) {
                guard isMoving else { return }
                continue
            }
            try deliver { chosen.contains($0.to.rawValue) }
        }
        throw BadCommand(description: "does not come to rest")
    }
}
