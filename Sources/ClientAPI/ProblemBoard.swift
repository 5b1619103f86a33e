/// Something that is not as it should be with a member.
package struct Problem: Equatable, Sendable {
    /// What it is, in one word or two, and of what: the same as long as the problem lasts.
    package var name: String
    /// A sentence for people, with figures.
    package var text: String
    /// What to do about it.
    package var help: String

    package init(_ name: String, _ text: String, help: String) {
        (self.name, self.text, self.help) = (name, text, help)
    }
}

/// The problems that there are, and since when. Looked at about once a second.
struct ProblemBoard {
    struct Standing: Equatable {
        var problem: Problem
        /// Unix nanoseconds.
        let since: Int64
        /// Monotonic nanoseconds.
        let begun: Int64
    }

    /// In the order of their beginning.
    private(set) var standing: [Standing] = []

    /// Takes note of what is wrong now.
    ///
    /// - Parameters:
    ///   - now: monotonic nanoseconds.
    ///   - wall: Unix nanoseconds.
    mutating func look(_ found: [Problem], now: Int64, wall: Int64) {
        standing.removeAll { old in !found.contains { $0.name == old.problem.name } }
        for problem in found {
            if let place = standing.firstIndex(where: { $0.problem.name == problem.name }) {
                standing[place].problem = problem
            } else {
                standing.append(Standing(problem: problem, since: wall, begun: now))
            }
        }
    }
}
