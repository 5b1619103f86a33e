import StorageIO

/// A sync marker: the data of the crc record that begins each of our batches.
///
/// A batch is what one write puts into the log: a marker's frame and the frames after it.
///
///     0         8          16         24         32        40         44       48
///     +---------+----------+----------+----------+---------+----------+--------+
///     | magic   | sequence | offset   | durable  | bytes   | batchCRC | crc    |
///     | u64     | u64      | u64      | u64      | u64     | u32      | u32    |
///     +---------+----------+----------+----------+---------+----------+--------+
///
/// - `sequence`, `offset`: the segment, and where in it the marker's frame starts. Old markers of
///   a recycled file, and marker-like bytes inside a value, do not match by accident.
/// - `durable`: a promise that the segment's bytes before it were synced when this was written.
///   At a segment's head, which has nothing before it: where that ends which an earlier life of
///   a recycled file left behind; 0 in a fresh file.
/// - `bytes`: the size of the batch's frames after the marker's own.
/// - `batchCRC`: CRC-32C of the batch, all of it but the marker's 48 bytes: also of what etcd's
///   own crc leaves out, the types and lengths. A batch is there as a whole or not at all.
/// - `crc`: CRC-32C of bytes 0 ..< 44 of the marker.
///
/// A reader that meets something bad scans on for valid markers. One whose `durable` lies past
/// the bad place proves that data which was synced, and may have been acknowledged, is damaged.
/// If there is none, the bad place is a batch whose sync never finished.
package struct WALMarker: Equatable, Sendable {
    package static let sizeBytes = 48
    /// "kvd mark" read as bytes.
    static let magic = Array("kvd mark".utf8)

    package var sequence: UInt64
    package var offset: UInt64
    package var durable: UInt64
    package var bytes: UInt64 = 0
    package var batchCRC: UInt32 = 0

    /// Fills `memory`, which is `sizeBytes` long.
    func encode(into memory: UnsafeMutableRawBufferPointer) {
        precondition(memory.count == Self.sizeBytes)
        memory.copyBytes(from: Self.magic)
        memory.storeBytes(of: sequence.littleEndian, toByteOffset: 8, as: UInt64.self)
        memory.storeBytes(of: offset.littleEndian, toByteOffset: 16, as: UInt64.self)
        memory.storeBytes(of: durable.littleEndian, toByteOffset: 24, as: UInt64.self)
        memory.storeBytes(of: bytes.littleEndian, toByteOffset: 32, as: UInt64.self)
        memory.storeBytes(of: batchCRC.littleEndian, toByteOffset: 40, as: UInt32.self)
        let crc = CRC32C.of(UnsafeRawBufferPointer(rebasing: memory[..<44]))
        memory.storeBytes(of: crc.littleEndian, toByteOffset: 44, as: UInt32.self)
    }

    /// Nil if these are not the intact bytes of a marker.
    static func decode(_ data: UnsafeRawBufferPointer) -> WALMarker? {
        guard data.count == sizeBytes, data.prefix(8).elementsEqual(magic) else { return nil }
        func word(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: data.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        func half(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: data.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        let crc = CRC32C.of(UnsafeRawBufferPointer(rebasing: data[..<44]))
        guard half(44) == crc else { return nil }
        return WALMarker(
            sequence: word(8), offset: word(16), durable: word(24), bytes: word(32),
            batchCRC: half(40))
    }
}
