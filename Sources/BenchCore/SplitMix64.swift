/// Steele, Lea and Flood's SplitMix64: one seed gives one sequence, on every machine and with
/// every toolchain (the standard library's `Int.random` promises neither).
package struct SplitMix64: Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0 ..< bound`. The bias is below `bound` / 2^64.
    package mutating func next(below bound: Int) -> Int {
        precondition(bound > 0, "an empty range has no number")
        return Int(UInt64(bound).multipliedFullWidth(by: next()).high)
    }

    /// A number in `0 ..< 1`.
    package mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
