/// Writes protobuf fields into memory measured beforehand.
///
/// The memory must stay valid and unshared while the writer is used: it is a cursor on it, not
/// its owner. Writing past its end is a programmer's error (a wrong `encodedSize`) and traps.
public struct WireWriter {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let capacity: Int
    @usableFromInline var position = 0

    /// Bytes written so far.
    @inlinable
    public var count: Int { position }

    @inlinable
    public init(_ memory: UnsafeMutableRawBufferPointer) {
        // An empty buffer has no address; nothing will be written through the stand-in.
        base = memory.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 1).unsafelyUnwrapped
        capacity = memory.count
    }

    /// Claims the next `size` bytes.
    @inlinable
    mutating func claim(_ size: Int) -> UnsafeMutableRawPointer {
        precondition(size >= 0 && size <= capacity - position, "encodedSize was too small")
        defer { position += size }
        return base + position
    }

    @inlinable
    public mutating func varint(_ value: UInt64) {
        let size = WireSize.varint(value)
        let place = claim(size)
        var rest = value
        for i in 0..<(size - 1) {
            place.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: i, as: UInt8.self)
            rest >>= 7
        }
        place.storeBytes(
            of: UInt8(truncatingIfNeeded: rest), toByteOffset: size - 1, as: UInt8.self)
    }

    @inlinable
    public mutating func varintField(_ field: Int, _ value: UInt64) {
        varint(UInt64(field) << 3)
        varint(value)
    }

    @inlinable
    public mutating func boolField(_ field: Int, _ value: Bool) {
        varintField(field, value ? 1 : 0)
    }

    /// The tag and length of a field whose `count` bytes the caller writes next.
    @inlinable
    public mutating func bytesFieldHeader(_ field: Int, count: Int) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(count))
    }

    @inlinable
    public mutating func bytesField(_ field: Int, _ bytes: UnsafeRawBufferPointer) {
        bytesFieldHeader(field, count: bytes.count)
        raw(bytes)
    }

    @inlinable
    public mutating func bytesField(_ field: Int, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytesField(field, $0) }
    }

    /// Bytes as they are: no tag, no length.
    @inlinable
    public mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        let place = claim(bytes.count)
        guard let source = bytes.baseAddress else { return }
        place.copyMemory(from: source, byteCount: bytes.count)
    }

    /// A fixed-size integer with the most significant byte first, as peer streams frame with.
    @inlinable
    public mutating func bigEndian(_ value: UInt64) {
        claim(8).storeBytes(of: value.bigEndian, as: UInt64.self)
    }

    /// A fixed-size integer with the least significant byte first, as the WAL frames with.
    @inlinable
    public mutating func littleEndian(_ value: UInt64) {
        claim(8).storeBytes(of: value.littleEndian, as: UInt64.self)
    }
}
