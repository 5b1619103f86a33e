import StorageIO

/// What is done to a cluster under load, for a while; then it is mended.
package enum ChaosFault: Equatable, Sendable {
    package enum Victim: Equatable, Sendable {
        case leader
        /// By a drawn number.
        case any(Int)
    }

    package enum Shape: Equatable, Sendable {
        /// One member against the rest.
        case isolated(Victim)
        /// Two sides, neither of which hears the other; the smaller one has this one in it.
        case halves(Victim)
        /// What the victim says is not heard.
        case mute(Victim)
        /// It hears nothing.
        case deaf(Victim)
        /// Two sides that both hear one member, and not each other.
        case bridge(Victim)
        /// Some links, each way for itself.
        case random(percent: Int)
    }

    case kill(Victim)
    case killMajority
    case killAll
    case pause(Victim)
    case partition(Shape, LinkRule.Passage)
    /// Cut and mended again and again.
    case flapping(Victim)
    /// All links, by so many milliseconds.
    case delay(Int)
    /// All links of the victim, in bytes a second.
    case throttle(Victim, Int)
    /// SIGTERM to the leader, which hands over, and a start.
    case restartLeader
    /// The same for each member in turn.
    case rollingRestart
    /// One more, and then one less.
    case grow(Victim)
    /// One is lost for good and another takes its place.
    case replace(Victim)
    case fullDisk

    /// What it is called in the report: one row for each.
    package var kind: String {
        switch self {
        case .kill(.leader): "kill -9 of the leader"
        case .kill(.any): "kill -9 of a member"
        case .killMajority: "kill -9 of a majority"
        case .killAll: "kill -9 of all"
        case .pause(.leader): "SIGSTOP of the leader"
        case .pause(.any): "SIGSTOP of a member"
        case .partition(.isolated(.leader), _): "leader cut off"
        case .partition(.isolated(.any), _): "member cut off"
        case .partition(.halves, _): "two halves"
        case .partition(.mute, _): "one-way cut: not heard"
        case .partition(.deaf, _): "one-way cut: hears nothing"
        case .partition(.bridge, _): "bridge"
        case .partition(.random, _): "random links cut"
        case .flapping: "flapping links"
        case .delay: "slow links"
        case .throttle: "throttled links"
        case .restartLeader: "leader restarted (SIGTERM)"
        case .rollingRestart: "rolling restart"
        case .grow: "member added, another removed"
        case .replace: "member lost and replaced"
        case .fullDisk: "full disk"
        }
    }

    static func draw(_ random: inout SplitMix64, hasSmallDisk: Bool) -> ChaosFault {
        let victim = random.coin() ? Victim.leader : .any(random.below(64))
        switch random.below(26) {
        case 0...2: return .kill(victim)
        case 3: return .killMajority
        case 4: return .killAll
        case 5...6: return .pause(victim)
        case 7...13:
            let shape = drawShape(&random, victim)
            // A connection has two ways: to cut one of them, nothing may be said.
            switch shape {
            case .mute, .deaf, .random: return .partition(shape, .held)
            default: return .partition(shape, random.coin() ? .held : .closed)
            }
        case 14...15: return .flapping(victim)
        case 16...17: return .delay(Int(random.between(5, 80)))
        case 18: return .throttle(victim, Int(random.between(10_000, 200_000)))
        case 19: return .restartLeader
        case 20: return .rollingRestart
        case 21...22: return .grow(victim)
        case 23...24: return .replace(victim)
        default: return hasSmallDisk ? .fullDisk : .kill(victim)
        }
    }

    private static func drawShape(_ random: inout SplitMix64, _ victim: Victim) -> Shape {
        switch random.below(7) {
        case 0...1: .isolated(victim)
        case 2: .halves(victim)
        case 3: .mute(victim)
        case 4: .deaf(victim)
        case 5: .bridge(victim)
        default: .random(percent: Int(random.between(20, 70)))
        }
    }
}

extension ChaosFault.Shape {
    /// The links that are cut, among `numbers`, the first of which is the victim.
    func links(among numbers: [Int], _ random: inout SplitMix64) -> [Link] {
        let (first, rest) = (numbers[0], Array(numbers.dropFirst()))
        func between(_ some: [Int], _ others: [Int]) -> [Link] {
            some.flatMap { one in
                others.flatMap { [Link(from: one, to: $0), Link(from: $0, to: one)] }
            }
        }
        switch self {
        case .isolated: return between([first], rest)
        case .halves:
            let small = Array(numbers.prefix((numbers.count - 1) / 2))
            return between(small, Array(numbers.dropFirst(small.count)))
        case .mute: return rest.map { Link(from: first, to: $0) }
        case .deaf: return rest.map { Link(from: $0, to: first) }
        case .bridge:
            let half = rest.count / 2
            return between(Array(rest.prefix(half)), Array(rest.dropFirst(half)))
        case .random(let percent):
            let all = numbers.flatMap { one in
                numbers.filter { $0 != one }.map { Link(from: one, to: $0) }
            }
            return all.filter { _ in random.chance(percent: percent) }
        }
    }
}
