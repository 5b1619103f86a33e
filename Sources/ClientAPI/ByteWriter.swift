#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Memory that is written from left to right, emptied and written again.
///
/// One of these serves all requests of a `ClientServer`, so that making up an answer allocates
/// nothing: the text is put together here and then copied once into a connection's buffer.
struct ByteWriter: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0
    /// The most that it was emptied of since `giveBack` was called last.
    private var highest = 0
    private let firstCapacity: Int
    /// A writer that a large answer has grown past this gives the memory back when it is emptied.
    private static let keptCapacityMax = 4 << 20

    init(capacity: Int = 4096) {
        precondition(capacity > 0, "a writer has room for something")
        (self.capacity, firstCapacity) = (capacity, capacity)
        base = .allocate(byteCount: capacity, alignment: 8)
    }

    deinit { base.deallocate() }

    /// Bytes until it has to grow.
    var room: Int { capacity - count }

    /// Valid until the next change.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    mutating func removeAll() {
        highest = max(highest, count)
        count = 0
        if capacity > Self.keptCapacityMax { regrow(to: Self.keptCapacityMax) }
    }

    /// Empties it, and gives back what has not been needed since the last call: one large answer would
    /// otherwise cost its memory for ever.
    mutating func giveBack() {
        removeAll()
        let wanted = max(firstCapacity, highest)
        highest = 0
        if capacity > 2 * wanted { regrow(to: wanted) }
    }

    /// Makes room for `extra` more bytes: until they are used up, nothing moves.
    @inline(__always)
    mutating func reserve(_ extra: Int) {
        if capacity - count < extra { grow(by: extra) }
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1)
        (base + count).storeBytes(of: byte, as: UInt8.self)
        count += 1
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        reserve(text.utf8CodeUnitCount)
        (base + count).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        count += text.utf8CodeUnitCount
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        reserve(bytes.count)
        (base + count).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    mutating func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    @inline(__always)
    mutating func append(decimal number: UInt64) {
        reserve(20)
        if number < 10 {
            append(UInt8(truncatingIfNeeded: number) + UInt8(ascii: "0"))
            return
        }
        var digits = 1
        var limit: UInt64 = 10
        while digits < 20, number >= limit {
            digits += 1
            limit = digits == 20 ? .max : limit &* 10
        }
        appendDigits(number, count: digits)
    }

    mutating func append(decimal number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        append(decimal: number.magnitude)
    }

    /// Exactly `width` digits, zeros before the number.
    @inline(__always)
    mutating func append(padded number: UInt64, width: Int) {
        reserve(width)
        appendDigits(number, count: width)
    }

    @inline(__always)
    private mutating func appendDigits(_ number: UInt64, count digits: Int) {
        var rest = number
        var position = count + digits
        while position > count {
            position -= 1
            let digit = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
            (base + position).storeBytes(of: digit, as: UInt8.self)
            rest /= 10
        }
        count += digits
    }

    /// Lower case, no zeros before the number.
    mutating func append(hex number: UInt64) {
        var shift = 60
        while shift > 0, number >> UInt64(shift) == 0 { shift -= 4 }
        while shift >= 0 {
            append(Self.hexDigit(UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15))
            shift -= 4
        }
    }

    @inline(__always)
    static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? nibble + UInt8(ascii: "0") : nibble - 10 + UInt8(ascii: "a")
    }

    /// Drops everything from `newCount` on.
    mutating func truncate(to newCount: Int) {
        precondition(newCount <= count, "truncation does not add bytes")
        count = newCount
    }

    @inline(never)
    private mutating func grow(by extra: Int) {
        regrow(to: max(capacity * 2, count + extra))
    }

    private mutating func regrow(to newCapacity: Int) {
        let new = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 8)
        new.copyMemory(from: base, byteCount: min(count, newCapacity))
        base.deallocate()
        (base, capacity) = (new, newCapacity)
    }
}

/// Searching bytes with libc's vectorised routines.
enum ByteSearch {
    /// Offset of the first `byte`; nil if there is none.
    @inline(__always)
    static func first(_ byte: UInt8, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return nil }
        guard let hit = memchr(base, Int32(byte), bytes.count) else { return nil }
        return UnsafeRawPointer(hit) - base
    }

    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        guard let base = bytes.baseAddress else { return true }
        return memcmp(base, text.utf8Start, bytes.count) == 0
    }

    @inline(__always)
    static func hasPrefix(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count >= text.utf8CodeUnitCount else { return false }
        guard let base = bytes.baseAddress else { return true }
        return memcmp(base, text.utf8Start, text.utf8CodeUnitCount) == 0
    }
}
