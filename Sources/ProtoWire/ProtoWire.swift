/// Protobuf's wire format on raw bytes: varints and length-delimited fields, no schema.
///
/// `WireWriter` fills memory that the caller measured beforehand (`WireSize`), so one message
/// costs no allocation of its own: the same encoder writes into a WAL batch, a socket's buffer
/// or an array. `WireReader` walks bytes in place. It never traps and never reads past its end,
/// whatever the bytes are: every length is checked, and what is wrong comes out as a `WireError`
/// with the offset at which it was met.
///
///     field  = tag value
///     tag    = varint of (number << 3 | wire type)
///     value  = varint                     wire type 0
///            | 8 bytes                    wire type 1
///            | varint length, the bytes   wire type 2
///            | 4 bytes                    wire type 5
///     varint = 7 bits a byte, least significant first, top bit set on all but the last; at
///              most ten bytes. Negative int64 are written as their 64-bit two's complement.
///
/// Groups (wire types 3 and 4) are refused: none of the messages of etcd 2.x or 3.x has one.
/// Source of the format: protobuf's encoding page; `reference/disk-format.md` for what uses it.
public enum ProtoWire {
    /// A field number's largest value, as protobuf bounds it.
    @inlinable
    public static var fieldNumberMax: Int { (1 << 29) - 1 }
}
