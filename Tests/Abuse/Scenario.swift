/// One kind of abuse.
package struct Scenario: Sendable {
    package let name: String
    /// What is done, for the table's reader.
    package let purpose: String
    /// Of kvd, beside the usual ones.
    package var flags: [String] = []
    /// What is written before, for the abuse to use.
    package var prepare: @Sendable (Victim) throws -> Void = { _ in }
    /// kvd has to have ended all connections by itself before the scenario is over, in so long.
    package var endsWithin: Duration?
    package var onslaughts: @Sendable (Victim, Scale) throws -> [Onslaught]
    /// What must hold afterwards; the text says what does not.
    package var check: @Sendable (Victim) throws -> String? = { _ in nil }

    /// How much of it: a test does a part of what the program does.
    package struct Scale: Sendable {
        package let divisor: Int

        package static let full = Scale(divisor: 1)

        package init(divisor: Int) { self.divisor = divisor }

        /// At least one for each script.
        func onslaught(_ scripts: [Script], count: Int, rate: Int) -> Onslaught {
            Onslaught(scripts, count: max(scripts.count, count / divisor), rate: rate)
        }
    }

    package static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }

    package static let all: [Scenario] =
        waiting + watching + nonsense + oversized + strangers
}
