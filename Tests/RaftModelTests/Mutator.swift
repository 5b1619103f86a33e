/// Makes hostile inputs: random bytes, and captured ones with a few wounds.
///
/// Works in memory of its own, with raw pointers, because a million inputs pass through it in a
/// debug build.
struct Mutator: ~Copyable {
    static let inputBytesMax = 1024

    private let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Mutator.inputBytesMax, alignment: 16)
    private var count = 0
    private var random: SplitMix64
    private let corpus: [[UInt8]]

    /// `corpus` must not be empty; samples of it are cut to half of the longest input.
    init(corpus: [[UInt8]], seed: UInt64) {
        precondition(!corpus.isEmpty, "nothing to mutate")
        self.corpus = corpus
        random = SplitMix64(seed: seed)
    }

    deinit { scratch.deallocate() }

    /// The next input, valid until the next call.
    mutating func next() -> UnsafeRawBufferPointer {
        if random.below(4) == 0 {
            fillWithNoise()
        } else {
            fillWithSample()
            for _ in 0...random.below(3) { wound() }
        }
        return UnsafeRawBufferPointer(rebasing: scratch[..<count])
    }

    private mutating func fillWithNoise() {
        count = random.below(64)
        // Small numbers look more like tags and lengths than bytes at random do.
        let mask: UInt8 = random.coin() ? 0xff : 0x1f
        for i in 0..<count { scratch[i] = UInt8(truncatingIfNeeded: random.next()) & mask }
    }

    private mutating func fillWithSample() {
        corpus[random.below(corpus.count)].withUnsafeBytes { sample in
            count = min(sample.count, Self.inputBytesMax / 2)
            scratch.copyMemory(from: UnsafeRawBufferPointer(rebasing: sample[..<count]))
        }
    }

    private mutating func wound() {
        guard count > 0 else { return }
        let place = random.below(count)
        switch random.below(7) {
        case 0: scratch[place] ^= 1 << UInt8(random.below(8))
        case 1: scratch[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: count = place
        case 3: insert(1 + random.below(12), at: place)
        case 4: inflate(at: place)
        case 5: remove(1 + random.below(8), at: place)
        default: graft(at: place)
        }
    }

    /// Random bytes in between.
    private mutating func insert(_ more: Int, at place: Int) {
        guard open(more, at: place) else { return }
        for i in place..<(place + more) { scratch[i] = UInt8(truncatingIfNeeded: random.next()) }
    }

    /// A huge varint where a byte was: a length or a number out of all proportion.
    private mutating func inflate(at place: Int) {
        let more = random.below(11)
        guard open(more, at: place) else { return }
        for i in place..<(place + more) { scratch[i] = 0xff }
        scratch[place + more] &= random.coin() ? 0x01 : 0x7f
    }

    private mutating func remove(_ fewer: Int, at place: Int) {
        let end = min(place + fewer, count)
        let tail = UnsafeRawBufferPointer(rebasing: scratch[end..<count])
        UnsafeMutableRawBufferPointer(rebasing: scratch[place...]).copyMemory(from: tail)
        count -= end - place
    }

    /// A piece of another sample laid over this one.
    private mutating func graft(at place: Int) {
        let other = corpus[random.below(corpus.count)]
        guard !other.isEmpty else { return }
        let start = random.below(other.count)
        let length = min(other.count - start, Self.inputBytesMax - place, 1 + random.below(40))
        other.withUnsafeBytes { raw in
            let piece = UnsafeRawBufferPointer(rebasing: raw[start..<(start + length)])
            UnsafeMutableRawBufferPointer(rebasing: scratch[place...]).copyMemory(from: piece)
        }
        count = max(count, place + length)
    }

    /// Moves what is behind `place` by `more` bytes; false if there is no room.
    private mutating func open(_ more: Int, at place: Int) -> Bool {
        guard count + more <= Self.inputBytesMax else { return false }
        let tail = UnsafeRawBufferPointer(rebasing: scratch[place..<count])
        UnsafeMutableRawBufferPointer(rebasing: scratch[(place + more)...]).copyMemory(from: tail)
        count += more
        return true
    }
}
