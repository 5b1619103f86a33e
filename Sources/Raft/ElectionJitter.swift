/// The injected chance: of election timeouts, and of what tells one run of a member from another.
/// SplitMix64, whose numbers do not change with the toolchain.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
struct ElectionJitter: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Ticks without a leader until an election: `electionTicks + 1 ... 2 * electionTicks`.
    mutating func draw(electionTicks: Int) -> Int {
        electionTicks + 1 + Int(next().multipliedFullWidth(by: UInt64(electionTicks)).high)
    }
}
