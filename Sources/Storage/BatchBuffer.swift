import CKvd
import ProtoWire
import RaftModel
import StorageIO

/// The memory in which a batch is put together, reused from batch to batch.
///
/// Entries are encoded once, straight to where they will be written from. The rolling crc goes
/// on over batches and segments.
struct BatchBuffer: ~Copyable {
    private static let firstBytes = 1 << 18
    /// More than this is given back after the batch that needed it.
    private static let keptBytesMax = 8 << 20
    /// Data of this size and more gets one crc pass for both crcs; below, two are quicker.
    private static let sharedCRCBytesMin = 8 << 10

    private var memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    /// etcd's crc, over the records' data.
    private(set) var rolling: CRC32C
    /// The marker's crc, over the frames; bytes from `covered` on are still to be added.
    private var batch = CRC32C()
    private var covered = 0
    private var marker: WALMarker?
    /// Where the marker's 48 bytes lie.
    private var markerStart = 0

    init(rolling: CRC32C) {
        memory = Self.allocate(Self.firstBytes)
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
        let record =
            2 + WireSize.varintField(2, UInt64(crc))
            + WireSize.bytesField(3, count: WALMarker.sizeBytes)
        let size = WALFormat.lengthBytes + record
        reserve(size)
        let start = memory.baseAddress.unsafelyUnwrapped  // never empty
        var place = ByteCursor(start)
        place.frameHeader(.crc, crc: crc, dataBytes: WALMarker.sizeBytes, recordBytes: record)
        markerStart = place.place - start
        precondition(markerStart + WALMarker.sizeBytes == size)
        count = size
        self.marker = marker
        batch = CRC32C()
        batch.update(UnsafeRawBufferPointer(rebasing: memory[..<markerStart]))
        covered = size
    }

    /// Adds entries. Their encoding is `Entry.encode`'s, written out because it is the hot path.
    mutating func add(_ entries: [Entry]) {
        // A span lends its elements: iterating over the array would retain each one's data.
        let entries = entries.span
        for i in entries.indices {
            let (term, index) = (entries[i].term, entries[i].index)
            let count = entries[i].data.count
            var dataBytes = 4 &+ ByteCursor.size(term) &+ ByteCursor.size(index)
            if count > 0 { dataBytes += 1 + ByteCursor.size(UInt64(count)) + count }
            add(.entry, dataBytes: dataBytes) { place in
                place.byte(0x08)
                place.byte(entries[i].kind.rawValue)
                place.byte(0x10)
                place.varint(term)
                place.byte(0x18)
                place.varint(index)
                guard count > 0 else { return }
                place.byte(0x22)
                place.varint(UInt64(count))
                entries[i].data.withUnsafeBytes { place.bytes($0) }
            }
        }
    }

    mutating func add(_ state: HardState) {
        let size = state.encodedSize
        add(.state, dataBytes: size) { place in
            var writer = WireWriter(place.next(size))
            state.encode(into: &writer)
        }
    }

    mutating func add(_ type: WALRecordType, _ data: [UInt8]) {
        add(type, dataBytes: data.count) { place in data.withUnsafeBytes { place.bytes($0) } }
    }

    @inline(__always)
    private mutating func add(
        _ type: WALRecordType, dataBytes: Int, encode: (inout ByteCursor) -> Void
    ) {
        precondition(marker != nil && dataBytes > 0 && dataBytes <= WALFormat.recordBytesMax)
        // The crc comes first but is known last. Room is left for five bytes of it, which it
        // takes fifteen times out of sixteen; else the data moves down.
        let fixed = WALFormat.lengthBytes &+ 4 &+ ByteCursor.size(UInt64(dataBytes))
        reserve(fixed &+ 5 &+ dataBytes)
        // Reserved above: what follows stays inside the memory, and the ends are compared.
        let frame = memory.baseAddress.unsafelyUnwrapped + count
        let data = frame + (fixed &+ 5)
        var end = ByteCursor(data)
        encode(&end)
        precondition(end.place == data + dataBytes, "a wrong encodedSize")
        let before = rolling
        rolling = CRC32C(kvd_crc32c(before.value, data, dataBytes))
        let crcBytes = ByteCursor.size(UInt64(rolling.value))
        let headerBytes = fixed &+ crcBytes
        if crcBytes < 5 { (frame + headerBytes).copyMemory(from: data, byteCount: dataBytes) }
        var header = ByteCursor(frame)
        header.frameHeader(
            type, crc: rolling.value, dataBytes: dataBytes,
            recordBytes: headerBytes &- WALFormat.lengthBytes &+ dataBytes)
        precondition(header.place == frame + headerBytes)
        let start = count &+ headerBytes
        if dataBytes >= Self.sharedCRCBytesMin {
            cover(upTo: start)
            batch.update(count: dataBytes, likeFrom: before, to: rolling)
            covered = start &+ dataBytes
        }
        count = start &+ dataBytes
    }

    private mutating func cover(upTo end: Int) {
        batch.update(UnsafeRawBufferPointer(rebasing: memory[covered..<end]))
        covered = end
    }

    /// Finishes the marker: nothing can be added after this.
    mutating func seal() {
        guard var marker else { preconditionFailure("no batch was begun") }
        cover(upTo: count)
        let markerEnd = markerStart + WALMarker.sizeBytes
        marker.bytes = UInt64(count - markerEnd)
        marker.batchCRC = batch.value
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
            memory = Self.allocate(Self.firstBytes)
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

/// A place in memory that was measured and reserved before: nothing is checked on the way, the
/// caller compares where it ends.
struct ByteCursor {
    private(set) var place: UnsafeMutableRawPointer

    @inline(__always)
    init(_ place: UnsafeMutableRawPointer) { self.place = place }

    /// Bytes of a varint. `WireSize.varint`, quicker for the lengths that come up.
    @inline(__always)
    static func size(_ value: UInt64) -> Int {
        if value < 1 << 7 { return 1 }
        if value < 1 << 14 { return 2 }
        if value < 1 << 21 { return 3 }
        if value < 1 << 28 { return 4 }
        return WireSize.varint(value)
    }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        place.storeBytes(of: value, as: UInt8.self)
        place += 1
    }

    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func bytes(_ source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress else { return }
        place.copyMemory(from: start, byteCount: source.count)
        place += source.count
    }

    /// The next `count` bytes, for another writer to fill.
    mutating func next(_ count: Int) -> UnsafeMutableRawBufferPointer {
        defer { place += count }
        return UnsafeMutableRawBufferPointer(start: place, count: count)
    }

    /// Everything of a frame that comes before its data.
    @inline(__always)
    mutating func frameHeader(
        _ type: WALRecordType, crc: UInt32, dataBytes: Int, recordBytes: Int
    ) {
        place.storeBytes(of: UInt64(recordBytes).littleEndian, as: UInt64.self)
        place += WALFormat.lengthBytes
        byte(0x08)
        byte(type.rawValue)
        byte(0x10)
        varint(UInt64(crc))
        byte(0x1a)
        varint(UInt64(dataBytes))
    }
}
