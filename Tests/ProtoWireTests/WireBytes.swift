import ProtoWire

/// Bytes that `write` puts into a writer of exactly `count` bytes.
func written(_ count: Int, _ write: (inout WireWriter) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
        var writer = WireWriter(UnsafeMutableRawBufferPointer(memory))
        write(&writer)
        initialized = writer.count
    }
}

/// Runs `read` on a reader of `bytes`; a `WireError` comes back as a value.
func reading<T>(
    _ bytes: [UInt8], _ read: (inout WireReader) throws(WireError) -> T
) -> Result<T, WireError> {
    bytes.withUnsafeBytes { raw in
        var reader = WireReader(raw)
        do throws(WireError) { return .success(try read(&reader)) } catch { return .failure(error) }
    }
}

/// Skips every field of `bytes` and returns their numbers.
func fieldNumbers(_ bytes: [UInt8]) -> Result<[Int], WireError> {
    reading(bytes) { (reader) throws(WireError) in
        var numbers: [Int] = []
        while let field = try reader.nextField() {
            numbers.append(field.number)
            try reader.skip(field)
        }
        return numbers
    }
}

/// The first field's payload, whatever its number.
func firstBytes(_ bytes: [UInt8]) -> Result<[UInt8], WireError> {
    reading(bytes) { (reader) throws(WireError) in
        guard let field = try reader.nextField() else { return [] }
        return Array(try reader.bytes(of: field))
    }
}

func varint(_ bytes: [UInt8]) -> Result<UInt64, WireError> {
    reading(bytes) { (reader) throws(WireError) in try reader.varint() }
}

/// Where seven more bits begin a new byte, and their neighbours.
let edges: [UInt64] =
    [0, 1, .max, .max - 1, UInt64(Int64.max), UInt64(bitPattern: Int64.min)]
    + (1...9).flatMap { bytes -> [UInt64] in
        let first = UInt64(1) << (7 * UInt64(bytes))
        return [first - 1, first, first + 1]
    }

extension Result where Failure == WireError {
    /// The error, or nil if there was none.
    var error: WireError? {
        if case .failure(let error) = self { error } else { nil }
    }
    var value: Success? { try? get() }
}
