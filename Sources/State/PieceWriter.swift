/// Memory that a piece of a stream is put together in, used again for each.
struct PieceWriter: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 256 << 10, alignment: 16)
    private(set) var count = 0

    deinit { memory.deallocate() }

    var all: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    mutating func removeAll() { count = 0 }

    mutating func byte(_ value: UInt8) {
        reserve(1)
        memory[count] = value
        count += 1
    }

    mutating func varint(_ value: UInt64) {
        reserve(10)
        var rest = value
        while rest >= 0x80 {
            memory[count] = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
            count += 1
        }
        memory[count] = UInt8(truncatingIfNeeded: rest)
        count += 1
    }

    mutating func zigzag(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        reserve(bytes.count)
        // Reserved above, and never empty.
        (memory.baseAddress.unsafelyUnwrapped + count).copyMemory(
            from: start, byteCount: bytes.count)
        count += bytes.count
    }

    /// Its size, then the bytes.
    mutating func sized(_ bytes: UnsafeRawBufferPointer) {
        varint(UInt64(bytes.count))
        append(bytes)
    }

    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if count + more > memory.count { grow(to: count + more) }
    }

    @inline(never)
    private mutating func grow(to size: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(size, memory.count * 2), alignment: 16)
        larger.copyMemory(from: all)
        memory.deallocate()
        memory = larger
    }
}
