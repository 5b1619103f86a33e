/// Random numbers that a seed repeats, fast in debug builds too: no generic call in between.
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Uniform enough in `0..<bound` for tests; `bound` must be positive.
    mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0, "nothing lies below zero")
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func coin() -> Bool { next() >> 63 == 0 }

    /// One of `elements`, which must not be empty.
    mutating func pick<T>(_ elements: [T]) -> T { elements[below(elements.count)] }

    /// Bits of every width alike, so that every length of varint comes up, extremes included.
    mutating func integer() -> UInt64 {
        switch below(8) {
        case 0: return 0
        case 1: return .max
        case 2: return (UInt64(1) << UInt64(below(64))) &- 1
        case 3: return UInt64(1) << UInt64(below(64))
        default: return next() >> UInt64(below(64))
        }
    }

    /// Mostly short; sometimes as long as two or three bytes of length can say.
    mutating func bytes() -> [UInt8] {
        let counts = [0, 0, 1, 2, 10, 40, 127, 128]
        let count = below(100) == 0 ? 16_380 + below(10) : pick(counts)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count { bytes.append(UInt8(truncatingIfNeeded: next())) }
        return bytes
    }
}
