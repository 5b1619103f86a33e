import RaftModel
import StorageIO

/// What becomes of messages between members.
struct Network {
    static let hostsMax = 32

    private var random: SplitMix64
    /// For each pair, how many faults cut it, in that direction.
    private var cuts = [UInt8](repeating: 0, count: hostsMax * hostsMax)
    /// For each pair, when the last message arrives.
    private var lastArrival = [Int64](repeating: 0, count: hostsMax * hostsMax)

    init(_ random: SplitMix64) { self.random = random }

    static func pair(_ from: Int, _ to: Int) -> Int { from * hostsMax + to }

    func isCut(_ from: Int, _ to: Int) -> Bool { cuts[Self.pair(from, to)] > 0 }

    mutating func cut(_ pairs: [Int]) { for pair in pairs { cuts[pair] += 1 } }
    mutating func heal(_ pairs: [Int]) { for pair in pairs { cuts[pair] -= 1 } }

    /// When a message arrives, each time it does: not at all, once, or more often.
    mutating func arrivals(
        from: Int, to: Int, now: Int64, _ weather: Weather, _ coverage: inout Coverage
    ) -> (first: Int64, second: Int64?)? {
        if random.chance(perMille: weather.lossPerMille) {
            coverage.count(.messageLost)
            return nil
        }
        let first = arrival(from, to, now, weather, &coverage)
        guard random.chance(perMille: weather.duplicatePerMille) else { return (first, nil) }
        coverage.count(.messageDuplicated)
        return (first, arrival(from, to, now, weather, &coverage))
    }

    private mutating func arrival(
        _ from: Int, _ to: Int, _ now: Int64, _ weather: Weather, _ coverage: inout Coverage
    ) -> Int64 {
        let delay = random.between(
            Int64(weather.delayMin), Int64(max(weather.delayMin, weather.delayMax)))
        var time = now + delay * 1000
        let pair = Self.pair(from, to)
        if time < lastArrival[pair] {
            if weather.keepsOrder {
                time = lastArrival[pair] + 1
            } else {
                coverage.count(.messageReordered)
            }
        }
        lastArrival[pair] = max(lastArrival[pair], time)
        return time
    }

    /// How long something takes that is not a message.
    mutating func delay(_ weather: Weather) -> Int64 {
        1000
            * random.between(
                Int64(weather.delayMin), Int64(max(weather.delayMin, weather.delayMax)))
    }
}

extension World {
    func send(_ message: Message, from: Int) {
        guard let to = slot(of: message.to), to != from else { return }
        guard !network.isCut(from, to) else {
            coverage.count(.messageCut)
            hosts[from].noteUnreachable(message.to)
            return
        }
        guard
            let arrivals = network.arrivals(
                from: from, to: to, now: now, weather, &coverage)
        else { return }
        var message = message
        mutate(&message)
        add(.deliver(message, to: to), at: arrivals.first)
        // A transport never sends the same bytes twice by itself, and a proposal that came twice would
        // be two.
        if let second = arrivals.second, message.kind != .propose {
            add(.deliver(message, to: to), at: second)
        }
    }

    func deliver(_ message: Message, to slot: Int) throws(Violation) {
        let host = hosts[slot]
        guard let from = self.slot(of: message.from) else { return }
        guard host.isRunning, !network.isCut(from, slot) else {
            coverage.count(.messageCut)
            return
        }
        coverage.count(.messageDelivered)
        fold(message.index &+ message.term << 40 &+ UInt64(message.kind.rawValue) << 32)
        trace.message(now) { "\(message.from) → \(message.to)  \(message.line)" }
        host.receive(message, from: from)
    }

    /// Says what a bug of Raft's would say.
    private func mutate(_ message: inout Message) {
        switch scenario.mutation {
        case .ignoreLogInVotes? where message.kind == .vote || message.kind == .preVote:
            message.index += 1000
            message.logTerm = max(message.logTerm, message.term - 1)
        case .countRejectedVotes?
        where message.kind == .voteResponse || message.kind == .preVoteResponse:
            guard message.reject else { return }
            message.reject = false
            if message.kind == .preVoteResponse { message.term += 1 }
        case .acknowledgeTooMuch? where message.kind == .appendResponse && !message.reject:
            message.index += 1
        case .changeEntryOnTheWay? where message.kind == .append && !message.entries.isEmpty:
            guard clientRandom.chance(perMille: 5) else { return }
            let last = message.entries.count - 1
            guard message.entries[last].kind == .normal, message.entries[last].data.count > 40
            else { return }
            // A byte of the value: it still reads as a command.
            if let place = message.entries[last].data.firstIndex(of: UInt8(ascii: "v")) {
                message.entries[last].data[place] = UInt8(ascii: "w")
            }
        default: break
        }
    }
}

extension Message {
    /// A line of a trace.
    var line: String {
        var text = "\(kind) term \(term)"
        if index > 0 || logTerm > 0 { text += " at \(index)/\(logTerm)" }
        if !entries.isEmpty { text += ", \(entries.count) entries" }
        if commit > 0 { text += ", commit \(commit)" }
        if reject { text += ", rejected" }
        if let snapshot { text += ", snapshot \(snapshot.metadata.index)" }
        return text
    }
}
