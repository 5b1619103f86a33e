/// Readers that break each promise, to see that it is noticed. Not among `FuzzTarget.all`.
extension FuzzTarget {
    static let planted = [plantedTrap, plantedOverrun, plantedGreed, plantedLie]

    /// Traps when the input says so.
    private static let plantedTrap = FuzzTarget("planted-trap", "traps", tokens: ["FUZZ"]) {
        input in
        precondition(!(input.count >= 4 && input[0] == 0x46 && input[1] == 0x55), "planted")
        return true
    }

    /// Reads the byte behind the input.
    private static let plantedOverrun = FuzzTarget("planted-overrun", "reads too far") { input in
        guard let base = input.baseAddress else { return false }
        return (base + input.count).load(as: UInt8.self) == 0
    }

    /// Takes the input's word for how much memory it needs.
    private static let plantedGreed = FuzzTarget("planted-greed", "takes much memory") { input in
        guard let first = input.first, first > 0x80 else { return false }
        return [UInt8](repeating: first, count: 1 << 24).count > 0
    }

    /// Says what is not so.
    private static let plantedLie = FuzzTarget("planted-lie", "breaks its word") { input in
        try require(input.first != 0x46, "planted")
        return true
    }
}
