import StorageIO

/// Makes inputs from a corpus and a seed: samples with some wounds, or noise.
package struct FuzzMutator: Sendable {
    private var random: SplitMix64
    private let samples: [[UInt8]]
    private let tokens: [[UInt8]]
    private let mend: (@Sendable (inout [UInt8]) -> Void)?
    private let bytesMax: Int

    /// Numbers at which something changes.
    private static let numbers: [UInt64] = [
        0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000,
        0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, .max,
    ]
    private static let decimals = [
        "", "0", "-1", "00", "1e9", "0.5", "255", "4294967296", "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "18446744073709551615",
        "18446744073709551616", "99999999999999999999999999999999",
    ].map { Array($0.utf8) }

    package init(_ target: FuzzTarget, samples: [[UInt8]], seed: UInt64) {
        random = SplitMix64(seed: seed)
        (tokens, mend, bytesMax) = (target.tokens, target.mend, target.inputBytesMax)
        let largest = target.inputBytesMax
        self.samples = samples.isEmpty ? [[]] : samples.map { Array($0.prefix(largest)) }
    }

    /// The next input.
    package mutating func next() -> [UInt8] {
        var bytes: [UInt8]
        if random.chance(percent: 6) {
            bytes = noise(random.below(64))
        } else {
            bytes = sample()
            wound(&bytes)
        }
        finish(&bytes)
        return bytes
    }

    /// Wounds an input that came from elsewhere.
    package mutating func mutate(_ bytes: inout [UInt8]) {
        wound(&bytes)
        finish(&bytes)
    }

    /// Cuts what is too long; in half of all cases puts right what guards the bytes.
    package mutating func finish(_ bytes: inout [UInt8]) {
        cut(&bytes)
        guard let mend, random.coin() else { return }
        mend(&bytes)
        cut(&bytes)
    }

    private func cut(_ bytes: inout [UInt8]) {
        if bytes.count > bytesMax { bytes.removeLast(bytes.count - bytesMax) }
    }

    private mutating func wound(_ bytes: inout [UInt8]) {
        // Mostly few: what has many goes no further than the first of them.
        for _ in 0...(random.coin() ? 0 : random.below(5)) { woundOnce(&bytes) }
    }

    private mutating func woundOnce(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes = noise(1 + random.below(16))
            return
        }
        let place = random.below(bytes.count)
        switch random.below(16) {
        case 0: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes[place] &+= random.coin() ? 1 : 255
        case 3: bytes.removeLast(bytes.count - place)
        case 4: bytes.insert(contentsOf: noise(1 + random.below(12)), at: place)
        case 5: bytes.insert(contentsOf: varint(), at: place)
        case 6: bytes.removeSubrange(piece(of: bytes, at: place))
        case 7: graft(&bytes, at: place)
        case 8: splice(&bytes, at: place)
        case 9, 10: putToken(&bytes, at: place)
        case 11: multiply(&bytes, at: place)
        case 12, 13: putNumber(&bytes, at: place)
        case 14: putDecimal(&bytes, at: place)
        default: swapPieces(&bytes, at: place)
        }
    }

    // MARK: Kinds of wounds

    private mutating func sample() -> [UInt8] { samples[random.below(samples.count)] }

    private mutating func noise(_ count: Int) -> [UInt8] {
        // Small numbers look more like tags and lengths than bytes at random do.
        let mask: UInt8 = random.coin() ? 0xff : 0x1f
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) & mask }
    }

    private mutating func piece(of bytes: [UInt8], at place: Int) -> Range<Int> {
        let longest = random.coin() ? 8 : bytes.count
        return place..<min(bytes.count, place + 1 + random.below(longest))
    }

    /// A length or a number out of all proportion.
    private mutating func varint() -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: random.below(11))
        bytes.append(random.coin() ? 0x01 : 0x7f)
        return bytes
    }

    /// A piece of another sample laid over this one.
    private mutating func graft(_ bytes: inout [UInt8], at place: Int) {
        let other = sample()
        guard !other.isEmpty else { return }
        let from = piece(of: other, at: random.below(other.count))
        let end = min(bytes.count, place + from.count)
        bytes.replaceSubrange(place..<end, with: other[from])
    }

    /// This one's beginning, another's end.
    private mutating func splice(_ bytes: inout [UInt8], at place: Int) {
        let other = sample()
        bytes.removeLast(bytes.count - place)
        bytes += other[(other.isEmpty ? 0 : random.below(other.count))...]
    }

    private mutating func putToken(_ bytes: inout [UInt8], at place: Int) {
        guard !tokens.isEmpty else { return splice(&bytes, at: place) }
        let token = tokens[random.below(tokens.count)]
        let end = random.coin() ? place : min(bytes.count, place + token.count)
        bytes.replaceSubrange(place..<end, with: token)
    }

    /// The same thing again and again: what nests, or counts.
    private mutating func multiply(_ bytes: inout [UInt8], at place: Int) {
        let copied = Array(bytes[piece(of: bytes, at: place)])
        let most = max(1, (bytesMax - bytes.count) / copied.count)
        let times = random.chance(percent: 10) ? most : min(most, 1 + random.below(8))
        for _ in 0..<times { bytes.insert(contentsOf: copied, at: place) }
    }

    /// A number of 2, 4 or 8 bytes, of either order, set or moved a little.
    private mutating func putNumber(_ bytes: inout [UInt8], at place: Int) {
        let width = 1 << (1 + random.below(3))
        guard place + width <= bytes.count else { return }
        var number: UInt64 = 0
        let isLittle = random.coin()
        for offset in 0..<width {
            let position = place + (isLittle ? width - 1 - offset : offset)
            number = number << 8 | UInt64(bytes[position])
        }
        switch random.below(3) {
        case 0: number = Self.numbers[random.below(Self.numbers.count)]
        case 1: number &+= UInt64(1 + random.below(9))
        default: number &-= UInt64(1 + random.below(9))
        }
        for offset in 0..<width {
            let position = place + (isLittle ? offset : width - 1 - offset)
            bytes[position] = UInt8(truncatingIfNeeded: number >> UInt64(8 * offset))
        }
    }

    /// Another number in place of one in digits.
    private mutating func putDecimal(_ bytes: inout [UInt8], at place: Int) {
        func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
        guard let start = bytes[place...].firstIndex(where: isDigit) else { return }
        let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
        let number = Self.decimals[random.below(Self.decimals.count)]
        bytes.replaceSubrange(start..<end, with: number)
    }

    private mutating func swapPieces(_ bytes: inout [UInt8], at place: Int) {
        let moved = piece(of: bytes, at: place)
        let copy = Array(bytes[moved])
        bytes.removeSubrange(moved)
        bytes.insert(contentsOf: copy, at: random.below(bytes.count + 1))
    }
}
