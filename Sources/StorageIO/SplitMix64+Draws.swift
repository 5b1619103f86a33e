extension SplitMix64 {
    /// A stream of its own for `purpose`: draws from one do not move the others.
    package init(seed: UInt64, purpose: UInt64) {
        var mixer = SplitMix64(seed: seed &+ purpose &* 0xd134_2543_de82_ef95)
        self.init(seed: mixer.next())
    }

    package mutating func chance(perMille: Int) -> Bool {
        perMille > 0 && below(1000) < perMille
    }

    package mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    /// From `low` to `high`, both possible.
    package mutating func between(_ low: Int64, _ high: Int64) -> Int64 {
        precondition(low <= high)
        return low + Int64(below(Int(high - low) + 1))
    }

    /// About `mean`, mostly less, now and then a lot more.
    package mutating func around(_ mean: Int64) -> Int64 {
        let kind = below(16)
        if kind == 0 { return between(mean, mean * 8) }
        return between(mean / 4, mean + mean / 4)
    }
}
