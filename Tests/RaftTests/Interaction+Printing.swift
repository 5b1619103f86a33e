import RaftModel

@testable import Raft

extension Interaction {
    ///     status [1 2], log 1, progress 1, network
    mutating func handleReport(_ name: String, _ arguments: Arguments) throws -> Bool {
        switch name {
        case "status":
            for id in arguments.ids.isEmpty ? ids : arguments.ids {
                guard let member = members[id] else { continue }
                output.append(member.isDown ? "\(id) down" : status(of: member.raft))
            }
        case "log":
            for id in arguments.ids { output.append(try log(of: id)) }
        case "progress":
            let raft = try with(arguments.id()) { $0.raft }
            for member in raft.memberStatuses {
                let mode = member.id == raft.id ? "itself" : "\(member.mode)"
                output.append(
                    "\(member.id) \(mode) match=\(member.match) next=\(member.next)"
                        + " in-flight=\(member.inFlightCount)"
                        + (member.isVoter ? "" : " no-voter"))
            }
        case "network": output += network.map(describe)
        default: return false
        }
        return true
    }

    private func status(of raft: Raft) -> String {
        "\(raft.id) \(raft.role) term=\(raft.term) vote=\(raft.vote) leader=\(raft.leader)"
            + " commit=\(raft.commitIndex) applied=\(raft.appliedIndex)"
            + " last=\(raft.lastIndex)/\(raft.term(at: raft.lastIndex) ?? 0)"
            + (raft.durableIndex == raft.lastIndex ? "" : " durable=\(raft.durableIndex)")
    }

    private mutating func log(of id: UInt64) throws -> String {
        let raft = try with(id) { $0.raft }
        let first = raft.firstIndex
        let terms = (first..<raft.lastIndex + 1).map { "\($0)/\(raft.term(at: $0) ?? 0)" }
        return "\(id): " + (first > 1 ? "...\(first - 1) | " : "") + terms.joined(separator: " ")
    }

    // MARK: What happens

    func describe(_ ready: Raft.Ready, of id: UInt64) -> [String] {
        var lines = ready.facts.compactMap(describe).map { "\(id) \($0)" }
        if let batch = ready.persist {
            var line = "\(id) persists #\(batch.sequence)"
            if let state = batch.hardState {
                line += " term=\(state.term) vote=\(state.vote) commit=\(state.commit)"
            }
            if let snapshot = batch.snapshot { line += " snapshot \(describe(snapshot.metadata))" }
            if !batch.entries.isEmpty { line += " entries \(describe(batch.entries))" }
            lines.append(line + (batch.needsSync ? "" : " (no sync)"))
        }
        if !ready.committed.isEmpty { lines.append("\(id) applies \(describe(ready.committed))") }
        for read in ready.readStates {
            lines.append("\(id) may read \(read.context) at \(read.index)")
        }
        for wanted in ready.snapshotsWanted {
            let floor = wanted.indexMin > 0 ? " at \(wanted.indexMin) or later" : ""
            lines.append("\(id) wants a snapshot for \(wanted.member)\(floor)")
        }
        for entry in ready.refusedConfChanges {
            lines.append("\(id) gives back \(describe(entry))")
        }
        return lines
    }

    func describe(_ message: Message) -> String {
        var line = "\(message.from)->\(message.to) \(message.kind) term=\(message.term)"
        switch message.kind {
        case .append:
            line += " prev=\(message.index)/\(message.logTerm) commit=\(message.commit)"
            if !message.entries.isEmpty { line += " entries \(describe(message.entries))" }
        case .appendResponse:
            line += " index=\(message.index)"
            if message.reject {
                line += " rejected hint=\(message.rejectHint)/\(message.logTerm)"
            }
        case .vote, .preVote: line += " last=\(message.index)/\(message.logTerm)"
        case .voteResponse, .preVoteResponse: line += message.reject ? " no" : " yes"
        case .heartbeat: line += " commit=\(message.commit)"
        case .propose: line += " " + message.entries.map(describe).joined(separator: " ")
        case .snapshot:
            line += " " + (message.snapshot.map { describe($0.metadata) } ?? "none")
        case .readIndexResponse: line += " index=\(message.index)"
        default: break
        }
        if let number = Raft.number(from: message.context) { line += " context=\(number)" }
        if message.context == Raft.transferContext { line += " (transfer)" }
        return line
    }

    private func describe(_ metadata: SnapshotMetadata) -> String {
        let members = metadata.confState.members.map(\.description).joined(separator: ",")
        return "\(metadata.index)/\(metadata.term) of \(members)"
    }

    private func describe(_ entries: [Entry]) -> String {
        entries.map(describe).joined(separator: " ")
    }

    /// INDEX/TERM, and what is in it.
    private func describe(_ entry: Entry) -> String {
        let place = entry.index == 0 ? "" : "\(entry.index)/\(entry.term)"
        guard entry.kind == .confChange else {
            return entry.data.isEmpty
                ? place : place + "'" + String(decoding: entry.data, as: UTF8.self) + "'"
        }
        let change = try? entry.data.withUnsafeBytes { try ConfChange.decode($0) }
        return place + "(" + (change.map { "\($0.kind) \($0.member)" } ?? "?") + ")"
    }

    /// Nil for what the messages show anyway.
    private func describe(_ fact: Raft.Fact) -> String? {
        switch fact {
        case .voteRequested, .voteReceived, .votesCounted, .voteCast, .electionStarted,
            .higherTermSeen:
            nil
        case .becameFollower(let term): "becomes follower at term \(term)"
        case .becamePreCandidate(let term): "becomes pre-candidate at term \(term)"
        case .becameCandidate(let term): "becomes candidate at term \(term)"
        case .becameLeader(let term): "becomes leader at term \(term)"
        case .leaderChanged(_, .none, _): "has no leader"
        case .leaderChanged(_, let leader, _): "follows \(leader)"
        case .voteIgnored(let candidate, let kind, let term):
            "ignores \(kind) of \(candidate) at term \(term): its leader is alive"
        case .lowerTermIgnored(let kind, let from, let term):
            "drops \(kind) from \(from): old term \(term)"
        case .malformed(let kind, let from): "drops \(kind) from \(from): malformed"
        default: "notes \(fact)"
        }
    }
}
