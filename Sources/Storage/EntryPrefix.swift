import RaftModel

/// How the encodings of most entries begin, as words to be stored:
///
///     08 kind 10 term 18 | index 22 length | data        term and length of 1 or 2 bytes,
///     `word`, the same for                               index of 1 to 5
///     many entries
///
/// Larger numbers, and entries without data, are encoded byte by byte.
struct EntryPrefix {
    static let termMax: UInt64 = (1 << 14) - 1
    static let indexMax: UInt64 = (1 << 35) - 1
    static let dataBytes = 1..<(8 << 10)
    /// A word may reach so far behind what they stand for.
    static let slackBytes = 8

    let kind: Entry.Kind
    let term: UInt64
    let word: UInt64
    /// Bytes of `word` that count.
    let count: Int

    init(_ kind: Entry.Kind, term: UInt64) {
        precondition(term <= Self.termMax)
        (self.kind, self.term) = (kind, term)
        let (number, numberBytes) = Self.varint(term)
        word =
            0x10_0008 | UInt64(kind.rawValue) << 8 | number << 24
            | 0x18 << UInt64(24 + 8 * numberBytes)
        count = 4 + numberBytes
    }

    /// All that comes before an entry's data, in two words: 8 to 14 bytes.
    struct Head {
        var low: UInt64
        var high: UInt64
        var count: Int
    }

    @inline(__always)
    func head(index: UInt64, dataBytes: Int) -> Head {
        let (number, numberBytes) = Self.varint(index)
        let isLong = dataBytes >= 1 << 7
        let length = UInt64(truncatingIfNeeded: dataBytes)
        let rest = 0x22 | (isLong ? ByteCursor.twoBytes(length) : length) &<< 8
        let second = number | rest &<< UInt64(8 &* numberBytes)
        let bits = UInt64(8 &* count)
        return Head(
            low: word | second &<< bits, high: second &>> (64 &- bits),
            count: count &+ numberBytes &+ (isLong ? 3 : 2))
    }

    /// Of at most 35 bits.
    @inline(__always)
    private static func varint(_ value: UInt64) -> (word: UInt64, count: Int) {
        let count = ByteCursor.size(value)
        let more = 0x8080_8080 & ((1 &<< UInt64(8 &* (count &- 1))) &- 1)
        return (ByteCursor.spread(value) | (value &>> 28) &<< 32 | more, count)
    }
}
