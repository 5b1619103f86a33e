import ProtoWire
import RaftModel
import StorageIO

/// The memory in which a batch is put together, reused from batch to batch.
///
/// Entries are encoded once, straight to where they will be written from. The rolling crc goes
/// on over batches and segments; only `recovered` logs set it.
struct BatchBuffer: ~Copyable {
    /// More than this is given back after the batch that needed it.
    private static let keptBytesMax = 8 << 20

    private var memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    private(set) var rolling: CRC32C
    private var marker: WALMarker?
    /// Where the marker's 48 bytes lie.
    private var markerStart = 0

    init(rolling: CRC32C) {
        memory = Self.allocate(1 << 18)
        self.rolling = rolling
    }

    deinit { memory.deallocate() }

    var isEmpty: Bool { count == 0 }

    /// The batch so far.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// Starts a batch that will be written at `marker.offset`.
    mutating func begin(_ marker: WALMarker) {
        precondition(isEmpty, "the last batch was not written")
        let crc = rolling.value
        let record = 2 + WireSize.varintField(2, UInt64(crc))
            + WireSize.bytesField(3, count: WALMarker.sizeBytes)
        let size = WALFormat.lengthBytes + record
        reserve(size)
        var writer = WireWriter(UnsafeMutableRawBufferPointer(rebasing: memory[..<size]))
        Self.header(.crc, crc: crc, dataBytes: WALMarker.sizeBytes, record, &writer)
        markerStart = writer.count
        count = size
        self.marker = marker
        precondition(markerStart + WALMarker.sizeBytes == size)
    }

    mutating func add(_ entry: Entry) {
        add(.entry, dataBytes: entry.encodedSize) { entry.encode(into: &$0) }
    }

    mutating func add(_ state: HardState) {
        add(.state, dataBytes: state.encodedSize) { state.encode(into: &$0) }
    }

    mutating func add(_ type: WALRecordType, _ data: [UInt8]) {
        add(type, dataBytes: data.count) { writer in data.withUnsafeBytes { writer.raw($0) } }
    }

    @inline(__always)
    private mutating func add(
        _ type: WALRecordType, dataBytes: Int, encode: (inout WireWriter) -> Void
    ) {
        precondition(marker != nil && dataBytes > 0 && dataBytes <= WALFormat.recordBytesMax)
        // The crc comes first but is known last. Room is left for five bytes of it, which it
        // takes fifteen times out of sixteen; else the data moves down.
        let crcBytesMax = 5
        let fixed =
            WALFormat.lengthBytes + 2 + 1 + 1 + WireSize.varint(UInt64(dataBytes))
        let guess = count + fixed + crcBytesMax
        reserve(fixed + crcBytesMax + dataBytes)
        let data = UnsafeMutableRawBufferPointer(rebasing: memory[guess..<(guess + dataBytes)])
        var writer = WireWriter(data)
        encode(&writer)
        precondition(writer.count == dataBytes, "encodedSize disagrees with encode")
        rolling.update(UnsafeRawBufferPointer(data))
        let crcBytes = WireSize.varint(UInt64(rolling.value))
        let start = count + fixed + crcBytes
        if start != guess {
            UnsafeMutableRawBufferPointer(rebasing: memory[start..<(start + dataBytes)])
                .copyMemory(from: UnsafeRawBufferPointer(data))
        }
        let record = fixed - WALFormat.lengthBytes + crcBytes + dataBytes
        var header = WireWriter(UnsafeMutableRawBufferPointer(rebasing: memory[count..<start]))
        Self.header(type, crc: rolling.value, dataBytes: dataBytes, record, &header)
        precondition(header.count == start - count)
        count = start + dataBytes
    }

    @inline(__always)
    private static func header(
        _ type: WALRecordType, crc: UInt32, dataBytes: Int, _ recordBytes: Int,
        _ writer: inout WireWriter
    ) {
        writer.littleEndian(UInt64(recordBytes))
        writer.varintField(1, UInt64(type.rawValue))
        writer.varintField(2, UInt64(crc))
        writer.bytesFieldHeader(3, count: dataBytes)
    }

    /// Finishes the marker: nothing can be added after this.
    mutating func seal() {
        guard var marker else { preconditionFailure("no batch was begun") }
        let markerEnd = markerStart + WALMarker.sizeBytes
        var crc = CRC32C()
        crc.update(UnsafeRawBufferPointer(rebasing: memory[..<markerStart]))
        crc.update(UnsafeRawBufferPointer(rebasing: memory[markerEnd..<count]))
        marker.bytes = UInt64(count - markerEnd)
        marker.batchCRC = crc.value
        marker.encode(
            into: UnsafeMutableRawBufferPointer(rebasing: memory[markerStart..<markerEnd]))
        self.marker = nil
    }

    /// The batch with zeros behind it, up to the end of the page in which a write at `offset`
    /// ends.
    mutating func paddedBytes(writtenAt offset: Int) -> UnsafeRawBufferPointer {
        let over = (offset + count) % WALFormat.pageBytes
        let padding = over == 0 ? 0 : WALFormat.pageBytes - over
        reserve(padding)
        let zeros = UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + padding)])
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        return UnsafeRawBufferPointer(rebasing: memory[..<(count + padding)])
    }

    /// Forgets the batch and keeps the rolling crc.
    mutating func clear() {
        precondition(marker == nil, "an unsealed batch is lost")
        count = 0
        if memory.count > Self.keptBytesMax {
            memory.deallocate()
            memory = Self.allocate(1 << 18)
        }
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > memory.count else { return }
        grow(to: count + more)
    }

    @inline(never)
    private mutating func grow(to size: Int) {
        let larger = Self.allocate(max(size, memory.count * 2))
        larger.copyMemory(from: bytes)
        memory.deallocate()
        memory = larger
    }

    private static func allocate(_ size: Int) -> UnsafeMutableRawBufferPointer {
        .allocate(byteCount: size, alignment: WALFormat.pageBytes)
    }
}
