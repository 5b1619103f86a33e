/// How many bytes a value will take, so that a message can be measured before it is written.
public enum WireSize {
    /// Bytes of a varint: 1 to 10.
    @inlinable
    public static func varint(_ value: UInt64) -> Int {
        if value < 0x80 { return 1 }
        // Seven bits a byte, rounded up.
        return (70 - value.leadingZeroBitCount) / 7
    }

    /// Bytes of the tag of a field.
    @inlinable
    public static func tag(_ field: Int) -> Int { varint(UInt64(field) << 3) }

    /// Bytes of a varint field, tag and all.
    @inlinable
    public static func varintField(_ field: Int, _ value: UInt64) -> Int {
        tag(field) + varint(value)
    }

    /// Bytes of a length-delimited field, tag and length and all.
    @inlinable
    public static func bytesField(_ field: Int, count: Int) -> Int {
        tag(field) + varint(UInt64(count)) + count
    }
}
